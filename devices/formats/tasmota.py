"""Tasmota: SENSOR, STATE and RESULT as JSON in local time, POWER and LWT as bare text.

Source: https://tasmota.github.io/docs/MQTT/
"""

from __future__ import annotations

from core.message import Decoded, DecodeError, MessageKind, RawMessage, Sample
from core.reasons import Reason
from devices.formats import Origin, Plugin, Reader
from devices.limits import Limits
from devices.payload import text
from devices.profile import Profile, TopicRule
from devices.readers import availability_reader, document_reader

_RELAY = {"ON": 1.0, "OFF": 0.0}


def _power_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    """Make a reader of a relay's state: `ON` or `OFF` as bare text."""

    def read(message: RawMessage, origin: Origin) -> Decoded:
        word = text(message.payload, limits)
        closed = _RELAY.get(word.upper())
        if closed is None:
            raise DecodeError(
                Reason.WRONG_TYPE, f"a relay is ON or OFF, not {message.payload[:40]!r}"
            )
        return Decoded(
            profile=origin.profile,
            site=origin.site,
            external_id=origin.device,
            kind=MessageKind.TELEMETRY,
            samples=(Sample("relay_state", closed, where="payload"),),
            dedupe_window_s=profile.dedupe_window_s,
        )

    return read


PLUGIN = Plugin(
    name="tasmota",
    readers={
        "document": document_reader,
        "power": _power_reader,
        "availability": availability_reader,
    },
)
