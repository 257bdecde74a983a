"""A publisher at QoS 1 that costs a few microseconds of CPU a message, in one thread.

`fill` publishes a number of messages as fast as the broker acknowledges them. `pace` is an open
loop: message number k is due at start + k / rate whatever the broker does, and carries that instant
as its own time. When the broker or this process falls behind, what is due is sent late, not left
out, and a latency measured from the message's own time includes the delay: nothing is hidden by
publishing less while things are slow (no coordinated omission).

Packets of many messages leave in one send, and PUBACKs are counted, not taken apart: a broker
acknowledges the messages of one connection in their order (MQTT 3.1.1, section 4.6).

`python -m benchmarks.publisher --port PORT --rate 1000 --seconds 10 --report FILE` is `pace` in a
process of its own.
"""

from __future__ import annotations

import argparse
import math
import selectors
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks import mqtt
from benchmarks.workload import CONVENTIONS, PASSERELLE_FOUR, PASSERELLE_JSON, Workload

_WINDOW = 20_000
_MAX_ID = 0xFFFF
_CHUNK = 500
_TICK_S = 0.005
_STALL_S = 60.0
_STEP_MS = 1000


class Published(msgspec.Struct, frozen=True):
    """What was published.

    Attributes:
        acknowledged: messages whose PUBACK came: all of them.
        seconds: from the first send to the last PUBACK.
        cpu_s: CPU that this process used for it.
        began_ns: wall clock of the first send.
        late_ms: the longest that a message was sent after it was due; 0 for `fill`.
    """

    acknowledged: int
    seconds: float
    cpu_s: float
    began_ns: int
    late_ms: float = 0.0


class _Link:
    """One connection: what is to be sent, and how much is not acknowledged."""

    def __init__(self, *, port: int, client_id: str) -> None:
        self.connection = mqtt.Connection(port=port, client_id=client_id)
        self.socket = self.connection.socket
        self.socket.settimeout(0.0)
        self.in_flight = 0
        self.acknowledged = 0
        self.next_id = 0
        self.parts: list[bytes] = []
        self._waiting = b""
        self._split = b""

    def send(self) -> None:
        """Send as much as the socket takes."""
        if self.parts:
            self._waiting += b"".join(self.parts)
            self.parts.clear()
        while self._waiting:
            try:
                sent = self.socket.send(self._waiting)
            except BlockingIOError:
                return
            self._waiting = self._waiting[sent:]

    def collect(self) -> None:
        """Count the PUBACKs that have come."""
        try:
            data = self._split + self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        if not data:
            raise mqtt.BrokerError("the broker closed the connection")
        whole = len(data) & ~3
        self._split = data[whole:]
        count = whole // 4
        if data[:whole:4] != b"\x40" * count:
            raise mqtt.BrokerError(f"the broker sent something else than PUBACKs: {data[:16]!r}")
        self.acknowledged += count
        self.in_flight -= count


