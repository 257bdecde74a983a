"""Down-sampling for plots, held against the papers' definitions written the plain way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.analysis.lttb import Lttb
from api.analysis.m4 import M4

Point = tuple[int, float]
STEP_NS = 1_000_000_007


def series(values: Sequence[float], gaps: Sequence[int]) -> list[Point]:
    times = np.cumsum([gap * STEP_NS for gap in gaps]).tolist()
    return list(zip(times, values, strict=True))


@st.composite
def uneven_series(draw: st.DrawFn) -> list[Point]:
    count = draw(st.integers(1, 120))
    values = draw(
        st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=count, max_size=count, unique=True)
    )
    return series(values, draw(st.lists(st.integers(1, 50), min_size=count, max_size=count)))


def reduced(reducer: Lttb | M4, points: Sequence[Point], pieces: Sequence[int]) -> list[Point]:
    borders = sorted({0, len(points), *(piece % (len(points) + 1) for piece in pieces)})
    for begin, end in itertools.pairwise(borders):
        part = points[begin:end]
        reducer.add(
            np.array([time for time, _ in part], dtype=np.int64),
            np.array([value for _, value in part], dtype=np.float64),
            np.zeros(len(part), dtype=np.int64),
        )
    return [(time, value) for time, value, _ in reducer.points()]


def naive_lttb(points: Sequence[Point], most: int) -> list[tuple[Point, float]]:
    """Return what Steinarsson's program chooses, each with the largest area of its bucket."""
    origin = points[0][0]
    data = [((time - origin) / 1e9, value) for time, value in points]
    between, buckets = len(data) - 2, most - 2
    borders = [bucket * between // buckets + 1 for bucket in range(buckets + 1)]
    chosen = [(points[0], 0.0)]
    at = data[0]
    for bucket in range(buckets):
        following = data[borders[bucket + 1] : borders[bucket + 2]] if bucket + 1 < buckets else []
        following = following or data[-1:]
        mean_x = float(np.mean([x for x, _ in following]))
        mean_y = float(np.mean([y for _, y in following]))
        areas = [
            abs((at[0] - mean_x) * (y - at[1]) - (at[0] - x) * (mean_y - at[1]))
            for x, y in data[borders[bucket] : borders[bucket + 1]]
        ]
        best = borders[bucket] + int(np.argmax(areas))
        chosen.append((points[best], max(areas)))
        at = data[best]
    return [*chosen, (points[-1], 0.0)]


def naive_m4(points: Sequence[Point], columns: int, start_ns: int, end_ns: int) -> list[Point]:
    chosen: set[Point] = set()
    for column in range(columns):
        held = [
            point
            for point in points
            if (point[0] - start_ns) * columns // (end_ns - start_ns) == column
        ]
        if held:
            chosen |= {held[0], held[-1]}
            chosen |= {min(held, key=lambda one: one[1]), max(held, key=lambda one: one[1])}
    return sorted(chosen)


@pytest.mark.parametrize("most_held", [65_536, 4])
@given(points=uneven_series(), most=st.integers(3, 40), pieces=st.lists(st.integers(0, 500)))
def test_lttb_chooses_the_largest_triangles_however_the_values_come(
    most_held: int, points: list[Point], most: int, pieces: list[int]
) -> None:
    if len(points) <= most:
        points = [*points, *series([0.5 * n for n in range(most)], [60 * 200] * most)]
        points = sorted({time: (time, value) for time, value in points}.values())
    if len(points) <= most:
        return
    expected = naive_lttb(points, most)
    found = reduced(Lttb(points=most, count=len(points), most_held=most_held), points, pieces)
    if found != [point for point, _ in expected]:
        # equal areas: rounding may choose another value of the bucket, from there on all differ
        first = next(n for n, (point, _) in enumerate(expected) if found[n] != point)
        assert found[:first] == [point for point, _ in expected[:first]]
        origin = points[0][0]
        between, buckets = len(points) - 2, most - 2
        borders = [bucket * between // buckets + 1 for bucket in range(buckets + 1)]
        following = points[borders[first] : borders[first + 1]] if first < buckets else []
        following = following or points[-1:]
        to_x = float(np.mean([(time - origin) / 1e9 for time, _ in following]))
        to_y = float(np.mean([value for _, value in following]))
        x, y = (found[first - 1][0] - origin) / 1e9, found[first - 1][1]
        at_x, at_y = (found[first][0] - origin) / 1e9, found[first][1]
        area = abs((x - to_x) * (at_y - y) - (x - at_x) * (to_y - y))
        scale = (abs(x) + abs(to_x) + abs(at_x)) * (abs(y) + abs(to_y) + abs(at_y))
        assert area == pytest.approx(expected[first][1], rel=1e-9, abs=1e-12 * scale)
    assert len(found) == most
    assert (found[0], found[-1]) == (points[0], points[-1])


@given(points=uneven_series(), columns=st.integers(1, 30), pieces=st.lists(st.integers(0, 500)))
def test_m4_keeps_first_last_least_and_greatest_of_every_column(
    points: list[Point], columns: int, pieces: list[int]
) -> None:
    start_ns, end_ns = points[0][0] - 17, points[-1][0] + 23
    reducer = M4(points=columns * 4 + 3, start_ns=start_ns, end_ns=end_ns)
    found = reduced(reducer, points, pieces)
    assert found == naive_m4(points, columns, start_ns, end_ns)
    assert len(found) <= columns * 4
    assert (found[0], found[-1]) == (points[0], points[-1])


def test_a_column_border_belongs_to_the_next_column() -> None:
    points = [(0, 1.0), (4, 2.0), (5, 3.0), (9, 4.0)]
    found = reduced(M4(points=8, start_ns=0, end_ns=10), points, [2])
    assert found == points


def test_lttb_stays_within_its_bound_when_other_values_come_than_were_counted() -> None:
    points = series([float(n % 7) for n in range(50)], [1] * 50)
    for count in (12, 49, 51, 200):
        found = reduced(Lttb(points=10, count=count), points, [3, 30])
        assert len(found) <= 10
        assert (found[0], found[-1]) == (points[0], points[-1])


def test_a_peak_survives() -> None:
    values = [0.0] * 10_000
    values[7321] = 99.0
    points = series(values, [1] * len(values))
    for reducer in (
        Lttb(points=100, count=len(points), most_held=16),
        M4(points=100, start_ns=0, end_ns=points[-1][0] + 1),
    ):
        assert points[7321] in reduced(reducer, points, list(range(0, 10_000, 777)))


def test_what_is_held_does_not_follow_the_length_of_a_series() -> None:
    random = np.random.default_rng(20260101)
    count, piece = 300_000, 5000
    reducer = Lttb(points=4, count=count, most_held=2000)
    most = 0
    for first in range(0, count, piece):
        times = np.arange(first, first + piece, dtype=np.int64) * STEP_NS
        values = random.normal(20.0, 5.0, piece)
        reducer.add(times, values, np.zeros(piece, dtype=np.int64))
        held = [sum(len(part[0]) for part in one._pieces) for one in reducer._open.values()]
        most = max(most, sum(held))
    assert most <= 2 * 2000
    assert len(reducer.points()) == 4


def test_a_series_may_be_as_long_as_a_store_can_hold() -> None:
    points = [(-(2**63) + 2, 1.0), (-(2**62), 5.0), (0, -9.0), (2**62, 9.0), (2**63 - 3, 2.0)]
    found = reduced(Lttb(points=4, count=5), points, [2])
    assert found == [points[0], points[1], points[2], points[4]]
    columns = M4(points=4, start_ns=-(2**63) + 2, end_ns=2**63 - 2)
    assert reduced(columns, points, [3]) == [points[0], points[2], points[3], points[4]]
