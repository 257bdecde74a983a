"""Conditions at work: what takes values in the order of time and says whether something holds."""
