"""Several sinks on one spool: each has its cursor, its bound and its gaps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_S, Clock, ManualClock, SystemClock
from core.errors import ConfigurationError, StoreUnavailableError
from core.metrics import Metrics
from core.reading import DeviceKey, Point
from core.sinks import CircuitState
from ingest.drain import Bound, Drain
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.refill import Refill, Refilled
from ingest.spool import STORE_SINK, Spool
from ingest.spooled import SpooledMessage, pack
from storage.backends.memory import MemoryStore
from storage.ports import Page, PointWriter, Position, Rejected, Retry, Selection, Span, Written
from tests.servers.waiting import wait_until

NOW = 1_790_000_000 * NS_PER_S
ACCOUNT = Account("elgazala", "thermo-1", 1_790_000_000 // 3600 * 3600)
DEVICES = tuple(DeviceKey("elgazala", f"thermo-{number}") for number in range(3))
QUANTITIES = ("air_temperature", "relative_humidity", "battery_level")
DAY = 86_400 * NS_PER_S
EVERYTHING = Selection(DEVICES, QUANTITIES, 0, 2 * NOW)


class Fickle:
    """A sink in memory, which is away, refuses a value, or takes no more than so many writes."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.away = False
        self.refused: float | None = None
        self.writes_left = 1_000_000

    def write(self, points: Sequence[Point]) -> Written | Retry:
        if self.away or self.writes_left == 0:
            return Retry("it is being repaired", after_s=0.01)
        self.writes_left -= 1
        bad = [index for index, point in enumerate(points) if self.refused in point.values.values()]
        self.kept.write([point for index, point in enumerate(points) if index not in bad])
        return Written(tuple(Rejected(index, "field type conflict") for index in bad))

    def close(self) -> None:
        self.kept.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def opened(path: Path, *sinks: str) -> Spool:
    return Spool(path=path / "spool.db", sinks=(STORE_SINK, *sinks))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = opened(tmp_path, "copy")
    yield spool
    spool.close()


def drain(
    spool: Spool,
    writer: PointWriter,
    clock: Clock,
    *,
    sink: str = "copy",
    bound: int = 10**9,
    pace_s: float = 0.0,
) -> Drain:
    return Drain(
        spool=spool,
        store=writer,
        clock=clock,
        metrics=Metrics(),
        batch_points=50,
        pace_s=pace_s,
        sink=sink,
        bound=None if sink == STORE_SINK else Bound(bytes=bound, hold=False),
        stream="worker-1-0000000000000001",
    )


def commit(spool: Spool, number: int, *, days: int = 0) -> None:
    """Spool a batch of some messages of three devices, in two categories."""
    ledger = LedgerDelta()
    messages = []
    for place, key in enumerate(DEVICES):
        at = NOW + number * NS_PER_S - days * DAY + place
        points = (
            Point(key.site, key.device, "environment", at, {"air_temperature": float(number)}),
            Point(key.site, key.device, "device_health", at, {"battery_level": 50.0}, 4),
        )
        ledger.receive(ACCOUNT, Fate.PENDING)
        messages.append(SpooledMessage(ACCOUNT, points))
    spool.commit(packed=pack(messages), ledger=ledger, now_ns=NOW + number * NS_PER_S)


def emptied(drain: Drain) -> None:
    while drain.drain_once():
        pass


def readings(store: MemoryStore) -> object:
    return store.read(EVERYTHING, limit=100_000)


def refilled(path: Path, sink: PointWriter, store: MemoryStore, clock: ManualClock) -> Refilled:
    refill = Refill(path=path / "spool.db", sink="copy")
    try:
        return refill.run(store=store, writer=sink, at_once=7, clock=clock, pause=no_pause)
    finally:
        refill.close()


def no_pause(_seconds: float, reason: str) -> None:
    raise StoreUnavailableError(reason)


def test_a_batch_is_deleted_when_the_last_sink_has_it(spool: Spool, clock: ManualClock) -> None:
    commit(spool, 1)
    store, copy = MemoryStore(), MemoryStore()
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    assert (spool.pending, spool.pending_bytes) == (0, 0)
    assert spool.lag("copy").messages == 3
    emptied(drain(spool, copy, clock))
    assert spool.lag("copy").messages == spool.lag("copy").oldest_ns == 0
    assert readings(store) == readings(copy)
    assert spool._db.execute("SELECT count(*) FROM batch").fetchone() == (0,)


def test_what_waits_for_a_sink_is_counted_also_after_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    for number in range(4):
        commit(spool, number)
    emptied(drain(spool, MemoryStore(), clock, sink=STORE_SINK))
    before = spool.lag("copy")
    assert (before.messages, before.points, before.oldest_ns) == (12, 24, NOW)
    spool.close()
    again = opened(tmp_path, "copy")
    assert again.lag("copy") == before
    assert again.lag(STORE_SINK).messages == 0
    again.close()


