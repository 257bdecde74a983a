"""The few MQTT 3.1.1 packets that a benchmark needs, as bytes; OASIS MQTT 3.1.1, sections 2 and 3.

A client library costs more for each message than what is measured with it: here packets are built
beforehand and sent many at a time.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 0x20, 0x30, 0x40, 0x90
_PUBLISH_QOS1 = b"\x32"
_CLEAN = 0x02
_QOS = 0x06
_TIMEOUT_S = 30.0
_SYS_QUIET_S = 2.0
DROPPED = "$SYS/broker/publish/messages/dropped"
"""Mosquitto's count of messages that it acknowledged and then dropped."""


class BrokerError(Exception):
    """The broker answered something else than what was expected, or nothing."""


def text(value: str) -> bytes:
    """Return a UTF-8 string as MQTT writes it: two bytes of length, then the bytes."""
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


def length(size: int) -> bytes:
    """Return a remaining length (section 2.2.3)."""
    encoded = bytearray()
    while True:
        size, digit = divmod(size, 128)
        encoded.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


def connect(client_id: str, *, clean: bool = True) -> bytes:
    """Return a CONNECT without will, user or keep-alive."""
    body = text("MQTT") + bytes((4, _CLEAN if clean else 0, 0, 0)) + text(client_id)
    return b"\x10" + length(len(body)) + body


def subscribe(topic: str) -> bytes:
    """Return a SUBSCRIBE at QoS 1, with packet identifier 1."""
    body = b"\x00\x01" + text(topic) + b"\x01"
    return b"\x82" + length(len(body)) + body


def publish_head(size: int) -> bytes:
    """Return the fixed header of a PUBLISH at QoS 1 with `size` bytes behind it."""
    return _PUBLISH_QOS1 + length(size)


class Connection:
    """A blocking connection that does one thing at a time; a context manager that disconnects.

    Args:
        port: of the broker on 127.0.0.1.
        client_id: name of the session.
        clean: forget the session that was, and this one at its end.

    Raises:
        BrokerError: the broker does not take it.
    """

    def __init__(self, *, port: int, client_id: str, clean: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.socket.sendall(connect(client_id, clean=clean))
        head, body = self.packet()
        if head != _CONNACK or body[1]:
            self.socket.close()
            raise BrokerError(f"the broker on port {port} refused {client_id}: {body.hex()}")

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish one message at QoS 1 and wait for its PUBACK."""
        body = text(topic) + b"\x00\x01" + payload
        self.socket.sendall(publish_head(len(body)) + body)
        self.expect(_PUBACK)

    def first(self, topic: str) -> bytes:
        """Subscribe, and return the payload of the first message on this very topic."""
        self.socket.sendall(subscribe(topic))
        self.expect(_SUBACK)
        return _payload(*self.packet())

    def expect(self, kind: int) -> bytes:
        """Return the body of the next packet.

        Raises:
            BrokerError: it is of another kind.
        """
        head, body = self.packet()
        if head & 0xF0 != kind:
            raise BrokerError(f"expected a packet {kind:#x}, the broker sent {head:#x}")
        return body

    def packet(self) -> tuple[int, bytes]:
        """Return the next packet: its first byte and what follows the length.

        Raises:
            BrokerError: the broker closed the connection.
        """
        while True:
            if (found := _split(self._received)) is not None:
                head, body, self._received = found
                return head, body
            more = self.socket.recv(65536)
            if not more:
                raise BrokerError("the broker closed the connection")
            self._received += more

    def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(OSError):
            self.socket.sendall(b"\xe0\x00")
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def forget_session(*, port: int, client_id: str) -> None:
    """Have the broker forget a session and what waits in it."""
    Connection(port=port, client_id=client_id, clean=True).close()


class Drops:
    """Mosquitto's count of the messages that it dropped, watched from early on.

    The broker tells it once and again when it changes, and keeps what it told for a minute only: so
    it is subscribed soon after the broker's start, and read at the end.

    Args:
        port: of the broker on 127.0.0.1.
    """

    def __init__(self, *, port: int) -> None:
        self._connection = Connection(port=port, client_id="bench-drops")
        self._count = int(self._connection.first(DROPPED))

    def count(self) -> int:
        """Return how many were dropped since the broker's start; takes two of its intervals."""
        self._connection.socket.settimeout(_SYS_QUIET_S)
        with contextlib.suppress(TimeoutError):
            while True:
                self._count = int(_payload(*self._connection.packet()))
        return self._count

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


def _payload(head: int, body: bytes) -> bytes:
    """Return the payload of a PUBLISH."""
    if head & 0xF0 != _PUBLISH:
        raise BrokerError(f"expected a message, the broker sent {head:#x}")
    identifier = 2 if head & _QOS else 0
    return body[2 + int.from_bytes(body[:2], "big") + identifier :]


def _split(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return first byte, body and the rest; None while the packet is not whole."""
    size = shift = 0
    for at in range(1, min(len(data), 5)):
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if not data[at] & 0x80:
            end = at + 1 + size
            return (data[0], data[at + 1 : end], data[end:]) if len(data) >= end else None
    return None
