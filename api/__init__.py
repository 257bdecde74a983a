"""The HTTP API: sites, quantities, devices, readings, completeness, dead letters, health, metrics.

It reads the registry and the telemetry store and never imports `ingest`: N processes of it may
run beside each other, as none keeps anything but short-lived caches.
"""