def test_a_new_sink_begins_with_what_is_committed_from_now_on(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path)
    commit(spool, 1)
    spool.close()
    spool = opened(tmp_path, "copy")
    assert spool.lag("copy").messages == 0
    commit(spool, 2)
    copy = MemoryStore()
    emptied(drain(spool, copy, clock))
    assert {one.value for one in copy.latest(DEVICES, quantities=["air_temperature"])} == {2.0}
    spool.close()


def test_a_sink_that_is_no_longer_named_releases_what_is_kept_for_it(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    for number in range(4):
        commit(spool, number)
    emptied(drain(spool, MemoryStore(), clock, sink=STORE_SINK))
    spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    spool.close()
    spool = opened(tmp_path)
    for table in ("batch", "sink_gap", "sink_missed"):
        assert spool._db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    spool.close()


def test_8_what_a_sink_is_not_given_is_noted_with_its_positions_and_instants(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    for number in range(6):
        commit(spool, number)
    size = spool.lag("copy").bytes
    copy = Fickle()
    emptied(drain(spool, copy, clock, bound=size // 2))
    [gap] = spool.gaps("copy")
    assert gap.first_seq == 1
    assert gap.last_seq in (4, 5)
    assert (gap.messages, gap.points) == (3 * gap.last_seq, 6 * gap.last_seq)
    assert (gap.since_ns, gap.until_ns) == (NOW, NOW + (gap.last_seq - 1) * NS_PER_S)
    spool.close()
    again = opened(tmp_path, "copy")
    assert again.gaps("copy") == [gap]
    assert again.lag(STORE_SINK).messages == 18
    again.close()


def test_batches_in_a_row_are_one_gap(spool: Spool) -> None:
    for number in range(6):
        commit(spool, number)
    for _ in range(3):
        spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    ledger = LedgerDelta()
    spool.confirm(spool.batches(sink="copy", limit_messages=1), sink="copy", ledger=ledger)
    spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    assert [(gap.first_seq, gap.last_seq) for gap in spool.gaps("copy")] == [(1, 3), (5, 5)]


def test_the_store_is_given_everything(spool: Spool) -> None:
    commit(spool, 1)
    with pytest.raises(ValueError, match="everything"):
        spool.skip(spool.batches(sink=STORE_SINK, limit_messages=1), sink=STORE_SINK)


def test_a_sink_that_is_away_is_passed_over_beyond_its_bound_and_refilled(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    store, copy = MemoryStore(), Fickle()
    one = drain(spool, copy, clock, bound=1)
    for number in range(30):
        commit(spool, number, days=number % 3)
        one.drain_once()
    assert spool.lag("copy").messages == 0
    assert one.report().missed_points == 180
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    done = refilled(tmp_path, copy, store, clock)
    assert done == Refilled(pieces=18, points=180, rejected=0, reasons=(), left=0)
    assert readings(copy.kept) == readings(store)
    assert spool.gaps("copy") == []
    assert one.report().missed_messages == 0
    assert refilled(tmp_path, copy, store, clock).pieces == 0
    spool.close()


def test_an_interrupted_refill_goes_on_where_it_was(tmp_path: Path, clock: ManualClock) -> None:
    spool = opened(tmp_path, "copy")
    store, copy = MemoryStore(), Fickle()
    for number in range(12):
        commit(spool, number)
        spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    copy.writes_left = 4
    with pytest.raises(StoreUnavailableError):
        refilled(tmp_path, copy, store, clock)
    assert [gap.messages for gap in spool.gaps("copy")] == [36]
    copy.writes_left = 1_000
    rest = refilled(tmp_path, copy, store, clock)
    assert 0 < rest.pieces < 6
    assert readings(copy.kept) == readings(store)
    assert spool.gaps("copy") == []
    spool.close()


def test_what_the_store_does_not_have_yet_is_filled_later(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    store, copy = MemoryStore(), Fickle()
    commit(spool, 1)
    spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    done = refilled(tmp_path, copy, store, clock)
    assert (done.pieces, done.left) == (0, 6)
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    assert refilled(tmp_path, copy, store, clock).left == 0
    assert readings(copy.kept) == readings(store)
    spool.close()


def test_what_is_passed_over_during_a_refill_is_left_for_the_next(
    tmp_path: Path, clock: ManualClock
) -> None:
    spool = opened(tmp_path, "copy")
    store, copy = MemoryStore(), Fickle()
    commit(spool, 1)
    spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    emptied(drain(spool, store, clock, sink=STORE_SINK))

    class Meanwhile(MemoryStore):
        def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
            if spool.lag(STORE_SINK).messages == 0:
                commit(spool, 2)
                spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
            return store.read(selection, limit=limit, after=after)

    done = refilled(tmp_path, copy, Meanwhile(), clock)
    assert (done.pieces, done.left) == (6, 6)
    assert [gap.points for gap in spool.gaps("copy")] == [12]
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    assert refilled(tmp_path, copy, store, clock).left == 0
    assert readings(copy.kept) == readings(store)
    spool.close()


def test_a_refill_without_a_spool_says_where_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run this where the worker runs"):
        Refill(path=tmp_path / "nothing.db", sink="copy")
    assert not (tmp_path / "nothing.db").exists()


def test_points_that_a_further_sink_refuses_are_dead_letters_beside_the_ledger(
    spool: Spool, clock: ManualClock
) -> None:
    copy = Fickle()
    copy.refused = 1.0
    commit(spool, 1)
    before = spool.totals()
    emptied(drain(spool, copy, clock))
    assert spool.totals() == before
    letters = spool.dead_letters([1, 2, 3])
    assert [one.letter.counted for one in letters] == [False] * 3
    assert {one.letter.detail for one in letters} == {"the sink copy: field type conflict"}
    assert {one.letter.properties["sink"] for one in letters} == {"copy"}
    copy.refused = None
    store = MemoryStore()
    emptied(drain(spool, store, clock, sink=STORE_SINK))
    assert spool.totals()["stored"] == 3


def test_lines_that_cannot_be_read_back_wait_and_are_told(spool: Spool, clock: ManualClock) -> None:
    packed = pack([SpooledMessage(ACCOUNT, (Point("s", "d", "environment", 1, {"oops": 1.0}),))])
    ledger = LedgerDelta()
    ledger.receive(ACCOUNT, Fate.PENDING)
    damaged = msgspec.structs.replace(packed, body=b"not a line")
    spool.commit(packed=damaged, ledger=ledger)
    store = drain(spool, MemoryStore(), clock, sink=STORE_SINK)
    assert not store.drain_once()
    assert store.outage is not None
    assert "cannot be read back: line 1" in store.outage
    assert spool.pending == 1


def test_the_report_tells_the_circuit_and_how_long_the_oldest_waits(
    spool: Spool, clock: ManualClock
) -> None:
    commit(spool, 0)
    one = drain(spool, MemoryStore(), clock)
    clock.advance(12.5)
    told = one.report()
    assert (told.name, told.state, told.lag_messages, told.lag_s) == (
        "copy",
        CircuitState.CLOSED,
        3,
        12.5,
    )
    assert told.lag_bytes > 0
    emptied(one)
    assert one.report().lag_s == 0.0


class Spans(MemoryStore):
    """A writer of spans, in memory."""

    span_points = 10
    span_age_s = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[int, int]] = []
        self.reclaimed: list[int] = []

    def write_span(self, points: Sequence[Point], span: Span) -> Written | Retry:
        self.spans.append((span.first, span.last))
        return self.write(points)

    def reclaim(self, stream: str, *, after: int) -> Written | Retry:
        assert stream == "worker-1-0000000000000001"
        self.reclaimed.append(after)
        return Written()


def test_a_span_waits_until_it_is_full_or_old(spool: Spool, clock: ManualClock) -> None:
    spans = Spans()
    one = drain(spool, spans, clock)
    commit(spool, 0)
    assert not one.drain_once()
    commit(spool, 0)  # 12 points: more than one span holds
    assert one.drain_once()
    assert not one.drain_once()
    clock.advance(61)
    assert one.drain_once()
    assert spans.spans == [(1, 1), (2, 2)]
    assert spans.reclaimed == [0]


def test_a_spool_that_cannot_note_a_gap_passes_over_nothing(tmp_path: Path, spool: Spool) -> None:
    commit(spool, 1)
    spool._db.execute("PRAGMA busy_timeout = 1")
    locked = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError):
        spool.skip(spool.batches(sink="copy", limit_messages=1), sink="copy")
    locked.close()
    assert spool.gaps("copy") == []
    assert spool.lag("copy").messages == 3


class Counting(MemoryStore):
    """A store that notes how many points came with each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    def write(self, points: Sequence[Point]) -> Written | Retry:
        self.writes.append(len(points))
        return super().write(points)


def test_little_is_gathered_and_what_fills_a_write_is_not_held_up(spool: Spool) -> None:
    paced, at_once = Counting(), Counting()
    slow = drain(spool, paced, SystemClock(), sink=STORE_SINK, pace_s=3600.0)
    quick = drain(spool, at_once, SystemClock(), pace_s=0.0)
    a_batch = 2 * len(DEVICES)
    commit(spool, 0)
    for one in (slow, quick):
        one.start()
    try:
        wait_until(
            lambda: paced.writes == at_once.writes == [a_batch], seconds=10, what="the first"
        )
        for number in range(1, 4):
            commit(spool, number)
            quick.wake()
            slow.wake()
        wait_until(lambda: sum(at_once.writes) == 4 * a_batch, seconds=10, what="all, unpaced")
        assert paced.writes == [a_batch]
    finally:
        for one in (slow, quick):
            one.stop()
    for number in range(4, 4 + 400 // a_batch):
        commit(spool, number)
    full = drain(spool, paced, SystemClock(), sink=STORE_SINK, pace_s=3600.0)
    full.start()
    try:
        wait_until(
            lambda: spool.waiting_points(STORE_SINK) < 50, seconds=10, what="what fills writes"
        )
    finally:
        full.stop()
