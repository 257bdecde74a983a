"""Any interleaving of receive, commit, crash, redeliver, write and refuse keeps the account."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.clock import NS_PER_S, ManualClock, iso
from core.metrics import Metrics
from core.reading import DeviceKey, Point
from core.settings import IngestSettings, SpoolSettings
from devices.registry.records import Device
from ingest.accept import Accept
from ingest.arrival import Arrival
from ingest.drain import Drain
from ingest.memory_source import MemorySource
from ingest.spool import Spool
from ingest.validate import ClockPolicy
from storage.backends.memory import MemoryStore
from storage.ports import Rejected, Retry, Selection, Written
from tests.support.directory import directory_of

NOW = 1_790_000_000 * NS_PER_S
TOPIC = "passerelle/v1/elgazala/thermo-1/telemetry"
DIRECTORY = directory_of(
    Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")
)
POLICY = ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300)
LIMITS = SpoolSettings.model_validate({})
BOUNDS = IngestSettings.model_validate({})


class _CrashError(Exception):
    pass


class _Source(MemorySource):
    """A session whose acknowledgements may get lost."""

    lossy = False

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        return 0 if self.lossy else super().acknowledge(arrivals)


class _Store:
    """The in-memory store, which refuses what a test names, and may be away or lose its answer."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.refuses: set[int] = set()
        self.away = False
        self.answer_lost = False
        self.crash_after_write = False

    def write(self, points: Sequence[Point]) -> Written | Retry:
        if self.away:
            raise _CrashError
        bad = [index for index, point in enumerate(points) if point.time_ns in self.refuses]
        self.kept.write([point for index, point in enumerate(points) if index not in bad])
        if self.crash_after_write:
            raise _CrashError
        if self.answer_lost:
            self.answer_lost = False
            return Retry("the answer was lost")
        return Written(tuple(Rejected(index, "refused") for index in bad))

    def close(self) -> None:
        self.kept.close()


class Accounting(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = ManualClock(NOW)
        self.source = _Source(clock=self.clock)
        self.store = _Store()
        self.inbox: list[Arrival] = []
        self.published = 0
        self.good: list[bytes] = []
        self.duplicates = 0
        self.malformed = 0
        self._open()
        self.source.start(self.inbox.extend)

    def _open(self) -> None:
        self.spool = Spool(path=self.directory / "spool.db")
        metrics = Metrics()
        self.accept = Accept(
            source=self.source,
            spool=self.spool,
            directory=DIRECTORY,
            policy=POLICY,
            clock=self.clock,
            metrics=metrics,
            ingest=BOUNDS,
            limits=LIMITS,
            on_commit=lambda: None,
            on_facts=lambda _facts: None,
        )
        self.drain = Drain(
            spool=self.spool, store=self.store, clock=self.clock, metrics=metrics, batch_points=50
        )

    def _crash(self) -> None:
        """Lose everything that is not on disk, and start again."""
        self.source.stop()
        self.source.lossy = False
        self.store.away = self.store.crash_after_write = False
        self.spool.close()
        self.inbox.clear()
        self._open()
        self.source.start(self.inbox.extend)

    @rule(refused=st.booleans())
    def publish(self, *, refused: bool) -> None:
        at = NOW - (len(self.good) + 1) * NS_PER_S
        payload = msgspec.json.encode(
            {"seq": len(self.good), "boot": 1, "t": iso(at), "v": {"air_temperature": 21.5}}
        )
        if refused:
            self.store.refuses.add(at)
        self.good.append(payload)
        self.published += 1
        self.source.publish(TOPIC, payload)

    @rule(which=st.integers(0, 1000))
    def publish_again(self, which: int) -> None:
        if self.good:
            self.duplicates += 1
            self.published += 1
            self.source.publish(TOPIC, self.good[which % len(self.good)])

    @rule()
    def publish_malformed(self) -> None:
        self.malformed += 1
        self.published += 1
        self.source.publish(TOPIC, b'{"seq": %d, "v": {' % self.malformed)

    @rule(count=st.integers(1, 10))
    def receive(self, count: int) -> None:
        batch, self.inbox[:] = self.inbox[:count], self.inbox[count:]
        if batch:
            self.accept.process(batch)

    @rule()
    def crash_before_commit(self) -> None:
        self._crash()

    @rule(count=st.integers(1, 10))
    def crash_after_commit_before_puback(self, count: int) -> None:
        self.source.lossy = True
        self.receive(count)
        self._crash()

    @rule()
    def reconnect_with_messages_in_hand(self) -> None:
        self.source.stop()
        self.source.start(self.inbox.extend)

    @rule()
    def write(self) -> None:
        self.drain.drain_once()

    @rule()
    def crash_after_write_before_the_cursor_moves(self) -> None:
        self.store.crash_after_write = True
        self._write_and_crash()

    @rule()
    def crash_before_write(self) -> None:
        self.store.away = True
        self._write_and_crash()

    @rule()
    def the_answer_of_a_write_is_lost(self) -> None:
        self.store.answer_lost = True

    def _write_and_crash(self) -> None:
        with contextlib.suppress(_CrashError):
            self.drain.drain_once()
        self._crash()

    @invariant()
    def the_equation_holds(self) -> None:
        totals = self.spool.totals()
        assert totals["received"] == (
            totals["stored"] + totals["duplicate"] + totals["dead_lettered"] + totals["pending"]
        )
        assert totals["pending"] == self.spool.pending
        assert totals["received"] + self.source.unacknowledged >= self.published

    def teardown(self) -> None:
        while self.inbox:
            self.receive(100)
        while self.drain.drain_once():
            pass
        totals = self.spool.totals()
        refused = len(self.store.refuses)
        readings = self.store.kept.count(
            Selection((DeviceKey("elgazala", "thermo-1"),), ("air_temperature",), 0, 2 * NOW)
        )
        self.spool.close()
        shutil.rmtree(self.directory)
        assert self.source.unacknowledged == 0
        values = totals.pop("values_new") + totals.pop("values_other")
        assert values == len(self.good)
        assert totals.pop("missing") == 0
        assert totals == {
            "received": self.published,
            "stored": len(self.good) - refused,
            "duplicate": self.duplicates,
            "dead_lettered": self.malformed + refused,
            "pending": 0,
            "redelivered": totals["redelivered"],
        }
        assert readings == len(self.good) - refused


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
