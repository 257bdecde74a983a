"""Telling people: channels, the texts they carry, and the outbox that empties into them.

`spec` is what the policy says of a channel, `channel` what every channel does; each kind of channel
has a file of its own (`apprise_channel`, `webhook`, `mqtt_channel`) and `channels` makes them.
`templates` holds the wording in both languages. `outbox` delivers what the registry holds.
"""
