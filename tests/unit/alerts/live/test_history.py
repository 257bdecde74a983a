"""Stored values on their way to whoever judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from alerts.live.history import PORTION, Job, Reader, Span, stored
from core.errors import StoreUnavailableError
from core.reading import DeviceKey, Point, Reading
from storage.backends.memory import MemoryStore
from storage.ports import Page, Position, Selection

COUNT = 500


class AwayStore(MemoryStore):
    """A store that does not answer."""

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        raise StoreUnavailableError(f"nobody is there for {selection}, {limit}, {after}")


@pytest.fixture
def store() -> MemoryStore:
    found = MemoryStore()
    found.write(
        [
            Point("elgazala", f"d{number:03d}", "environment", at, {"air_temperature": float(at)})
            for number in range(COUNT)
            for at in range(number % 7, 70, 7)
        ]
    )
    return found


def span(*, quantities: frozenset[str] | None = frozenset({"air_temperature"})) -> Span:
    devices = tuple(DeviceKey("elgazala", f"d{number:03d}") for number in range(COUNT))
    return Span(devices, quantities, 7, 63)


def test_values_of_many_devices_come_in_the_order_of_time(store: MemoryStore) -> None:
    found = list(stored(store, span()))
    assert len(found) == COUNT * 8
    assert [one.time_ns for one in found] == sorted(one.time_ns for one in found)
    assert found == list(stored(store, span(quantities=None)))
    assert list(stored(store, span(quantities=frozenset()))) == []


def drained(reader: Reader) -> None:
    while not reader.idle:
        reader.advance(wait_s=5)


def job(given: list[Reading], ended: list[str], *, done: Callable[[], None] = lambda: None) -> Job:
    def give(portion: Sequence[Reading]) -> None:
        assert 0 < len(portion) <= PORTION
        given.extend(portion)

    def finish() -> None:
        ended.append("done")
        done()

    return Job(span=span(), give=give, done=finish, fail=ended.append)


def test_jobs_are_carried_out_one_after_the_other(store: MemoryStore) -> None:
    first: list[Reading] = []
    second: list[Reading] = []
    ended: list[str] = []
    reader = Reader(store)
    reader.add(job(first, ended, done=second.clear))
    reader.add(job(second, ended))
    drained(reader)
    assert ended == ["done", "done"]
    assert first == second == list(stored(store, span()))
    reader.close()


def test_a_store_that_is_away_fails_the_job_and_the_next_one_is_tried() -> None:
    ended: list[str] = []
    reader = Reader(AwayStore())
    reader.add(job([], ended))
    reader.add(job([], ended))
    drained(reader)
    assert [one[:15] for one in ended] == ["nobody is there", "nobody is there"]
    reader.close()
