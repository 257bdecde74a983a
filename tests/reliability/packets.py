"""The packets in a stream of MQTT bytes: OASIS MQTT 3.1.1, section 2.2."""

from __future__ import annotations

from collections.abc import Iterator

PUBACK = 0x40
SUBACK = 0x90
PUBLISH = 0x30


def packets(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Give (kind, body) of each whole packet; what a cut connection left half is not given."""
    at = 0
    while at < len(stream):
        length, shift, place = 0, 0, at + 1
        while True:
            if place >= len(stream):
                return
            digit = stream[place]
            length |= (digit & 0x7F) << shift
            shift += 7
            place += 1
            if not digit & 0x80:
                break
        if place + length > len(stream):
            return
        yield stream[at] & 0xF0, stream[place : place + length]
        at = place + length
