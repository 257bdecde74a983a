"""Publishing at QoS 1 faster than what is measured: packets made beforehand, one socket.

Not a client for anything else: it speaks just enough of MQTT 3.1.1 (sections 3.1, 3.3, 3.4).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from core.clock import iso

NS_PER_MS = 1_000_000
"""Between the instants of two messages, nanoseconds."""
_PUBACK_BYTES = 4
_WINDOW = 2000
_TIMEOUT_S = 120.0


def message(number: int, *, devices: int, start_ns: int, boot: int = 1) -> tuple[bytes, bytes]:
    """Return topic and payload of the message of that number, in Passerelle's JSON.

    Args:
        number: from 0; the devices take turns, each with instants a millisecond apart.
        devices: how many.
        start_ns: instant of the first, nanoseconds since the epoch.
        boot: boot counter of the devices, which count their messages from 0 in each.
    """
    device, seq = number % devices, number // devices
    instant = iso(start_ns + number * NS_PER_MS).encode()
    payload = (
        b'{"seq":%d,"boot":%d,"t":"%b","v":{"air_temperature":%.3f,"relative_humidity":%.2f,'
        b'"barometric_pressure":%.1f}}'
        % (
            seq,
            boot,
            instant,
            20 + number % 4999 / 1000,
            40 + number % 1999 / 100,
            990 + number % 61,
        )
    )
    return b"passerelle/v1/elgazala/bench-%05d/telemetry" % device, payload


def packet(topic: bytes, payload: bytes, mid: int) -> bytes:
    """Return a PUBLISH at QoS 1."""
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + payload
    length, size = bytearray(), len(body)
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return b"\x32" + bytes(length) + body


class Publisher:
    """A connection that publishes.

    Args:
        host: of the broker.
        port: of the broker.
        name: client identifier.

    Attributes:
        acknowledged: messages that the broker has acknowledged.
    """

    def __init__(self, *, host: str, port: int, name: str) -> None:
        self._link = socket.create_connection((host, port), timeout=_TIMEOUT_S)
        self._sent = 0
        self.acknowledged = 0
        self._part = 0
        identifier = name.encode()
        variable = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(identifier)) + identifier
        self._link.sendall(bytes([0x10, len(variable)]) + variable)
        if self._link.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionError(f"the broker at {host}:{port} refused the connection")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._link.close()

    def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish messages; return once no more than a window of them is unacknowledged."""
        packets = []
        for topic, payload in messages:
            self._sent += 1
            packets.append(packet(topic, payload, self._sent % 65535 + 1))
        self._link.sendall(b"".join(packets))
        self._read(self._sent - _WINDOW)

    def finish(self) -> None:
        """Wait until the broker has acknowledged everything."""
        self._read(self._sent)

    def _read(self, least: int) -> None:
        while self.acknowledged < least:
            data = self._link.recv(262_144)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._part += len(data)
            self.acknowledged, _ = divmod(self._part, _PUBACK_BYTES)
