"""A PUBLISH as the source hands it over, with what is needed to acknowledge it later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """One PUBLISH packet.

    It holds bytes, numbers and texts only, so it is no part of a cycle: the garbage collector need
    not look at it.

    Attributes:
        topic: the bytes of the topic, whether or not they are UTF-8.
        payload: the bytes of the payload.
        received_ns: when the client library handed it over, nanoseconds since the epoch.
        mid: packet identifier; 0 at QoS 0.
        qos: 0 or 1.
        dup: the broker says that it sent this packet identifier before.
        retain: the broker replays a retained message.
        properties: MQTT 5 content type (`content-type`) and user properties.
        generation: number of the connection it came by.
        resumed: that connection continued an earlier session.
        facts_only: it came by the subscription to retained facts, beside the shared one: the same
            message is counted when it comes by the shared one.
    """

    topic: bytes
    payload: bytes
    received_ns: int
    mid: int = 0
    qos: int = 0
    dup: bool = False
    retain: bool = False
    properties: dict[str, str] = msgspec.field(default_factory=dict)
    generation: int = 0
    resumed: bool = False
    facts_only: bool = False


Deliver = Callable[[Sequence[Arrival]], None]
"""Takes arrivals, one or many, in the order in which they came; may block."""


class Source(Protocol):
    """Where arrivals come from. Only `ingest.accept` may call `acknowledge`."""

    def start(self, deliver: Deliver) -> None:
        """Connect, subscribe, and call `deliver` with every PUBLISH, as many at a time as came."""
        ...

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        """Send PUBACKs for the arrivals of the present connection; return how many."""
        ...

    def connected(self) -> bool:
        """Say whether the broker can be heard."""
        ...

    def subscribed(self) -> bool:
        """Say whether the broker has confirmed the subscriptions of this connection."""
        ...

    def subscribe_to(self, filters: Sequence[str], fact_filters: Sequence[str]) -> None:
        """Change what is subscribed, now and at each later connection."""
        ...

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what was not acknowledged."""
        ...
