"""The properties of an MQTT 5 PUBLISH: read by the standard's table, kept or passed over.

Kept are the content type, the user properties and the subscription identifiers. The table is MQTT 5
section 2.2.2.2 and what section 3.3.2.3 says of a PUBLISH.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ingest.packet_error import PacketError, Refusal

FACTS_ID = 2
"""Subscription identifier of the subscription to retained facts, beside a shared one."""
CONTENT_TYPE = "content-type"
"""Name under which the content type is kept, beside the user properties."""

_PAYLOAD_FORMAT = 0x01
_MESSAGE_EXPIRY = 0x02
_CONTENT_TYPE = 0x03
_RESPONSE_TOPIC = 0x08
_CORRELATION_DATA = 0x09
_SUBSCRIPTION_ID = 0x0B
_TOPIC_ALIAS = 0x23
_USER_PROPERTY = 0x26
_REPEATABLE = {_SUBSCRIPTION_ID, _USER_PROPERTY}
_OF_OTHER_PACKETS = {
    *(0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1C, 0x1F),
    *(0x21, 0x22, 0x24, 0x25, 0x27, 0x28, 0x29, 0x2A),
}
_CONTINUES = 0x80
_MAX_SHIFT = 21


class Told(NamedTuple):
    """What the properties of one PUBLISH tell.

    Attributes:
        properties: content type and user properties.
        facts_only: only the subscription to retained facts matched.
        payload_at: where the payload begins.
    """

    properties: dict[str, str]
    facts_only: bool
    payload_at: int


def read_properties(data: bytes, start: int, end: int, offset: int) -> Told:
    """Read the properties of a PUBLISH.

    Args:
        data: holds the packet.
        start: where the property length stands.
        end: where the packet ends.
        offset: byte of the connection at which `data` begins, for errors.

    Raises:
        PacketError: they are not what the standard allows, or use a topic alias: none was offered.
    """
    return _Reader(data, end, offset).read(start)


class _Reader:
    def __init__(self, data: bytes, end: int, offset: int) -> None:
        self._data = data
        self._end = end
        self._offset = offset
        self._content_type = ""
        self._user: dict[str, str] = {}
        self._identifiers: list[int] = []

    def read(self, start: int) -> Told:
        length, at = self._variable(start)
        packet_end, self._end = self._end, at + length
        if self._end > packet_end:
            raise self._error(f"{length} bytes of properties reach beyond their packet", start)
        found: set[int] = set()
        while at < self._end:
            identifier = self._data[at]
            read = _READERS.get(identifier)
            if read is None:
                raise self._stranger(identifier, at)
            if identifier in found and identifier not in _REPEATABLE:
                raise self._error(f"property 0x{identifier:02x} stands twice", at, Refusal.PROTOCOL)
            found.add(identifier)
            at = read(self, at + 1)
        kept = {CONTENT_TYPE: self._content_type} if self._content_type else {}
        kept.update(self._user)
        return Told(kept, self._identifiers == [FACTS_ID], self._end)

    def payload_format(self, at: int) -> int:
        end = self._within(at, at + 1)
        if self._data[at] > 1:
            raise self._error(f"payload format {self._data[at]} does not exist", at)
        return end

    def message_expiry(self, at: int) -> int:
        return self._within(at, at + 4)

    def content_type(self, at: int) -> int:
        self._content_type, end = self._text(at)
        return end

    def response_topic(self, at: int) -> int:
        topic, end = self._text(at)
        if not topic or "+" in topic or "#" in topic:
            raise self._error(f"{topic!r} cannot be a response topic", at, Refusal.PROTOCOL)
        return end

    def correlation_data(self, at: int) -> int:
        return self._binary(at)

    def subscription_identifier(self, at: int) -> int:
        identifier, end = self._variable(at)
        if not identifier:
            raise self._error("a subscription identifier is 0", at, Refusal.PROTOCOL)
        self._identifiers.append(identifier)
        return end

    def topic_alias(self, at: int) -> int:
        raise self._error(
            "the packet uses a topic alias, and none was offered", at - 1, Refusal.TOPIC_ALIAS
        )

    def user_property(self, at: int) -> int:
        name, at = self._text(at)
        value, at = self._text(at)
        self._user[name] = value
        return at

    def _stranger(self, identifier: int, at: int) -> PacketError:
        if identifier in _OF_OTHER_PACKETS:
            return self._error(f"property 0x{identifier:02x} has no place in a PUBLISH", at)
        return self._error(f"property 0x{identifier:02x} does not exist", at)

    def _binary(self, at: int) -> int:
        body = self._within(at, at + 2)
        return self._within(at, body + int.from_bytes(self._data[at:body], "big"))

    def _text(self, at: int) -> tuple[str, int]:
        end = self._binary(at)
        try:
            text = self._data[at + 2 : end].decode()
        except UnicodeDecodeError:
            raise self._error("a text among the properties is not UTF-8", at) from None
        if "\0" in text:
            raise self._error("a text among the properties holds the character 0", at)
        return text, end

    def _variable(self, at: int) -> tuple[int, int]:
        number = 0
        for shift in range(0, _MAX_SHIFT + 1, 7):
            position = at + shift // 7
            self._within(at, position + 1)
            digit = self._data[position]
            number |= (digit & 0x7F) << shift
            if not digit & _CONTINUES:
                if shift and not digit:
                    raise self._error("a number is longer than it need be", at)
                return number, position + 1
        raise self._error("a number has more than 4 bytes", at)

    def _within(self, at: int, end: int) -> int:
        if end > self._end:
            raise self._error("a property reaches beyond its end", at)
        return end

    def _error(self, what: str, at: int, refusal: Refusal = Refusal.MALFORMED) -> PacketError:
        return PacketError(what, at=self._offset + at, refusal=refusal)


_READERS: dict[int, Callable[[_Reader, int], int]] = {
    _PAYLOAD_FORMAT: _Reader.payload_format,
    _MESSAGE_EXPIRY: _Reader.message_expiry,
    _CONTENT_TYPE: _Reader.content_type,
    _RESPONSE_TOPIC: _Reader.response_topic,
    _CORRELATION_DATA: _Reader.correlation_data,
    _SUBSCRIPTION_ID: _Reader.subscription_identifier,
    _TOPIC_ALIAS: _Reader.topic_alias,
    _USER_PROPERTY: _Reader.user_property,
}
