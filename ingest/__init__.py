"""From a device's MQTT message to the store, each message accounted for.

source -> decode -> validate -> spool -> accept -> drain (see `ARCHITECTURE.md`).
"""
