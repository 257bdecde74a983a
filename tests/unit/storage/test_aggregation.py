"""The definitions of the aggregates, where rounding and overflow would show."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.aggregation import aggregate_values, checked_percentile, nearest_rank
from storage.ports import Aggregate, Every, Windows

finite = st.floats(allow_nan=False, allow_infinity=False)


def of(aggregate: Aggregate, values: list[float]) -> float:
    return aggregate_values(
        list(range(len(values))), values, aggregate=aggregate, end_ns=len(values)
    )


def test_sums_are_exact_before_they_are_rounded() -> None:
    assert of(Aggregate.SUM, [0.1] * 10) == 1.0
    assert of(Aggregate.SUM, [1e308, 1e308, -1e308]) == 1e308
    assert of(Aggregate.SUM, [1e308, 1e308]) == math.inf
    assert of(Aggregate.SUM, [-1e308, -1e308]) == -math.inf
    assert of(Aggregate.MEAN, [1e308, 1e308]) == 1e308
    assert of(Aggregate.MEDIAN, [1.7e308, 1.7e308]) == 1.7e308
    assert of(Aggregate.MEDIAN, [5e-324, 5e-324]) == 5e-324


@given(st.lists(finite, min_size=1, max_size=30))
def test_every_aggregate_but_the_sum_is_between_the_extremes(values: list[float]) -> None:
    for aggregate in (
        Aggregate.MEAN,
        Aggregate.MEDIAN,
        Aggregate.FIRST,
        Aggregate.LAST,
        Aggregate.TIME_WEIGHTED_MEAN,
    ):
        slack = 1e-12 * max(map(abs, values)) + sys.float_info.min  # subnormals are coarse
        assert min(values) - slack <= of(aggregate, values) <= max(values) + slack


@given(st.lists(finite, min_size=1, max_size=30))
def test_the_order_of_the_values_does_not_matter_to_a_sum(values: list[float]) -> None:
    shuffled = sorted(values)
    assert of(Aggregate.SUM, values) == of(Aggregate.SUM, shuffled)
    assert of(Aggregate.MEAN, values) == of(Aggregate.MEAN, shuffled)


@given(st.integers(1, 1000), st.integers(1, 100))
def test_a_nearest_rank_is_the_least_that_covers_the_percentile(count: int, percent: int) -> None:
    rank = nearest_rank(Fraction(percent), count)
    assert rank * 100 >= percent * count > (rank - 1) * 100
    assert 1 <= rank <= count


def test_a_percentile_is_the_decimal_that_was_written() -> None:
    windows = Windows(Every(1, "h"), ZoneInfo("UTC"), Aggregate.PERCENTILE, 99.9)
    assert checked_percentile(windows) == Fraction(999, 10)
    assert nearest_rank(Fraction(999, 10), 1000) == 999


@pytest.mark.parametrize("percentile", [None, 0, -1, 100.1, math.nan, math.inf])
def test_a_percentile_outside_its_range_is_an_error(percentile: float | None) -> None:
    windows = Windows(Every(1, "h"), ZoneInfo("UTC"), Aggregate.PERCENTILE, percentile)
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        checked_percentile(windows)
