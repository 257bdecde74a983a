"""Publishing a great many messages as fast as the broker takes them, for little CPU."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import mqtt
from tests.reliability.messages import Message

_CHUNK = 500
_WINDOW = 10_000
_MAX_ID = 0xFFFF
_PUBACK = 4


def flood(port: int, messages: Sequence[Message]) -> None:
    """Publish in order at QoS 1; return when all are acknowledged.

    Args:
        port: of the broker on 127.0.0.1.
        messages: what is published.

    Raises:
        benchmarks.mqtt.BrokerError: the broker closed the connection.
    """
    connection = mqtt.Connection(port=port, client_id="fault-flood")
    link = connection.socket
    in_flight = split = 0
    try:
        for start in range(0, len(messages), _CHUNK):
            chunk = messages[start : start + _CHUNK]
            link.sendall(b"".join(_packet(one, start + place) for place, one in enumerate(chunk)))
            in_flight += len(chunk)
            last = start + _CHUNK >= len(messages)
            while in_flight > (0 if last else _WINDOW):
                data = link.recv(1 << 16)
                if not data:
                    raise mqtt.BrokerError("the broker closed the connection")
                whole, split = divmod(split + len(data), _PUBACK)
                in_flight -= whole
    finally:
        link.close()


def _packet(message: Message, place: int) -> bytes:
    body = mqtt.text(message.topic) + (place % _MAX_ID + 1).to_bytes(2, "big") + message.payload()
    return mqtt.publish_head(len(body)) + body
