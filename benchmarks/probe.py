"""How long it takes from publish to queryable, seen by a device that publishes on a schedule.

Message k is due at start + k x interval and carries that very instant. A second thread asks the
store again and again for the device's newer points; what appears for the first time in an answer
became queryable before the answer came, so the latency is answer minus due time. It is never
smaller than the truth, and greater by at most the time between two answers. A message that is
published late counts from when it was due, and one that never appears is an error.
"""

from __future__ import annotations

import math
import threading
import time

import msgspec

from benchmarks import mqtt
from benchmarks.influx import Bucket
from benchmarks.workload import PASSERELLE_JSON, SITE, Workload

WORKLOAD = Workload(PASSERELLE_JSON, 1, "probe")


class MissingError(Exception):
    """A message of the probe was acknowledged by the broker and never appeared in the store."""


class Latencies(msgspec.Struct, frozen=True):
    """Sorted latencies, milliseconds.

    Attributes:
        ms: one for each message, ascending.
    """

    ms: tuple[float, ...]

    def at(self, share: float) -> float:
        """Return the nearest-rank quantile: what `share` of the messages took at most."""
        return self.ms[max(0, math.ceil(share * len(self.ms)) - 1)]

    @property
    def max(self) -> float:
        """The greatest."""
        return self.ms[-1]


class Probe:
    """Publishes and asks from `start` to `finish`.

    Args:
        port: of the broker on 127.0.0.1.
        bucket: a connection of its own, which `finish` closes.
        interval_ms: time between two messages.
        poll_s: pause between an answer and the next question.
    """

    def __init__(
        self, *, port: int, bucket: Bucket, interval_ms: int = 100, poll_s: float = 0.02
    ) -> None:
        self._port = port
        self._bucket = bucket
        self._interval_ms = interval_ms
        self._poll_s = poll_s
        self._device = WORKLOAD.names()[0]
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        self._latencies: list[float] = []
        self._published = 0
        self._errors: list[Exception] = []
        self._last = threading.Event()
        self._all_seen = threading.Event()
        self._given_up = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=f"probe-{work.__name__}")
            for work in (self._publish, self._ask)
        ]

    @property
    def published(self) -> int:
        """Messages that the broker has acknowledged."""
        return self._published

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self, *, timeout_s: float) -> Latencies:
        """Publish nothing more, wait until everything is queryable, and return the latencies.

        Raises:
            MissingError: a message did not appear in time.
            BrokerError: the broker failed.
        """
        self._last.set()
        self._threads[0].join()
        self._all_seen.wait(timeout_s)
        self._given_up.set()
        self._threads[1].join()
        self._bucket.close()
        if self._errors:
            raise self._errors[0]
        if self._waiting:
            raise MissingError(
                f"{len(self._waiting)} of {self._published} messages of {self._device} are not in "
                f"the store {timeout_s:g} s after the last one"
            )
        return Latencies(tuple(sorted(self._latencies)))

    def _run(self, work: object) -> None:
        assert callable(work)  # noqa: S101 - one of two methods
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again by finish()
            self._errors.append(error)
            self._last.set()
            self._all_seen.set()

    def _publish(self) -> None:
        topic = PASSERELLE_JSON.topic.format(site=SITE, device=self._device)
        start_ms = time.time_ns() // 1_000_000 + self._interval_ms
        with mqtt.Connection(port=self._port, client_id="bench-probe") as connection:
            while True:
                due_ms = start_ms + self._published * self._interval_ms
                if self._last.wait(max(0.0, due_ms / 1000 - time.time())):
                    return
                payload = PASSERELLE_JSON.payload(self._published, due_ms, self._published)
                with self._lock:
                    self._waiting.add(due_ms)
                connection.publish(topic, payload)
                self._published += 1

    def _ask(self) -> None:
        while not self._given_up.wait(self._poll_s):
            published_all = not self._threads[0].is_alive()
            with self._lock:
                oldest = min(self._waiting, default=None)
            if oldest is None:
                if published_all:
                    self._all_seen.set()
                    return
                continue
            seen = self._bucket.instants(self._device, after_ms=oldest - 1)
            now_ms = time.time_ns() / 1e6
            with self._lock:
                for due_ms in seen:
                    if due_ms in self._waiting:
                        self._waiting.remove(due_ms)
                        self._latencies.append(now_ms - due_ms)
