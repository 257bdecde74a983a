"""Windows of several devices made one: from their aggregates, as far as those tell enough.

`mean` weighs each device by its number of values, so it is the mean of all values. A
`time_weighted_mean` is the plain mean over the devices that have values in the window: each device
counts once, however often it sends, which is what that aggregate is for. `first`, `last`, `median`
and `percentile` do not follow from those of the devices: they are computed of all values
(`api.analysis.raw_windows`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.ports import Aggregate

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FROM_PARTS = frozenset(
    {
        Aggregate.MEAN,
        Aggregate.MIN,
        Aggregate.MAX,
        Aggregate.SUM,
        Aggregate.COUNT,
        Aggregate.TIME_WEIGHTED_MEAN,
    }
)
"""Aggregates of a group that follow from those of its devices."""


class Merge:
    """One aggregate of one group, window by window, from its devices one after the other.

    Sums are kept in the platform's longest float, so that those of many devices are as exact as
    float64 can show, and means of values near its limit do not overflow.

    Args:
        aggregate: one of `FROM_PARTS`.
        windows: how many windows there are.
    """

    def __init__(self, aggregate: Aggregate, *, windows: int) -> None:
        if aggregate not in FROM_PARTS:
            raise ValueError(f"{aggregate} of a group does not follow from those of its devices")
        self._aggregate = aggregate
        self._counts = np.zeros(windows, dtype=np.int64)
        self._devices = np.zeros(windows, dtype=np.int64)
        start = {Aggregate.MIN: np.inf, Aggregate.MAX: -np.inf}.get(aggregate, 0.0)
        self._held = np.full(windows, start, dtype=np.longdouble)

    def add(self, values: Floats, counts: Counts) -> None:
        """Take the windows of one device; a value without a count means nothing."""
        has = counts > 0
        self._counts += counts
        self._devices += has
        if self._aggregate is Aggregate.MIN:
            self._held[has] = np.minimum(self._held[has], values[has])
        elif self._aggregate is Aggregate.MAX:
            self._held[has] = np.maximum(self._held[has], values[has])
        elif self._aggregate is Aggregate.MEAN:
            self._held[has] += values[has].astype(np.longdouble) * counts[has]
        else:
            self._held[has] += values[has]

    def counts(self) -> Counts:
        """Return how many values each window holds, of all devices."""
        return self._counts

    def values(self) -> Floats:
        """Return the aggregate of each window; NaN where there is no value."""
        weights = {
            Aggregate.MEAN: self._counts,
            Aggregate.TIME_WEIGHTED_MEAN: self._devices,
        }.get(self._aggregate, np.ones_like(self._counts))
        with np.errstate(over="ignore", invalid="ignore"):
            merged = (self._held / np.maximum(weights, 1)).astype(np.float64)
        merged[self._counts == 0] = np.nan
        return merged
