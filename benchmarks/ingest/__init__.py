"""Passerelle and its peers on the same queue of messages."""
