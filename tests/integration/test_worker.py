"""A whole worker when its store, its spool or its registry fails, and when it is started again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.reading import Point
from core.reasons import Reason, Scope
from core.settings import Settings, load_settings
from storage.backends.memory import MemoryStore
from storage.ports import Rejected, Retry, Written
from tests.servers.waiting import wait_until
from tests.support.bench import Bench, message

WARM = {"air_temperature": 21.5}


class UnreliableStore:
    """The in-memory store behind a switch, and with points that it will never take."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.away = False
        self.refused: float | None = None

    def write(self, points: Sequence[Point]) -> Written | Retry:
        if self.away:
            return Retry("the store is being repaired", after_s=0.05)
        bad = [
            index
            for index, point in enumerate(points)
            if self.refused is not None and self.refused in point.values.values()
        ]
        self.kept.write([point for index, point in enumerate(points) if index not in bad])
        return Written(tuple(Rejected(index, "field type conflict") for index in bad))

    def close(self) -> None:
        self.kept.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1})


def test_nothing_is_acknowledged_before_it_is_on_disk(settings: Settings, tmp_path: Path) -> None:
    bench = Bench(settings)
    bench.start()
    locked = sqlite3.connect(tmp_path / "spool-worker-1.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    bench.publish(message(1, WARM))
    wait_until(lambda: bench.worker.delivered == 1, what="delivered")
    assert bench.source.unacknowledged == 1
    locked.execute("COMMIT")
    locked.close()
    bench.settle()
    assert bench.source.unacknowledged == 0
    bench.stop()


def test_while_the_store_is_away_messages_wait_on_disk_and_are_acknowledged(
    settings: Settings,
) -> None:
    store = UnreliableStore()
    store.away = True
    bench = Bench(settings, store=store)
    bench.start()
    for seq in range(50):
        bench.publish(message(seq, WARM))
    wait_until(lambda: bench.source.unacknowledged == 0, what="all acknowledged")
    assert bench.worker.pending == 50
    wait_until(
        lambda: (
            [one.store for one in bench.registry.workers.list()] == ["the store is being repaired"]
        ),
        what="the worker says why",
    )
    store.away = False
    bench.settle()
    assert bench.registry.ledger.totals().stored == 50
    bench.stop()


def test_a_full_spool_stops_acknowledging_and_resumes_by_itself(settings: Settings) -> None:
    store = UnreliableStore()
    store.away = True
    small = settings.model_copy(
        update={"spool": settings.spool.model_copy(update={"max_bytes": 2000, "batch_messages": 5})}
    )
    bench = Bench(small, store=store)
    bench.start()
    for seq in range(200):
        bench.publish(message(seq, WARM))
    wait_until(lambda: bench.worker.full, what="the spool is full")
    held = bench.source.unacknowledged
    assert held > 0
    assert bench.worker.pending + held == 200
    wait_until(
        lambda: any(one.spool_full for one in bench.registry.workers.list()),
        what="the worker says so",
    )
    store.away = False
    bench.settle()
    assert bench.source.unacknowledged == 0
    totals = bench.registry.ledger.totals()
    assert (totals.received, totals.stored) == (200, 200)
    bench.stop()


def test_points_that_the_store_refuses_become_dead_letters_and_can_be_replayed(
    settings: Settings,
) -> None:
    store = UnreliableStore()
    store.refused = 13.0
    bench = Bench(settings, store=store)
    bench.start()
    bench.publish(message(1, WARM))
    bench.publish(message(2, {"air_temperature": 13.0}))
    bench.publish(message(3, {"air_temperature": 13.0, "active_power": 5.0}))
    bench.settle()
    wait_until(lambda: len(bench.letters()) == 2, what="both are told")
    assert {(one.reason, one.scope) for one in bench.letters()} == {
        (Reason.STORE_REFUSED, Scope.POINTS)
    }
    totals = bench.registry.ledger.totals()
    assert (totals.stored, totals.dead_lettered) == (2, 1)

    store.refused = None
    ids = [one.id for one in bench.letters()]
    [request] = bench.registry.dead_letters.request_replay(ids, "test")
    wait_until(
        lambda: bench.registry.dead_letters.get_request(request.id).finished_ns,
        what="the replay is done",
    )
    bench.settle()
    wait_until(lambda: bench.registry.ledger.totals().stored == 3, what="all stored")
    assert bench.registry.ledger.totals().dead_lettered == 0
    values = [one.value for one in store.kept.latest([bench.key])]
    assert sorted(values) == [5.0, 13.0]
    bench.stop()


def test_what_is_pending_when_a_worker_stops_is_stored_by_the_next(settings: Settings) -> None:
    store = UnreliableStore()
    store.away = True
    first = Bench(settings, store=store)
    first.start()
    for seq in range(20):
        first.publish(message(seq, WARM))
    wait_until(lambda: first.source.unacknowledged == 0, what="all acknowledged")
    first.stop()
    store.away = False
    second = Bench(settings, store=store, source=first.source)
    second.start()
    second.sent = 20
    second.settle()
    assert second.registry.ledger.totals().stored == 20
    second.stop()


def test_a_message_published_twice_is_a_duplicate_also_after_a_restart(
    settings: Settings,
) -> None:
    first = Bench(settings)
    first.start()
    first.publish(message(1, WARM))
    first.publish(message(1, WARM))
    first.settle()
    first.stop()
    second = Bench(settings, source=first.source)
    second.start()
    second.publish(message(1, WARM))
    second.sent = 3
    second.settle()
    totals = second.registry.ledger.totals()
    assert (totals.received, totals.stored, totals.duplicate) == (3, 1, 2)
    second.stop()


def test_the_registry_away_stops_nothing_and_is_told_later(
    settings: Settings, tmp_path: Path
) -> None:
    bench = Bench(settings)
    bench.start()
    busy = sqlite3.connect(tmp_path / "registry.db", isolation_level=None, timeout=30)
    busy.execute("BEGIN EXCLUSIVE")
    for seq in range(10):
        bench.publish(message(seq, WARM))
    wait_until(lambda: bench.worker.totals()["stored"] == 10, what="stored all the same")
    busy.execute("COMMIT")
    busy.close()
    bench.settle()
    assert bench.registry.ledger.totals().stored == 10
    bench.stop()