class Publisher:
    """Some connections to a broker on this machine, over which the devices' messages are spread.

    Args:
        port: of the broker on 127.0.0.1.
        workload: the devices and how they write.
        connections: how many; a device always uses the same one.
        name: start of the client identifiers.
        tick_s: how often it looks what is due, seconds: so late a message may be sent.
    """

    def __init__(
        self,
        *,
        port: int,
        workload: Workload,
        connections: int = 4,
        name: str = "bench-publisher",
        tick_s: float = _TICK_S,
    ) -> None:
        self._tick_s = tick_s
        self._payload = workload.convention.payload
        self._topics = workload.topics()
        self._links = [
            _Link(port=port, client_id=f"{name}-{number}") for number in range(connections)
        ]
        self._heads: dict[int, bytes] = {}
        self._selector = selectors.DefaultSelector()
        for link in self._links:
            self._selector.register(link.socket, selectors.EVENT_READ, link)

    def fill(self, messages: int, *, start_ms: int, first_seq: int = 0) -> Published:
        """Publish as fast as the broker acknowledges; return when all are acknowledged.

        Args:
            messages: how many.
            start_ms: instant of the first message of each device; the next ones follow by a second.
            first_seq: number of the first message of each device.

        Raises:
            BrokerError: the broker closed a connection, or acknowledged nothing for a minute.
        """
        began, cpu, began_ns = time.perf_counter(), time.process_time(), time.time_ns()
        devices = len(self._topics)
        window = _WINDOW // len(self._links)
        sent = 0

        def at_ms(index: int) -> int:
            seq, device = divmod(index, devices)
            return start_ms + seq * _STEP_MS + device

        def more() -> float:
            nonlocal sent
            while sent < messages and all(link.in_flight < window for link in self._links):
                until = min(messages, sent + _CHUNK)
                self._write(sent, until, at_ms, first_seq)
                sent = until
            return math.inf if sent == messages else 0.0

        self._run(messages, more)
        return Published(messages, time.perf_counter() - began, time.process_time() - cpu, began_ns)

    def pace(self, *, rate: float, seconds: float) -> Published:
        """Publish `rate` messages a second for `seconds`, each when it is due, whatever happens.

        Raises:
            ValueError: the rate is such that two messages of a device had the same millisecond.
            BrokerError: the broker closed a connection, or acknowledged nothing for a minute.
        """
        if len(self._topics) < rate / 1000:
            raise ValueError(f"{rate:g} messages/s need {math.ceil(rate / 1000)} devices or more")
        messages = round(rate * seconds)
        cpu = time.process_time()
        began_ns, began = time.time_ns(), time.perf_counter()
        start_ms = began_ns // 1_000_000
        per_ms = rate / 1000
        sent = 0
        late_s = 0.0

        def at_ms(index: int) -> int:
            return start_ms + int(index / per_ms)

        def more() -> float:
            nonlocal sent, late_s
            now_s = time.perf_counter() - began
            until = min(messages, int(now_s * rate) + 1)
            if until > sent and all(link.in_flight < _MAX_ID - _CHUNK for link in self._links):
                until = min(until, sent + _CHUNK * len(self._links))
                late_s = max(late_s, now_s - sent / rate)
                self._write(sent, until, at_ms, 0)
                sent = until
            return math.inf if sent == messages else began + now_s + self._tick_s

        self._run(messages, more)
        taken = time.perf_counter() - began
        return Published(messages, taken, time.process_time() - cpu, began_ns, late_s * 1000)

    def close(self) -> None:
        """Disconnect."""
        self._selector.close()
        for link in self._links:
            link.socket.settimeout(1.0)
            link.connection.close()

    def _write(self, first: int, until: int, at_ms: Callable[[int], int], first_seq: int) -> None:
        """Put the packets of these messages into their connections' hands."""
        devices, links, heads = len(self._topics), self._links, self._heads
        for index in range(first, until):
            seq, device = divmod(index, devices)
            link = links[device % len(links)]
            payload = self._payload(first_seq + seq, at_ms(index), index)
            topic = self._topics[device]
            size = len(topic) + 2 + len(payload)
            head = heads.get(size)
            if head is None:
                head = heads[size] = mqtt.publish_head(size)
            link.next_id = link.next_id % _MAX_ID + 1
            link.parts += (head, topic, link.next_id.to_bytes(2), payload)
            link.in_flight += 1

    def _run(self, messages: int, more: Callable[[], float]) -> None:
        """Send and collect until everything is acknowledged.

        Args:
            messages: how many there will be.
            more: writes what is due, and returns when to call again (`time.perf_counter`): never,
                0 for as soon as PUBACKs came.
        """
        before = sum(link.acknowledged for link in self._links)
        acknowledged, progress_s = 0, time.perf_counter()
        while acknowledged < messages:
            again_s = more()
            for link in self._links:
                link.send()
            now_s = time.perf_counter()
            blocked = any(link._waiting for link in self._links)  # noqa: SLF001 - one module
            wait_s = 1.0 if again_s in (0.0, math.inf) else max(0.0, again_s - now_s)
            if 0 < again_s < math.inf:
                time.sleep(wait_s)  # PUBACKs are collected once a tick, many at a time
                wait_s = 0.0
            for key, _events in self._selector.select(min(wait_s, _TICK_S) if blocked else wait_s):
                key.data.collect()
            total = sum(link.acknowledged for link in self._links) - before
            if total > acknowledged:
                acknowledged, progress_s = total, now_s
            elif now_s - progress_s > _STALL_S:
                raise mqtt.BrokerError(
                    f"the broker acknowledged {acknowledged} of {messages} messages, and nothing "
                    f"more for {_STALL_S:g} s"
                )


def main() -> None:
    """Publish at a rate and write what was published."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--tick", type=float, default=_TICK_S)
    parser.add_argument("--report", type=Path, required=True)
    known = {one.name: one for one in (*CONVENTIONS, PASSERELLE_FOUR)}
    parser.add_argument("--convention", choices=known, default=PASSERELLE_JSON.name)
    asked = parser.parse_args()
    publisher = Publisher(
        port=asked.port,
        workload=Workload(known[asked.convention], asked.devices),
        connections=asked.connections,
        tick_s=asked.tick,
    )
    published = publisher.pace(rate=asked.rate, seconds=asked.seconds)
    publisher.close()
    asked.report.write_bytes(msgspec.json.encode(published))


if __name__ == "__main__":
    main()
