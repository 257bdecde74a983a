"""The in-memory source: a broker's session without a broker, for tests and property tests.

It keeps what MQTT asks a broker to keep (MQTT 5 section 4.4): a message sent and not acknowledged
is sent again, with its packet identifier and DUP, when the client comes back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.clock import Clock
from ingest.arrival import Arrival, Deliver

_MAX_MID = 65535


class MemorySource:
    """A session that outlives its connections.

    Args:
        clock: gives the time of reception.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._deliver: Deliver | None = None
        self._waiting: list[tuple[bytes, bytes, dict[str, str]]] = []
        self._in_flight: dict[int, Arrival] = {}
        self._next_mid = 0
        self._generation = 0
        self._resumed = False
        self.filters: tuple[str, ...] = ()

    @property
    def unacknowledged(self) -> int:
        """Messages sent, or waiting to be sent, that were not acknowledged."""
        return len(self._in_flight) + len(self._waiting)

    def start(self, deliver: Deliver) -> None:
        """Connect: send again what was in flight, then what waits."""
        self._deliver = deliver
        self._generation += 1
        for mid, arrival in sorted(self._in_flight.items()):
            again = msgspec.structs.replace(
                arrival,
                dup=True,
                received_ns=self._clock.now_ns(),
                generation=self._generation,
                resumed=self._resumed,
            )
            self._in_flight[mid] = again
            deliver((again,))
        self._resumed = True
        waiting, self._waiting = self._waiting, []
        for topic, payload, properties in waiting:
            self._send(topic, payload, properties)

    def publish(
        self, topic: str | bytes, payload: bytes, *, properties: dict[str, str] | None = None
    ) -> None:
        """Do what a broker does when a device publishes at QoS 1."""
        raw = topic.encode() if isinstance(topic, str) else topic
        if self._deliver is None:
            self._waiting.append((raw, payload, properties or {}))
        else:
            self._send(raw, payload, properties or {})

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        """Forget arrivals of the present connection; return how many."""
        sent = 0
        for arrival in arrivals:
            if arrival.generation == self._generation and self._deliver is not None:
                sent += self._in_flight.pop(arrival.mid, None) is not None
        return sent

    def connected(self) -> bool:
        """Say whether the client is connected."""
        return self._deliver is not None

    def subscribed(self) -> bool:
        """Say whether the client is connected: it subscribes to everything."""
        return self._deliver is not None

    def subscribe_to(self, filters: Sequence[str], fact_filters: Sequence[str]) -> None:
        """Note the filters."""
        self.filters = (*filters, *fact_filters)

    def stop(self) -> None:
        """Disconnect; the session stays."""
        self._deliver = None

    def _send(self, topic: bytes, payload: bytes, properties: dict[str, str]) -> None:
        self._next_mid = self._next_mid % _MAX_MID + 1
        while self._next_mid in self._in_flight:
            self._next_mid = self._next_mid % _MAX_MID + 1
        arrival = Arrival(
            topic=topic,
            payload=payload,
            received_ns=self._clock.now_ns(),
            mid=self._next_mid,
            qos=1,
            properties=properties,
            generation=self._generation,
            resumed=self._generation > 1,
        )
        self._in_flight[arrival.mid] = arrival
        assert self._deliver is not None  # noqa: S101 - publish() sends only while connected
        self._deliver((arrival,))
