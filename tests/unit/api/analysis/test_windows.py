"""Groups, several aggregates and quality, held against all values written out."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.analysis.filling import Fill, FillLimit
from api.analysis.grouping import GroupBy
from api.analysis.merging import FROM_PARTS, Merge
from api.analysis.quality import QualityFilter
from api.analysis.telemetry import Telemetry
from api.analysis.window_query import WindowQuery
from api.analysis.windows import Answer, read_answer
from api.reading_query import ReadingQuery
from core.clock import ManualClock
from core.reading import DeviceKey, Point, Reading
from devices.registry import Device
from storage.backends.memory import MemoryStore
from storage.ports import Aggregate, Every, Selection, Windows
from storage.rolled_reader import RolledReader
from storage.windows import cut

DEVICES = [
    Device("a", "elgazala", "p1", "a", building="B1", zone="kitchen"),
    Device("b", "elgazala", "p2", "b", building="B1", zone="hall"),
    Device("c", "elgazala", "p1", "c", building="B2", zone="kitchen"),
    Device("d", "diamniadio", "p1", "d", building="B1", zone="kitchen"),
    Device("e", "diamniadio", "p2", "e"),
]
KEYS = tuple(DeviceKey(device.site, device.id) for device in DEVICES)
RECORDS = dict(zip(KEYS, DEVICES, strict=True))
NAMES = ("air_temperature", "relative_humidity")
QUALITIES = (0, 0, 0, 8, 16, 24)
# around both changes of clocks of each of these
ZONES = ["Europe/Paris", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "UTC"]
CHANGES = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-25", "2026-11-01"]
EVERY = [Every(1, "d"), Every(1, "w"), Every(1, "mo"), Every(6, "h"), Every(90, "min")]


def instant(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 10**9


@st.composite
def stores(draw: st.DrawFn) -> tuple[MemoryStore, int, int]:
    store = MemoryStore()
    start_ns = instant(draw(st.sampled_from(CHANGES))) - 36 * 3600 * 10**9
    end_ns = start_ns + draw(st.integers(1, 96)) * 3600 * 10**9 + 17
    for _ in range(draw(st.integers(0, 60))):
        device = draw(st.sampled_from(KEYS))
        store.write(
            [
                Point(
                    device.site,
                    device.device,
                    "environment",
                    start_ns + draw(st.integers(-10, 99 * 60)) * 60 * 10**9,
                    {draw(st.sampled_from(NAMES)): draw(st.floats(-1e6, 1e6))},
                    draw(st.sampled_from(QUALITIES)),
                )
            ]
        )
    return store, start_ns, end_ns


def naive(aggregate: Aggregate, readings: Sequence[Reading], end_ns: int) -> float:
    """Return an aggregate of the values of a group in a window, in the order of reads."""
    values = [reading.value for reading in readings]
    if aggregate is Aggregate.TIME_WEIGHTED_MEAN:
        means = []
        for device in {reading.device for reading in readings}:
            own = [reading for reading in readings if reading.device == device]
            until = [*(one.time_ns for one in own[1:]), end_ns]
            lengths = [end - one.time_ns for one, end in zip(own, until, strict=True)]
            weighted = sum(one.value * length for one, length in zip(own, lengths, strict=True))
            means.append(weighted / sum(lengths))
        return statistics.fmean(means)
    of: dict[Aggregate, Callable[[list[float]], float]] = {
        Aggregate.MEAN: statistics.fmean,
        Aggregate.MIN: min,
        Aggregate.MAX: max,
        Aggregate.SUM: math.fsum,
        Aggregate.COUNT: len,
        Aggregate.FIRST: lambda some: some[0],
        Aggregate.LAST: lambda some: some[-1],
        Aggregate.MEDIAN: statistics.median,
        Aggregate.PERCENTILE: lambda some: sorted(some)[math.ceil(0.9 * len(some)) - 1],
    }
    return of[aggregate](values)


def labels(device: Device, group_by: tuple[GroupBy, ...]) -> tuple[str, ...]:
    within = {
        GroupBy.SITE: ["site"],
        GroupBy.PROFILE: ["profile"],
        GroupBy.BUILDING: ["site", "building"],
        GroupBy.ZONE: ["site", "building", "zone"],
        GroupBy.QUANTITY: [],
    }
    wanted = {name for one in group_by for name in within[one]}
    order = ("site", "profile", "building", "zone")
    return tuple(getattr(device, name) for name in order if name in wanted)


class NoHours:
    """No roll-up can be believed."""

    def first_marks(
        self, devices: Sequence[DeviceKey], *, start_hour: int, end_hour: int
    ) -> dict[DeviceKey, int]:
        raise AssertionError((devices, start_hour, end_hour))

    def rolled_from(self) -> int | None:
        return None


def answered(
    store: MemoryStore,
    span: tuple[int, int],
    *,
    windows: Windows,
    aggregates: tuple[Aggregate, ...],
    group_by: tuple[GroupBy, ...] = (),
    quality: QualityFilter | None = None,
    names: tuple[str, ...] = NAMES,
    keys: tuple[DeviceKey, ...] = KEYS,
    fill: Fill = Fill.NULL,
) -> Answer:
    query = ReadingQuery(
        devices=keys,
        quantities=names,
        start_ns=span[0],
        end_ns=span[1],
        zone=windows.zone,
        max_points=100_000,
    )
    asked = WindowQuery(
        windows=windows,
        aggregates=aggregates,
        group_by=group_by,
        quality=quality or QualityFilter(),
        fill=fill,
        fill_limit=FillLimit(),
        max_scanned=100_000,
    )
    telemetry = Telemetry(
        store=store,
        rolled=RolledReader(store=store, rollups=None, hours=NoHours(), clock=ManualClock(0)),
    )
    return read_answer(telemetry, query, asked, RECORDS)


@settings(max_examples=60)
@given(
    made=stores(),
    zone=st.sampled_from(ZONES),
    every=st.sampled_from(EVERY),
    aggregates=st.lists(st.sampled_from(list(Aggregate)), min_size=1, max_size=4, unique=True),
    group_by=st.lists(st.sampled_from(list(GroupBy)), min_size=1, max_size=2, unique=True),
    quality=st.sampled_from(
        [
            QualityFilter(),
            QualityFilter(allowed=("good",)),
            QualityFilter(allowed=("good", "late")),
            QualityFilter(allowed=("simulated",)),
            QualityFilter(excluded=("late",)),
            QualityFilter(excluded=("good", "simulated")),
        ]
    ),
)
def test_groups_are_what_all_their_values_make(  # noqa: PLR0917 - hypothesis gives each by name
    made: tuple[MemoryStore, int, int],
    zone: str,
    every: Every,
    aggregates: list[Aggregate],
    group_by: list[GroupBy],
    quality: QualityFilter,
) -> None:
    store, start_ns, end_ns = made
    windows = Windows(every, ZoneInfo(zone), Aggregate.MEAN, percentile=90.0)
    groups = tuple(group_by)
    answer = answered(
        store,
        (start_ns, end_ns),
        windows=windows,
        aggregates=tuple(aggregates),
        group_by=groups,
        quality=quality,
    )
    edges = cut(every, zone=ZoneInfo(zone), start_ns=start_ns, end_ns=end_ns)
    assert answer.edges == edges
    everything = store.read(Selection(KEYS, NAMES, start_ns, end_ns), limit=10_000).readings
    seen = set()
    for row in answer.rows:
        own = tuple(value for _, value in row.group.labels)
        seen.add((own, row.group.quantity))
        members = {device.id for device in DEVICES if labels(device, groups) == own}
        assert row.group.devices == len(members)
        for index, (start, end) in enumerate(itertools.pairwise(edges)):
            held = [
                reading
                for reading in everything
                if reading.device in members
                and reading.quantity == row.group.quantity
                and start <= reading.time_ns < end
                and quality.keeps(reading.quality)
            ]
            assert row.counts[index] == len(held)
            assert row.known[index] == bool(held)
            for aggregate in aggregates:
                value = row.values[aggregate][index]
                if held:
                    expected = naive(aggregate, held, min(end, end_ns))
                    assert value == pytest.approx(expected, rel=1e-9, abs=1e-6)
                else:
                    assert math.isnan(value)
    assert seen == {(labels(device, groups), name) for device in DEVICES for name in NAMES}


@settings(max_examples=30)
@given(made=stores(), every=st.sampled_from(EVERY), zone=st.sampled_from(ZONES))
def test_windows_made_of_values_are_those_of_the_store(
    made: tuple[MemoryStore, int, int], every: Every, zone: str
) -> None:
    store, start_ns, end_ns = made
    windows = Windows(every, ZoneInfo(zone), Aggregate.MEAN, percentile=90.0)
    all_of_them = tuple(Aggregate)
    asked = {"windows": windows, "aggregates": all_of_them}
    direct = answered(store, (start_ns, end_ns), **asked)  # type: ignore[arg-type]
    # every value passes, and yet the values themselves are read
    passing = QualityFilter(allowed=("good", "late", "simulated"))
    read = answered(store, (start_ns, end_ns), quality=passing, **asked)  # type: ignore[arg-type]
    for one, other in zip(direct.rows, read.rows, strict=True):
        assert one.group == other.group
        assert one.counts.tolist() == other.counts.tolist()
        for aggregate in all_of_them:
            np.testing.assert_array_equal(one.values[aggregate], other.values[aggregate])


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", "2026-03-29", 23),
        ("Europe/Paris", "2026-10-25", 25),
        ("America/New_York", "2026-11-01", 25),
        ("Africa/Cairo", "2026-04-24", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Tunis", "2026-03-29", 24),
    ],
)
def test_a_day_of_a_group_is_as_long_as_its_zone_says(zone: str, day: str, hours: float) -> None:
    store = MemoryStore()
    start_ns = instant(day) - 2 * 86_400 * 10**9
    for minute in range(0, 5 * 1440, 30):
        for key in KEYS[:2]:
            at = start_ns + minute * 60 * 10**9
            store.write([Point(key.site, key.device, "environment", at, {NAMES[0]: 1.0})])
    windows = Windows(Every(1, "d"), ZoneInfo(zone), Aggregate.SUM)
    answer = answered(
        store,
        (start_ns, start_ns + 5 * 86_400 * 10**9),
        windows=windows,
        aggregates=(Aggregate.SUM, Aggregate.COUNT),
        group_by=(GroupBy.BUILDING,),
        names=NAMES[:1],
        keys=KEYS[:2],
    )
    local = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    starts = [
        (zero + timedelta(seconds=edge // 10**9)).astimezone(local.tzinfo) for edge in answer.edges
    ]
    index = [start.date() for start in starts].index(local.date())
    assert (answer.edges[index + 1] - answer.edges[index]) / 3600e9 == hours
    row = answer.rows[0]
    assert row.values[Aggregate.SUM][index] == row.counts[index] == hours * 2 * 2


@given(
    aggregate=st.sampled_from(sorted(FROM_PARTS)),
    parts=st.lists(st.lists(st.lists(st.floats(-1e9, 1e9), max_size=5), min_size=3, max_size=3)),
)
def test_merging_is_as_exact_as_counting_all(
    aggregate: Aggregate, parts: list[list[list[float]]]
) -> None:
    of: dict[Aggregate, Callable[[list[float]], float]] = {
        Aggregate.MEAN: statistics.fmean,
        Aggregate.TIME_WEIGHTED_MEAN: statistics.fmean,
        Aggregate.MIN: min,
        Aggregate.MAX: max,
        Aggregate.SUM: math.fsum,
        Aggregate.COUNT: len,
    }
    merge = Merge(aggregate, windows=3)
    for part in parts:
        merge.add(
            np.array([of[aggregate](some) if some else np.nan for some in part]),
            np.array([len(some) for some in part], dtype=np.int64),
        )
    for index in range(3):
        every = [part[index] for part in parts if part[index]]
        expected = math.nan
        if every and aggregate is Aggregate.TIME_WEIGHTED_MEAN:
            expected = statistics.fmean(statistics.fmean(some) for some in every)
        elif every:
            expected = of[aggregate]([value for some in every for value in some])
        assert merge.values()[index] == pytest.approx(expected, rel=1e-12, abs=1e-6, nan_ok=True)
        assert merge.counts()[index] == sum(len(some) for some in every)


def test_the_mean_of_values_near_the_end_of_floats_does_not_overflow() -> None:
    merge = Merge(Aggregate.MEAN, windows=1)
    for _ in range(3):
        merge.add(np.array([1.5e308]), np.array([7], dtype=np.int64))
    assert merge.values()[0] == 1.5e308


def test_what_does_not_follow_from_parts_is_not_merged() -> None:
    with pytest.raises(ValueError, match="median"):
        Merge(Aggregate.MEDIAN, windows=1)
