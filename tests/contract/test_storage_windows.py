"""What every store promises about aggregates over windows."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import NS_PER_S
from core.errors import QueryTooLargeError, UnknownQuantityError
from core.reading import DeviceKey, Point
from storage.backends.memory import MemoryStore
from storage.ports import Aggregate, Every, Selection, Store, Windows, WindowValue
from storage.refusal import EARLIEST_NS, LATEST_NS
from tests.contract.storage_data import (
    DAY,
    HOUR,
    HUMIDITY,
    MINUTE,
    PARIS,
    T0,
    TEMPERATURE,
    THERMO,
    hours,
    local,
    point,
    selection,
    stored,
    windows,
)

TUNIS = ZoneInfo("Africa/Tunis")  # UTC+1, no change of clock
CAIRO = ZoneInfo("Africa/Cairo")  # clocks skip from 00:00 to 01:00 on 24 April 2026
CASABLANCA = ZoneInfo("Africa/Casablanca")  # an hour back for Ramadan, 15 February 2026 at 03:00
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # UTC+5:45
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # UTC+10:30, and half an hour of summer time
SAO_PAULO_2017 = ZoneInfo("America/Sao_Paulo")  # clocks skipped midnight on 15 October 2017


def how(every: str, aggregate: Aggregate, zone: ZoneInfo = PARIS) -> Windows:
    percentile = 90.0 if aggregate is Aggregate.PERCENTILE else None
    return windows(every, aggregate, zone=zone, percentile=percentile)


def counts(found: list[WindowValue]) -> list[int]:
    return [one.count for one in found]


def hourly(store: Store, start: int, end: int) -> Selection:
    """Store 1.0 each hour, and return a selection of it all."""
    stored(store, [point(instant, 1.0) for instant in range(start, end, HOUR)])
    return selection(start=start, end=end)


def test_a_day_has_23_hours_when_clocks_go_forward(store: Store) -> None:
    asked = hourly(store, local(PARIS, 2026, 3, 28), local(PARIS, 2026, 3, 31))
    found = store.aggregate(asked, windows("1 d"))
    assert hours(found) == [24, 23, 24]
    assert counts(found) == [24, 23, 24]
    assert [one.value for one in found] == [24.0, 23.0, 24.0]


def test_a_day_has_25_hours_when_clocks_go_back(store: Store) -> None:
    asked = hourly(store, local(PARIS, 2026, 10, 24), local(PARIS, 2026, 10, 27))
    found = store.aggregate(asked, windows("1 d"))
    assert hours(found) == [24, 25, 24]
    assert counts(found) == [24, 25, 24]


def test_hours_go_on_across_a_change_of_clock(store: Store) -> None:
    for day in (local(PARIS, 2026, 3, 28, 12), local(PARIS, 2026, 10, 24, 12)):
        asked = hourly(store, day, day + 2 * DAY)
        found = store.aggregate(asked, windows("1 h"))
        assert counts(found) == [1] * 48
        assert all(earlier.end_ns == later.start_ns for earlier, later in pairwise(found))


def test_windows_of_hours_start_anew_at_each_midnight(store: Store) -> None:
    asked = hourly(store, local(PARIS, 2026, 3, 29), local(PARIS, 2026, 3, 31))
    found = store.aggregate(asked, windows("6 h"))
    assert hours(found) == [6, 6, 6, 5, 6, 6, 6, 6]
    assert counts(found) == [6, 6, 6, 5, 6, 6, 6, 6]
    found = store.aggregate(asked, windows("7 h"))
    assert hours(found) == [7, 7, 7, 2, 7, 7, 7, 3]
    assert counts(found) == [7, 7, 7, 2, 7, 7, 7, 3]


def test_a_day_starts_when_its_date_does_where_midnight_is_skipped(store: Store) -> None:
    change = local(CAIRO, 2026, 4, 23, 23) + HOUR
    asked = hourly(store, change - DAY, change + 2 * DAY - HOUR)
    found = store.aggregate(asked, windows("1 d", zone=CAIRO))
    assert [one.start_ns for one in found] == [change - DAY, change, change + 23 * HOUR]
    assert counts(found) == [24, 23, 24]
    back = local(CAIRO, 2026, 10, 29, 12)
    asked = hourly(store, back - 12 * HOUR, back + 2 * DAY)
    found = store.aggregate(asked, windows("1 d", zone=CAIRO))
    assert hours(found) == [25, 24, 24]


def test_weeks_start_on_monday_and_may_hold_a_change_of_clock(store: Store) -> None:
    asked = hourly(store, local(CASABLANCA, 2026, 2, 9), local(CASABLANCA, 2026, 3, 30))
    found = store.aggregate(asked, windows("1 w", zone=CASABLANCA))
    assert hours(found) == [169, 168, 168, 168, 168, 167, 168]
    assert counts(found) == hours(found)
    assert found[0].start_ns == local(CASABLANCA, 2026, 2, 9)


def test_months_are_those_of_the_calendar(store: Store) -> None:
    asked = hourly(store, local(TUNIS, 2028, 1, 1), local(TUNIS, 2028, 5, 1))
    found = store.aggregate(asked, windows("1 mo", zone=TUNIS))
    assert [length / 24 for length in hours(found)] == [31, 29, 31, 30]
    assert counts(found) == hours(found)
    [whole] = store.aggregate(asked, windows("12 mo", zone=TUNIS))
    assert (whole.start_ns, whole.count) == (local(TUNIS, 2028, 1, 1), 121 * 24)


def test_offsets_need_not_be_whole_hours(store: Store) -> None:
    asked = hourly(store, local(KATHMANDU, 2026, 5, 1), local(KATHMANDU, 2026, 5, 3))
    assert counts(store.aggregate(asked, windows("1 d", zone=KATHMANDU))) == [24, 24]
    first = store.aggregate(asked, windows("1 h", zone=KATHMANDU))[0]
    assert first.start_ns == local(KATHMANDU, 2026, 5, 1)
    asked = hourly(store, local(LORD_HOWE, 2026, 4, 4), local(LORD_HOWE, 2026, 4, 7))
    assert hours(store.aggregate(asked, windows("1 d", zone=LORD_HOWE))) == [24, 24.5, 24]
    assert hours(store.aggregate(asked, windows("12 h", zone=LORD_HOWE))) == [
        *(12, 12),
        *(12, 12, 0.5),
        *(12, 12),
    ]


def test_gaps_are_shown_as_gaps(store: Store) -> None:
    day = local(PARIS, 2026, 6, 1)
    stored(store, [point(day + 2 * HOUR, 5.0), point(day + 5 * HOUR - 1, 7.0)])
    for aggregate in Aggregate:
        found = store.aggregate(selection(start=day, end=day + 6 * HOUR), how("1 h", aggregate))
        assert counts(found) == [0, 0, 1, 0, 1, 0]
        empty = [one.value for one in found if not one.count]
        assert empty == [None] * 4


def test_every_series_asked_for_has_every_window_in_order(store: Store) -> None:
    other = DeviceKey("diamniadio", "silent")
    stored(store, [point(T0, 20.0)])
    asked = Selection((other, THERMO), (HUMIDITY, TEMPERATURE), T0, T0 + 3 * HOUR)
    found = store.aggregate(asked, windows("1 h"))
    assert [(one.device, one.quantity, one.count) for one in found] == [
        *[("silent", HUMIDITY, 0)] * 4,
        *[("silent", TEMPERATURE, 0)] * 4,
        *[("thermo-1", HUMIDITY, 0)] * 4,
        *[("thermo-1", TEMPERATURE, 1), *[("thermo-1", TEMPERATURE, 0)] * 3],
    ]


def test_a_cut_window_keeps_its_own_start_and_holds_only_what_was_asked_for(store: Store) -> None:
    day = local(PARIS, 2026, 6, 1)
    stored(store, [point(day + minute * MINUTE, float(minute)) for minute in range(120)])
    asked = selection(start=day + 30 * MINUTE, end=day + 90 * MINUTE)
    for aggregate, expected in (
        (Aggregate.COUNT, [30.0, 30.0]),
        (Aggregate.FIRST, [30.0, 60.0]),
        (Aggregate.LAST, [59.0, 89.0]),
        (Aggregate.MAX, [59.0, 89.0]),
        (Aggregate.TIME_WEIGHTED_MEAN, [44.5, 74.5]),
    ):
        found = store.aggregate(asked, how("1 h", aggregate))
        assert [one.value for one in found] == expected
        assert [one.start_ns for one in found] == [day, day + HOUR]
        assert found[-1].end_ns == day + 2 * HOUR


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate.MEAN, 4.0),
        (Aggregate.MIN, -2.0),
        (Aggregate.MAX, 10.0),
        (Aggregate.SUM, 16.0),
        (Aggregate.COUNT, 4.0),
        (Aggregate.FIRST, 5.0),
        (Aggregate.LAST, 3.0),
        (Aggregate.MEDIAN, 4.0),
        # 5 for 10 min, 10 for 5 min, -2 for 30 min, 3 for the last 10 min: from the first value on
        (Aggregate.TIME_WEIGHTED_MEAN, (5 * 10 + 10 * 5 - 2 * 30 + 3 * 10) / 55),
    ],
)
def test_each_aggregate_is_what_it_is_called(
    store: Store, aggregate: Aggregate, expected: float
) -> None:
    day = local(PARIS, 2026, 6, 1)
    minutes = {5: 5.0, 15: 10.0, 20: -2.0, 50: 3.0}
    stored(store, [point(day + minute * MINUTE, value) for minute, value in minutes.items()])
    [found] = store.aggregate(selection(start=day, end=day + HOUR), how("1 h", aggregate))
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.count == 4


@pytest.mark.parametrize(
    ("percentile", "count", "expected"),
    [
        (0.001, 10, 1.0),
        (10, 10, 1.0),
        (12, 10, 2.0),
        (50, 3, 2.0),
        (50, 4, 2.0),
        (90, 10, 9.0),
        (95, 20, 19.0),
        (7, 100, 7.0),
        (99.9, 1000, 999.0),
        (100, 10, 10.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    store: Store, percentile: float, count: int, expected: float
) -> None:
    day = local(PARIS, 2026, 6, 1)
    ranks = list(range(1, count + 1))
    random.Random(1).shuffle(ranks)
    stored(store, [point(day + index * NS_PER_S, float(rank)) for index, rank in enumerate(ranks)])
    [found] = store.aggregate(
        selection(start=day, end=day + HOUR),
        windows("1 h", Aggregate.PERCENTILE, percentile=percentile),
    )
    assert found.value == expected


def test_a_time_weighted_mean_weighs_to_the_nanosecond(store: Store) -> None:
    stored(store, [point(T0, 0.0), point(T0 + 1, 8.0), point(T0 + 4, 4.0)])
    [found] = store.aggregate(
        selection(start=T0, end=T0 + 6), how("1 d", Aggregate.TIME_WEIGHTED_MEAN)
    )
    assert found.value == pytest.approx((0 * 1 + 8 * 3 + 4 * 2) / 6)


def test_numbers_near_the_end_of_float64(store: Store) -> None:
    day = local(PARIS, 2026, 6, 1)
    batch = [1e308, 1.5e308, -1e308, 1.7e308]
    stored(store, [point(day + index, value) for index, value in enumerate(batch)])
    stored(
        store, [point(day + HOUR + index, value) for index, value in enumerate((1e308, 1.5e308))]
    )
    asked = selection(start=day, end=day + 2 * HOUR)

    def answer(aggregate: Aggregate) -> list[float | None]:
        return [one.value for one in store.aggregate(asked, how("1 h", aggregate))]

    assert answer(Aggregate.MEAN) == pytest.approx([0.8e308, 1.25e308])
    assert answer(Aggregate.MEDIAN) == pytest.approx([1.25e308, 1.25e308])
    assert answer(Aggregate.SUM) == [math.inf, math.inf]
    assert answer(Aggregate.MAX) == [1.7e308, 1.5e308]
    assert answer(Aggregate.FIRST) == [1e308, 1e308]


def test_windows_at_the_ends_of_time(store: Store) -> None:
    stored(store, [point(EARLIEST_NS, 1.0), point(LATEST_NS, 2.0), point(-1, 3.0), point(0, 4.0)])
    for aggregate in Aggregate:
        for start, end in (
            (EARLIEST_NS, EARLIEST_NS + 3 * DAY),
            (LATEST_NS - 3 * DAY, LATEST_NS + 1),
            (-3 * DAY, 3 * DAY),
        ):
            for every in ("1 d", "7 h", "1 mo"):
                asked = selection(start=start, end=end)
                found = store.aggregate(asked, how(every, aggregate, TUNIS))
                assert sum(one.count for one in found) == (2 if start == -3 * DAY else 1)


def test_an_empty_range_has_no_windows(store: Store) -> None:
    assert store.aggregate(selection(start=T0, end=T0), windows("1 h")) == []


def test_what_cannot_be_computed_is_refused(store: Store) -> None:
    for wrong in (None, 0.0, -1.0, 100.5, math.nan):
        with pytest.raises(ValueError, match="percentile"):
            store.aggregate(selection(), windows("1 h", Aggregate.PERCENTILE, percentile=wrong))
    for every in ("0 h", "-1 d", "1 year", "5000 mo"):
        with pytest.raises(ValueError, match="window length"):
            store.aggregate(selection(), windows(every))
    with pytest.raises(QueryTooLargeError, match="more than"):
        store.aggregate(selection(), windows("1 s"))
    with pytest.raises(UnknownQuantityError):
        store.aggregate(selection(quantities=("nothing",)), windows("1 d"))


def _scattered(rng: random.Random, start: int, end: int, count: int) -> list[Point]:
    devices = [THERMO, DeviceKey("diamniadio", "thermo-2")]
    return [
        point(
            rng.randrange(start, end),
            rng.choice([rng.uniform(-50, 50), 0.0, 20.0]),
            humidity=rng.uniform(0, 100) if rng.random() < 0.3 else None,
            key=rng.choice(devices),
        )
        for _ in range(count)
    ]


def _alike(found: list[WindowValue], expected: list[WindowValue], scale: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.site, one.device, one.quantity) == (other.site, other.device, other.quantity)
        assert (one.start_ns, one.end_ns, one.count) == (other.start_ns, other.end_ns, other.count)
        if other.value is None:
            assert one.value is None
        else:
            assert one.value == pytest.approx(other.value, rel=1e-9, abs=scale * 1e-9)


@pytest.mark.parametrize(
    ("zone", "start", "days"),
    [
        (PARIS, local(PARIS, 2026, 3, 25, 11, 7), 9),
        (PARIS, local(PARIS, 2026, 10, 20, 3, 59), 9),
        (CASABLANCA, local(CASABLANCA, 2026, 2, 11), 9),
        (CAIRO, local(CAIRO, 2026, 4, 20, 1), 8),
        (CAIRO, local(CAIRO, 2026, 10, 25, 1), 8),
        (LORD_HOWE, local(LORD_HOWE, 2026, 4, 1), 8),
        (SAO_PAULO_2017, local(SAO_PAULO_2017, 2017, 10, 12), 6),
        (KATHMANDU, local(KATHMANDU, 1985, 12, 28), 8),  # the offset itself changed on 1 January
    ],
    ids=lambda value: value.key if isinstance(value, ZoneInfo) else "",
)
def test_all_stores_answer_alike_around_a_change_of_clock(
    store: Store, zone: ZoneInfo, start: int, days: int
) -> None:
    rng = random.Random(f"{zone.key}{start}")
    reference = MemoryStore()
    end = start + days * DAY
    batch = _scattered(rng, start - DAY, end + DAY, 1500)
    stored(store, batch)
    stored(reference, batch)
    devices = (THERMO, DeviceKey("diamniadio", "thermo-2"), DeviceKey("elgazala", "none"))
    asked = Selection(devices, (TEMPERATURE, HUMIDITY), start, end - 17)
    for every in ("1 d", "1 h", "6 h", "5 h", "90 min", "2 d", "1 w", "1 mo"):
        for aggregate in Aggregate:
            wanted = how(every, aggregate, zone)
            _alike(store.aggregate(asked, wanted), reference.aggregate(asked, wanted), 1.0)


_counter = iter(range(10**9))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_all_stores_answer_alike(store: Store, data: st.DataObject) -> None:
    key = DeviceKey("elgazala", f"property-{next(_counter)}")
    numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1e300, -1e300, 5e-324])
    offsets = st.integers(-3 * DAY, 3 * DAY) | st.integers(-2, 2)
    middle = data.draw(st.sampled_from([T0, local(PARIS, 2026, 10, 25, 3), 0]))
    batch = [
        point(middle + offset, value, key=key)
        for offset, value in data.draw(
            st.lists(st.tuples(offsets, numbers), min_size=1, max_size=40)
        )
    ]
    reference = MemoryStore()
    for target in (store, reference):
        stored(target, batch)
        stored(target, batch[: len(batch) // 2])
    start = middle + data.draw(offsets)
    asked = selection(key, start=start, end=start + data.draw(st.integers(1, 3 * DAY)))
    every = data.draw(
        st.sampled_from([Every(1, "h"), Every(7, "h"), Every(40, "min"), Every(1, "d")])
    )
    aggregate = data.draw(st.sampled_from(Aggregate))
    percentile = data.draw(st.floats(0.01, 100)) if aggregate is Aggregate.PERCENTILE else None
    wanted = Windows(every, PARIS, aggregate, percentile)
    scale = max(abs(one.values[TEMPERATURE]) for one in batch) * len(batch)
    _alike(store.aggregate(asked, wanted), reference.aggregate(asked, wanted), scale)
    assert store.read(asked, limit=100) == reference.read(asked, limit=100)
    assert store.count(asked) == reference.count(asked)
    assert store.latest([key]) == reference.latest([key])
