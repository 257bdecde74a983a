"""Simulated fleets and replays of recorded data: they talk MQTT only, as devices do.

Payloads are encoded here without any help from the decoders in `devices`: that independence is
what makes a simulated fleet a test of them.
"""
