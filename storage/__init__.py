"""The telemetry store behind two small ports, and its backends."""
