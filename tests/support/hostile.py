"""What no honest broker sends: packets after which a client has to close the connection."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.bench import TOPIC
from tests.support.scripted_broker import Speaks, packet, publish_packet


class Hostile(NamedTuple):
    """One case.

    Attributes:
        sent: the bytes.
        code: the reason code of the DISCONNECT that MQTT 5 asks for (section 4.13, table 3-10).
        words: part of the reason as a person reads it.
    """

    sent: bytes
    code: int
    words: str


def message(payload: bytes, mid: int, speaks: Speaks, *, again: bool = False) -> bytes:
    """Return a good message at QoS 1; `again`: a redelivery."""
    return publish_packet(
        TOPIC.encode(),
        payload,
        mid=mid,
        head=0x3A if again else 0x32,
        properties=b"\x00" if speaks == "5" else None,
    )


def with_properties(block: bytes, *, topic: str = TOPIC) -> bytes:
    """Return a PUBLISH with these properties, their length before them."""
    return publish_packet(topic.encode(), b"x", mid=9, properties=bytes((len(block),)) + block)


def _publish(rest: bytes, *, head: int = 0x32) -> bytes:
    """Return a PUBLISH with `rest` behind its topic."""
    topic = TOPIC.encode()
    return packet(head, len(topic).to_bytes(2, "big") + topic + rest)


_FULL = b"\x00\x09\x00x"
"""Packet identifier, no properties, payload: what each version reads, as a payload or in part."""

HOSTILE = {
    "length bomb": Hostile(b"\x32\xff\xff\xff\x7f", 0x95, "mqtt.max_packet_bytes"),
    "length bomb of a SUBACK": Hostile(b"\x90\xff\xff\xff\x7f", 0x95, "mqtt.max_packet_bytes"),
    "length of 5 bytes": Hostile(b"\x32\x80\x80\x80\x80\x01", 0x81, "more than 4 bytes"),
    "length without end": Hostile(b"\x32\xff\xff\xff\xff\xff", 0x81, "more than 4 bytes"),
    "nothing in it": Hostile(b"\x32\x00", 0x81, "reaches beyond its packet"),
    "topic cut": Hostile(b"\x32\x05\xff\xffabc", 0x81, "reaches beyond its packet"),
    "identifier cut": Hostile(_publish(b"\x01"), 0x81, "before its packet identifier"),
    "identifier 0": Hostile(_publish(b"\x00\x00\x00x"), 0x81, "packet identifier 0"),
    "QoS 3": Hostile(_publish(_FULL, head=0x36), 0x81, "QoS 3"),
    "QoS 2": Hostile(_publish(_FULL, head=0x34), 0x82, "QoS 2"),
    "DUP at QoS 0": Hostile(_publish(b"\x00x", head=0x38), 0x81, "DUP"),
    "wildcard": Hostile(publish_packet(b"a/#", b"\x00", mid=3), 0x90, "wildcard"),
    "other wildcard": Hostile(publish_packet(b"a/+/b", b"\x00", mid=3), 0x90, "wildcard"),
    "no topic": Hostile(publish_packet(b"", b"\x00x", mid=3), 0x82, "has no topic"),
    "packet of type 0": Hostile(b"\x00\x00", 0x81, "0x00"),
    "packet of a client": Hostile(b"\x82\x00", 0x81, "0x82"),
    "reserved flags": Hostile(b"\xd1\x00", 0x81, "0xd1"),
    "second CONNACK": Hostile(b"\x20\x03\x00\x00\x00", 0x82, "second CONNACK"),
    "SUBACK cut": Hostile(b"\x90\x01\x00", 0x81, "paho cannot read"),
    "PINGRESP with a body": Hostile(b"\xd0\x01\x00", 0x82, "no place here"),
}
"""Cases of both versions."""

HOSTILE_3 = {
    "DISCONNECT": Hostile(b"\xe0\x00", 0x81, "0xe0"),
    "AUTH": Hostile(b"\xf0\x00", 0x81, "0xf0"),
}
"""Cases of MQTT 3.1.1, in which a broker sends no such packet."""

HOSTILE_5 = {
    "AUTH that was not asked for": Hostile(b"\xf0\x00", 0x82, "no place here"),
    "length longer than need be": Hostile(
        b"\x32\x87\x00\x00\x01t\x00\x05\x00b", 0x81, "longer than it need be"
    ),
    "no properties": Hostile(_publish(b"\x00\x09"), 0x81, "reaches beyond its end"),
    "properties beyond": Hostile(_publish(b"\x00\x09\x7f"), 0x81, "beyond their packet"),
    "length of properties of 5 bytes": Hostile(
        _publish(b"\x00\x09\x80\x80\x80\x80\x01"), 0x81, "more than 4 bytes"
    ),
    "unknown property": Hostile(with_properties(b"\x7e"), 0x81, "0x7e does not exist"),
    "property of another packet": Hostile(
        with_properties(b"\x21\x00\x05"), 0x81, "0x21 has no place"
    ),
    "property twice": Hostile(with_properties(b"\x01\x00\x01\x00"), 0x82, "stands twice"),
    "property cut": Hostile(with_properties(b"\x02\x00\x00"), 0x81, "beyond its end"),
    "text longer than its property": Hostile(
        with_properties(b"\x03\xff\xffa"), 0x81, "beyond its end"
    ),
    "user property without a value": Hostile(
        with_properties(b"\x26\x00\x01a"), 0x81, "beyond its end"
    ),
    "text that is not UTF-8": Hostile(with_properties(b"\x03\x00\x01\xff"), 0x81, "not UTF-8"),
    "text with the character 0": Hostile(with_properties(b"\x03\x00\x01\x00"), 0x81, "character 0"),
    "payload format 2": Hostile(with_properties(b"\x01\x02"), 0x81, "payload format 2"),
    "subscription identifier 0": Hostile(with_properties(b"\x0b\x00"), 0x82, "identifier is 0"),
    "response topic with a wildcard": Hostile(
        with_properties(b"\x08\x00\x01#"), 0x82, "response topic"
    ),
    "alias 0": Hostile(with_properties(b"\x23\x00\x00"), 0x94, "topic alias"),
    "alias beyond the maximum, which is 0": Hostile(
        with_properties(b"\x23\x00\x01"), 0x94, "topic alias"
    ),
    "greatest alias": Hostile(with_properties(b"\x23\xff\xff"), 0x94, "topic alias"),
    "unknown alias": Hostile(with_properties(b"\x23\x00\x01", topic=""), 0x94, "topic alias"),
    "alias redefined": Hostile(
        with_properties(b"\x23\x00\x01") + with_properties(b"\x23\x00\x01", topic="other"),
        0x94,
        "topic alias",
    ),
    "alias twice": Hostile(with_properties(b"\x23\x00\x01\x23\x00\x02"), 0x94, "topic alias"),
}
"""Cases of MQTT 5."""


def cases(speaks: Speaks) -> dict[str, Hostile]:
    """Return what a broker of this version can send that it must not."""
    return HOSTILE | (HOSTILE_5 if speaks == "5" else HOSTILE_3)
