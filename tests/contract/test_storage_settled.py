"""Pages of columns are the pages that the store answers, whatever is kept at hand."""

from __future__ import annotations

import random

import pytest

from core.clock import NS_PER_HOUR, NS_PER_S, ManualClock
from core.quality import Quality
from core.reading import DeviceKey, Reading
from devices.registry.kept import Late
from storage.columns import Column, ColumnPage, ColumnReader
from storage.ports import Position, Selection, Store
from storage.settled import BELIEVED_S, FRESH_S, SettledColumns
from tests.contract.storage_data import (
    HOUR,
    HUMIDITY,
    MINUTE,
    TEMPERATURE,
    THERMO,
    everything,
    point,
    selection,
    stored,
)

OTHER = DeviceKey("diamniadio", "thermo-1")
START = 1_790_000_000 * NS_PER_S // NS_PER_HOUR * NS_PER_HOUR
NOW = START + 8 * HOUR + 20 * MINUTE
MB = 1_000_000


class Told:
    """Late devices, as a test tells them."""

    def __init__(self) -> None:
        self.turn = 0
        self.anew = 0
        self.turns: list[tuple[int, DeviceKey]] = []

    def tell(self, device: DeviceKey) -> None:
        self.turn += 1
        self.turns.append((self.turn, device))

    def late(self, *, after_turn: int) -> Late:
        found = tuple(device for turn, device in self.turns if turn > after_turn)
        return Late(self.turn, self.anew, found)


class Place:
    """A store with its columns, and what they are told."""

    def __init__(self, store: Store, *, most_bytes: int = MB) -> None:
        self.store = store
        self.told = Told()
        self.clock = ManualClock(NOW)
        self.columns = SettledColumns(
            reader=store, changes=self.told, clock=self.clock, most_bytes=most_bytes
        )

    def readings(self, asked: Selection, *, limit: int = 100_000) -> list[Reading]:
        found: list[Reading] = []
        after: Position | None = None
        while True:
            page = self.columns.page(asked, limit=limit, after=after)
            rows = readings_of(page)
            assert len(rows) <= limit
            found += rows
            if page.after is None:
                return found
            assert len(rows) == limit
            after = page.after


def readings_of(page: ColumnPage) -> list[Reading]:
    def each(column: Column) -> list[Reading]:
        one = column.series
        rows = zip(
            column.times.tolist(), column.values.tolist(), column.quality.tolist(), strict=True
        )
        return [
            Reading(one.site, one.device, one.quantity, time_ns, value, quality)
            for time_ns, value, quality in rows
        ]

    found = [reading for column in page.columns for reading in each(column)]
    return sorted(found, key=lambda one: (one.time_ns, one.site, one.device, one.quantity))


@pytest.fixture
def filled(store: Store) -> Store:
    """Hold eight hours of two devices, of which some instants have one value, or a flag."""
    chance = random.Random(3)
    stored(
        store,
        [
            point(
                START + minute * MINUTE,
                None if minute % 7 == 3 else chance.gauss(20, 3),
                humidity=None if minute % 5 == 1 else 50.0,
                key=key,
                quality=Quality.LATE if minute % 11 == 0 else 0,
            )
            for minute in range(8 * 60)
            for key in (THERMO, OTHER)
            if minute % 35 != 31  # it would have no value
        ],
    )
    return store


def asked(start: int, end: int, *, devices: int = 1, quantities: int = 1) -> Selection:
    return selection(
        *(THERMO, OTHER)[:devices],
        quantities=(TEMPERATURE, HUMIDITY)[:quantities],
        start=start,
        end=end,
    )


def test_every_page_is_the_store_s(filled: Store) -> None:
    place = Place(filled)
    chance = random.Random(7)
    for _ in range(25):
        start, end = sorted(chance.randrange(START - HOUR, NOW + HOUR) for _ in range(2))
        question = asked(
            start, end + 1, devices=chance.randint(1, 2), quantities=chance.randint(1, 2)
        )
        limit = chance.choice([1000, 100_000, 70])
        assert place.readings(question, limit=limit) == everything(filled, question)
        place.clock.advance(chance.choice([0.0, FRESH_S, BELIEVED_S + 1]))


def test_settled_hours_are_asked_for_once(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(filled, ColumnReader):
        assert Place(filled).columns.kept_bytes() == 0
        return
    place = Place(filled)
    question = asked(START, START + 5 * HOUR)
    before = place.readings(question)
    assert place.columns.kept_bytes() > 0

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the store was asked again")

    monkeypatch.setattr(filled, "read_columns", fail)
    monkeypatch.setattr(filled, "read", fail)
    assert place.readings(question) == before


def test_a_late_value_is_found_when_it_is_told(filled: Store) -> None:
    place = Place(filled)
    question = asked(START, START + 5 * HOUR, devices=2)
    before = len(place.readings(question))
    stored(filled, [point(START + 90 * NS_PER_S, 99.0)])
    place.told.tell(THERMO)
    place.clock.advance(FRESH_S)
    assert len(place.readings(question)) == before + 1


def test_a_late_value_that_nobody_told_is_found_after_a_while(filled: Store) -> None:
    place = Place(filled)
    question = asked(START, START + 5 * HOUR)
    before = len(place.readings(question))
    stored(filled, [point(START + 90 * NS_PER_S, 99.0)])
    place.clock.advance(BELIEVED_S + 1)
    assert len(place.readings(question)) == before + 1


def test_nothing_is_kept_when_nobody_knows_what_changed(filled: Store) -> None:
    place = Place(filled)
    question = asked(START, START + 5 * HOUR)
    before = len(place.readings(question))
    stored(filled, [point(START + 90 * NS_PER_S, 99.0)])
    place.told.anew += 1
    place.clock.advance(FRESH_S)
    assert len(place.readings(question)) == before + 1


@pytest.mark.parametrize("by_name", [True, False])
def test_what_was_read_while_a_late_value_came_is_not_kept(
    filled: Store, monkeypatch: pytest.MonkeyPatch, *, by_name: bool
) -> None:
    if not isinstance(filled, ColumnReader):
        assert Place(filled).columns.kept_bytes() == 0
        return
    place = Place(filled)
    question = asked(START, START + 5 * HOUR)
    read = filled.read_columns

    def read_then_late(*arguments: object, **named: object) -> object:
        monkeypatch.undo()
        found = read(*arguments, **named)  # type: ignore[arg-type]
        stored(filled, [point(START + 90 * NS_PER_S, 99.0)])
        if by_name:
            place.told.tell(THERMO)
        else:
            place.told.anew += 1
        place.clock.advance(FRESH_S)
        place.readings(asked(START + 6 * HOUR, START + 7 * HOUR))  # another request asks meanwhile
        return found

    monkeypatch.setattr(filled, "read_columns", read_then_late)
    before = len(place.readings(question))
    assert len(place.readings(question)) == before + 1


def test_hours_that_are_not_settled_are_always_asked_for(filled: Store) -> None:
    place = Place(filled)
    question = asked(START, NOW)
    before = len(place.readings(question))
    stored(filled, [point(NOW - HOUR + 1, 99.0), point(NOW - 1, 98.0)])
    assert len(place.readings(question)) == before + 2


def test_memory_is_bounded(filled: Store) -> None:
    place = Place(filled, most_bytes=8000)
    question = asked(START, START + 7 * HOUR)
    assert place.readings(question) == everything(filled, question)
    assert place.columns.kept_bytes() <= 8000
    assert Place(filled, most_bytes=0).readings(question) == everything(filled, question)
