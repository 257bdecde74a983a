"""Alerting under faults: what was due, and who was told of it how often."""
