"""As-of joins: for each instant of one series the place in another one that is nearest in time."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Direction(StrEnum):
    """Where the other value may stand; one at the same instant always fits."""

    BACKWARD = "backward"
    """At the instant or before it: the latest."""
    FORWARD = "forward"
    """At the instant or after it: the earliest."""
    NEAREST = "nearest"
    """The nearer of the two; of equally near ones the earlier."""


def nearest_index(left: Ints, right: Ints, *, direction: Direction, tolerance_ns: int) -> Ints:
    """Return for each instant of `left` the index in `right` that is joined to it, or -1.

    Of several equal instants in `right` the first one is meant.

    Args:
        left: instants, nanoseconds since the epoch.
        right: instants, ascending.
        direction: where the other value may stand.
        tolerance_ns: how far away it may be, inclusive.
    """
    none = np.full(len(left), -1, dtype=np.int64)
    if not len(right):
        return none
    last = np.searchsorted(right, left, side="right") - 1
    before = np.where(
        last >= 0, np.searchsorted(right, right[np.maximum(last, 0)], side="left"), -1
    ).astype(np.int64)
    after = np.searchsorted(right, left, side="left").astype(np.int64)
    after = np.where(after < len(right), after, -1)
    back = _apart(left, right[np.maximum(before, 0)])
    ahead = _apart(right[np.maximum(after, 0)], left)
    before = np.where((before >= 0) & (back <= tolerance_ns), before, -1)
    after = np.where((after >= 0) & (ahead <= tolerance_ns), after, -1)
    if direction is Direction.BACKWARD:
        return before
    if direction is Direction.FORWARD:
        return after
    forward = (after >= 0) & ((before < 0) | (ahead < back))
    return np.where(forward, after, before)


def _apart(later: Ints, earlier: Ints) -> NDArray[np.uint64]:
    """Return differences of instants: not below 0, but perhaps beyond what int64 holds."""
    return later.astype(np.uint64) - earlier.astype(np.uint64)
