"""What a store that keeps hourly roll-ups promises, and the reader that chooses between both."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec
import pytest

from core.clock import NS_PER_HOUR, NS_PER_S, ManualClock
from core.reading import DeviceKey, Point
from storage.ports import Aggregate, Every, Selection, Store, Windows, WindowValue
from storage.rolled_reader import LEAST_HOURS, SETTLED_S, Plan, RolledReader
from storage.rollups import ROLLED_AGGREGATES, RollupStore
from tests.contract.storage_data import HUMIDITY, T0, TEMPERATURE, stored

START = T0 // NS_PER_HOUR * NS_PER_HOUR
DAYS = 5
END = START + DAYS * 24 * NS_PER_HOUR
FIRST, SECOND = DeviceKey("elgazala", "one"), DeviceKey("diamniadio", "two")
DAKAR, TUNIS, KOLKATA = (
    ZoneInfo(f"{name}") for name in ("Africa/Dakar", "Africa/Tunis", "Asia/Kolkata")
)
CATEGORY = "environment"


@pytest.fixture
def rolled(store: Store) -> RollupStore:
    if not isinstance(store, RollupStore):
        pytest.fail("this store keeps no roll-ups: leave it out of the parameters")
    return store


pytestmark = pytest.mark.parametrize(
    "store_settings",
    [
        pytest.param("influxdb2", marks=pytest.mark.influxdb),
        pytest.param("influxdb1", marks=pytest.mark.influxdb1),
    ],
    indirect=True,
)


def history(seed: int = 1) -> Iterator[Point]:
    """Return values with gaps, two devices, two quantities of which one is rare."""
    chance = random.Random(seed)
    for device in (FIRST, SECOND):
        for hour in range(DAYS * 24):
            if chance.random() < 0.2:
                continue
            for _ in range(chance.randrange(1, 6)):
                values = {TEMPERATURE: chance.uniform(-40, 60)}
                if chance.random() < 0.3:
                    values[HUMIDITY] = chance.uniform(0, 100)
                at = START + hour * NS_PER_HOUR + chance.randrange(NS_PER_HOUR)
                yield Point(device.site, device.device, CATEGORY, at, values)


def asked(*, start: int = START, end: int = END) -> Selection:
    return Selection((FIRST, SECOND), (TEMPERATURE, HUMIDITY), start, end)


def agree(ours: Sequence[WindowValue], raw: Sequence[WindowValue]) -> None:
    """Compare windows; a sum or a mean may differ in its last digits."""
    blank = [msgspec.structs.replace(one, value=None) for one in ours]
    assert blank == [msgspec.structs.replace(one, value=None) for one in raw]
    for mine, theirs in zip(ours, raw, strict=True):
        if mine.value is None or theirs.value is None:
            assert mine.value == theirs.value, (mine, theirs)
        else:
            assert math.isclose(mine.value, theirs.value, rel_tol=1e-12, abs_tol=1e-9)


@pytest.mark.parametrize("aggregate", sorted(ROLLED_AGGREGATES))
def test_windows_of_roll_ups_are_those_of_the_values(
    store: Store, rolled: RollupStore, aggregate: Aggregate
) -> None:
    stored(store, list(history()))
    assert rolled.roll_up([FIRST, SECOND], CATEGORY, start_ns=START, end_ns=END) is True
    for every, zone in (
        (Every(1, "h"), TUNIS),
        (Every(5, "h"), DAKAR),
        (Every(1, "d"), TUNIS),
        (Every(1, "w"), DAKAR),
        (Every(1, "mo"), TUNIS),
    ):
        windows = Windows(every, zone, aggregate)
        agree(rolled.aggregate_rolled(asked(), windows), store.aggregate(asked(), windows))


def test_an_hour_rolled_up_again_says_what_is_stored_now(store: Store, rolled: RollupStore) -> None:
    windows = Windows(Every(1, "h"), DAKAR, Aggregate.SUM)
    one_hour = asked(end=START + NS_PER_HOUR)
    stored(store, [Point(*_of(FIRST), START, {TEMPERATURE: 1.0})])
    assert rolled.roll_up([FIRST], CATEGORY, start_ns=START, end_ns=START + NS_PER_HOUR) is True
    stored(store, [Point(*_of(FIRST), START + 1, {TEMPERATURE: 2.0, HUMIDITY: 5.0})])
    assert rolled.roll_up([FIRST], CATEGORY, start_ns=START, end_ns=START + NS_PER_HOUR) is True
    agree(rolled.aggregate_rolled(one_hour, windows), store.aggregate(one_hour, windows))


def test_an_hour_whose_sum_is_beyond_float64_is_not_kept(store: Store, rolled: RollupStore) -> None:
    stored(store, [Point(*_of(FIRST), START + at, {TEMPERATURE: 1.7e308}) for at in range(3)])
    assert rolled.roll_up([FIRST], CATEGORY, start_ns=START, end_ns=START + NS_PER_HOUR) is False


def test_half_an_hour_is_no_roll_up(rolled: RollupStore) -> None:
    with pytest.raises(ValueError, match="on the hour"):
        rolled.roll_up([FIRST], CATEGORY, start_ns=START + 1, end_ns=START + NS_PER_HOUR)


def seen(store: Store) -> tuple[object, ...]:
    hours = store.hourly(None, start_ns=START, end_ns=END)
    return store.count(asked()), store.latest([FIRST, SECOND]), hours


def test_roll_ups_are_not_values(store: Store, rolled: RollupStore) -> None:
    stored(store, list(history()))
    before = (
        store.count(asked()),
        store.latest([FIRST]),
        store.hourly(None, start_ns=START, end_ns=END),
    )
    assert rolled.roll_up([FIRST, SECOND], CATEGORY, start_ns=START, end_ns=END) is True
    after = (
        store.count(asked()),
        store.latest([FIRST]),
        store.hourly(None, start_ns=START, end_ns=END),
    )
    assert after == before


class Hours:
    """Says which hours can be believed."""

    def __init__(self, marks: dict[DeviceKey, int], *, since: int | None = 0) -> None:
        self.marks = marks
        self.since = since

    def rolled_from(self) -> int | None:
        return self.since

    def first_marks(
        self, devices: Sequence[DeviceKey], *, start_hour: int, end_hour: int
    ) -> dict[DeviceKey, int]:
        return {
            device: hour
            for device, hour in self.marks.items()
            if device in devices and start_hour <= hour < end_hour
        }


def reader(store: Store, hours: Hours, *, now: int = END + 3 * NS_PER_HOUR) -> RolledReader:
    assert isinstance(store, RollupStore)
    return RolledReader(store=store, rollups=store, hours=hours, clock=ManualClock(now))


def ranges(plan: Plan) -> set[tuple[str, bool, float, float]]:
    """Return what is read how: device, rolled, first and last hour counted from `START`."""
    return {
        (
            device.device,
            part.rolled,
            (part.selection.start_ns - START) / NS_PER_HOUR,
            (part.selection.end_ns - START) / NS_PER_HOUR,
        )
        for part in plan.parts
        for device in part.selection.devices
    }


DAILY = Windows(Every(1, "d"), TUNIS, Aggregate.MEAN)


def test_each_device_is_read_from_roll_ups_up_to_its_first_marked_hour(
    store: Store, rolled: RollupStore
) -> None:
    stored(store, list(history()))
    assert rolled.roll_up([FIRST, SECOND], CATEGORY, start_ns=START, end_ns=END) is True
    late = START + 60 * NS_PER_HOUR
    stored(store, [Point(*_of(SECOND), late + 5, {TEMPERATURE: 99.0})])
    query = asked(start=START + 1, end=END - 1)
    for aggregate in sorted(ROLLED_AGGREGATES):
        windows = Windows(Every(1, "d"), TUNIS, aggregate)
        one = reader(store, Hours({SECOND: late // NS_PER_S}))
        plan = one.plan(query, windows)
        agree(one.carry_out(plan), store.aggregate(query, windows))
    edge = 1 / NS_PER_HOUR
    last = DAYS * 24 - 1
    assert ranges(plan) == {
        ("one", False, edge, 1),
        ("one", True, 1, last),
        ("one", False, last, DAYS * 24 - edge),
        ("two", False, edge, 1),
        ("two", True, 1, 60),
        ("two", False, 60, DAYS * 24 - edge),
    }
    assert plan.rolled_ns == (START + NS_PER_HOUR, START + last * NS_PER_HOUR)


@pytest.mark.parametrize(
    ("query", "windows", "hours", "now"),
    [
        (asked(end=START + (LEAST_HOURS - 1) * NS_PER_HOUR), DAILY, Hours({}), END * 2),
        (asked(), Windows(Every(1, "d"), KOLKATA, Aggregate.MEAN), Hours({}), END * 2),
        (asked(), Windows(Every(90, "min"), DAKAR, Aggregate.MEAN), Hours({}), END * 2),
        (asked(), Windows(Every(1, "d"), TUNIS, Aggregate.MEDIAN), Hours({}), END * 2),
        (asked(), DAILY, Hours({}, since=None), END * 2),
        (asked(), DAILY, Hours({}, since=END // NS_PER_S), END * 2),
        (asked(), DAILY, Hours({}), START + LEAST_HOURS * NS_PER_HOUR),
    ],
    ids=["short", "half-hours", "not-on-the-hour", "median", "never", "later", "not-settled"],
)
def test_raw_values_answer_where_roll_ups_cannot(
    store: Store, query: Selection, windows: Windows, hours: Hours, now: int
) -> None:
    plan = reader(store, hours, now=now).plan(query, windows)
    assert [part.rolled for part in plan.parts] == [False]
    assert plan.rolled_ns is None


def test_hours_that_ended_just_now_are_read_raw(store: Store) -> None:
    now = END + SETTLED_S * NS_PER_S // 2
    plan = reader(store, Hours({}), now=now).plan(asked(), DAILY)
    assert ("one", False, DAYS * 24 - 1, DAYS * 24) in ranges(plan)


def _of(device: DeviceKey) -> tuple[str, str, str]:
    return device.site, device.device, CATEGORY
