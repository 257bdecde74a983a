"""Fills and as-of joins, held against what a person would write down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.analysis.filling import Fill, FillLimit, fillable, filled_values
from api.analysis.nearest import Direction, nearest_index

EDGES = [0, 10, 20, 30, 40, 50, 60, 70]


def fill(values: list[float | None], how: Fill, **limit: int) -> list[float | None]:
    present = np.array([value is not None for value in values])
    given_values = np.array([0.0 if value is None else value for value in values])
    edges = [10 * n for n in range(len(values) + 1)]
    chosen = fillable(present, edges, fill=how, limit=FillLimit(**limit))
    filled = filled_values(given_values, present, chosen, edges, fill=how)
    known = present | chosen
    return [value if keep else None for value, keep in zip(filled.tolist(), known, strict=True)]


GAPPY: list[float | None] = [None, 1.0, None, None, 4.0, None, 2.0, None]


def test_previous_and_linear_fill_gaps_and_never_what_lies_outside_the_data() -> None:
    assert fill(GAPPY, Fill.PREVIOUS) == [None, 1.0, 1.0, 1.0, 4.0, 4.0, 2.0, None]
    assert fill(GAPPY, Fill.LINEAR) == pytest.approx([None, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, None])
    for how in (Fill.NONE, Fill.NULL):
        assert fill(GAPPY, how) == GAPPY


def test_a_limit_cuts_previous_and_leaves_long_gaps_without_a_line() -> None:
    for limit in ({"windows": 1}, {"length_ns": 19}, {"length_ns": 10}):
        assert fill(GAPPY, Fill.PREVIOUS, **limit) == [None, 1.0, 1.0, None, 4.0, 4.0, 2.0, None]
        assert fill(GAPPY, Fill.LINEAR, **limit) == [None, 1.0, None, None, 4.0, 3.0, 2.0, None]
    assert fill(GAPPY, Fill.LINEAR, length_ns=9) == GAPPY


def test_a_line_goes_through_the_middles_of_windows_of_different_length() -> None:
    edges = [0, 28, 59, 89]  # February, March, April
    present = np.array([True, False, True])
    chosen = fillable(present, edges, fill=Fill.LINEAR, limit=FillLimit())
    values = filled_values(np.array([0.0, 0.0, 60.0]), present, chosen, edges, fill=Fill.LINEAR)
    middles = [14.0, 43.5, 74.0]
    assert values[1] == pytest.approx(60 * (middles[1] - middles[0]) / (middles[2] - middles[0]))


def test_windows_may_begin_before_what_a_store_can_hold() -> None:
    edges = [-(2**63) - 10**17, -(2**62), 2**62, 2**63 + 10**17]
    present = np.array([True, False, True])
    chosen = fillable(present, edges, fill=Fill.LINEAR, limit=FillLimit())
    values = np.array([1.0, np.nan, 3.0])
    assert filled_values(values, present, chosen, edges, fill=Fill.LINEAR)[1] == pytest.approx(2.0)


@given(
    values=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=40),
    how=st.sampled_from(list(Fill)),
    limit=st.none() | st.integers(1, 5),
)
def test_a_fill_stays_between_its_neighbours_and_changes_nothing_that_was_measured(
    values: list[float | None], how: Fill, limit: int | None
) -> None:
    filled = fill(values, how, **({} if limit is None else {"windows": limit}))
    known = [index for index, value in enumerate(values) if value is not None]
    for index, value in enumerate(values):
        if value is not None:
            assert filled[index] == value
        before = [at for at in known if at < index]
        after = [at for at in known if at > index]
        if value is None and filled[index] is not None:
            low, high = sorted((values[before[-1]] or 0.0, values[after[0]] or 0.0))
            assert low - 1e-6 <= (filled[index] or 0.0) <= high + 1e-6
            assert limit is None or index - before[-1] <= limit
        elif value is None and before and after and how in (Fill.PREVIOUS, Fill.LINEAR):
            assert limit is not None


INSTANT = st.integers(-50, 50) | st.sampled_from([-(2**63) + 2, -(2**62), 2**62, 2**63 - 2])


def naive_nearest(left: int, right: list[int], direction: Direction, tolerance: int) -> int | None:
    fitting = [
        at
        for at in right
        if abs(at - left) <= tolerance
        and (direction is not Direction.BACKWARD or at <= left)
        and (direction is not Direction.FORWARD or at >= left)
    ]
    return min(fitting, key=lambda at: (abs(at - left), at), default=None)


@given(
    left=st.lists(INSTANT),
    right=st.lists(INSTANT),
    direction=st.sampled_from(list(Direction)),
    tolerance=st.integers(0, 30) | st.sampled_from([2**62, 2**64, 10**24]),
)
def test_the_nearest_instant_is_found_as_by_looking_at_all(
    left: list[int], right: list[int], direction: Direction, tolerance: int
) -> None:
    right = sorted(right)
    found = nearest_index(
        np.array(left, dtype=np.int64),
        np.array(right, dtype=np.int64),
        direction=direction,
        tolerance_ns=tolerance,
    ).tolist()
    for at, index in zip(left, found, strict=True):
        expected = naive_nearest(at, right, direction, tolerance)
        assert (None if index < 0 else right[index]) == expected
        assert index < 1 or right[index - 1] != right[index]
