"""Aggregates computed in Python: the definition that every backend is held to.

Sums and means are exact before they are rounded (`math.fsum`, fractions where that overflows), so
the order of the values does not matter. A sum that float64 cannot hold is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from operator import itemgetter

from storage.ports import Aggregate, Windows


def checked_percentile(windows: Windows) -> Fraction | None:
    """Return the percentile asked for as the exact decimal that was written, or None.

    Raises:
        ValueError: the aggregate needs one and it is missing or not within 0 < p <= 100.
    """
    if windows.aggregate is not Aggregate.PERCENTILE:
        return None
    asked = windows.percentile
    if asked is None or not 0 < asked <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"a percentile is above 0 and at most 100, not {asked}")
    return Fraction(repr(float(asked)))


def nearest_rank(percentile: Fraction, count: int) -> int:
    """Return the 1-based rank of the nearest-rank percentile among `count` sorted values."""
    return math.ceil(percentile * count / 100)


def aggregate_values(
    times: Sequence[int],
    values: Sequence[float],
    *,
    aggregate: Aggregate,
    end_ns: int,
    percentile: Fraction | None = None,
) -> float:
    """Return one aggregate of the values of one window.

    Args:
        times: instants of the values, ascending; at least one.
        values: the values, in the order of `times`.
        aggregate: what to compute.
        end_ns: end of the window or of the range, whichever is first: where the last value of a
            time-weighted mean stops to count.
        percentile: for `Aggregate.PERCENTILE`, see `checked_percentile`.
    """
    if aggregate is Aggregate.TIME_WEIGHTED_MEAN:
        return _time_weighted_mean(times, values, end_ns)
    if percentile is not None:
        return sorted(values)[nearest_rank(percentile, len(values)) - 1]
    return _OF_VALUES[aggregate](values)


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return _rounded(sum(map(Fraction, values), Fraction()))


def _mean(values: Sequence[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return _rounded(sum(map(Fraction, values), Fraction()) / len(values))


def _rounded(exact: Fraction) -> float:
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return _mean(ordered[middle - 1 : middle + 1])


def _time_weighted_mean(times: Sequence[int], values: Sequence[float], end_ns: int) -> float:
    whole = end_ns - times[0]
    ends = [*times[1:], end_ns]
    return math.fsum(
        value * ((end - time) / whole) for value, time, end in zip(values, times, ends, strict=True)
    )


def _count(values: Sequence[float]) -> float:
    return float(len(values))


_OF_VALUES: Mapping[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MEAN: _mean,
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.SUM: _sum,
    Aggregate.COUNT: _count,
    Aggregate.FIRST: itemgetter(0),
    Aggregate.LAST: itemgetter(-1),
    Aggregate.MEDIAN: _median,
}
