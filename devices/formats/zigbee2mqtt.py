"""Zigbee2MQTT: cached state as JSON, availability, and the bridge's retained list of devices.

Source: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""

from __future__ import annotations

from core.message import Decoded, DecodeError, Defect, MessageKind, RawMessage
from core.reasons import Reason
from devices.formats import Origin, Plugin, Reader
from devices.limits import Limits
from devices.payload import read_json
from devices.profile import Profile, TopicRule
from devices.readers import availability_reader, document_reader, ignoring_reader
from devices.values import named_type

_FACTS_FACTOR = 16  # each device tells some ten kilobytes of what it can do
_MAX_NAME = 200


def _devices_reader(_profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    """Make a reader of `bridge/devices`: friendly name -> IEEE address."""

    def read(message: RawMessage, origin: Origin) -> Decoded:
        devices = read_json(message.payload, limits, factor=_FACTS_FACTOR)
        if type(devices) is not list:
            raise DecodeError(
                Reason.WRONG_TYPE,
                f"the bridge's devices must be a list; the payload is {named_type(devices)}",
            )
        aliases: dict[str, str] = {}
        defects: list[Defect] = []
        for position, device in enumerate(devices):
            match device:
                case {"type": "Coordinator"}:
                    continue
                case {"friendly_name": str(name), "ieee_address": str(address)} if (
                    0 < len(name) <= _MAX_NAME and 0 < len(address) <= _MAX_NAME
                ):
                    aliases[name] = address
                case _:
                    defects.append(
                        Defect(
                            Reason.WRONG_TYPE,
                            f"[{position}]: neither friendly_name nor ieee_address can be read",
                        )
                    )
        return Decoded(
            profile=origin.profile,
            site=origin.site,
            external_id=origin.device,
            kind=MessageKind.METADATA,
            defects=tuple(defects),
            aliases=aliases,
        )

    return read


PLUGIN = Plugin(
    name="zigbee2mqtt",
    readers={
        "state": document_reader,
        "availability": availability_reader,
        "devices": _devices_reader,
        "ignore": ignoring_reader,
    },
)
