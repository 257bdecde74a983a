"""Filling the gaps of a series of windows, never beyond its first and last value.

A gap is a run of windows without a value between two that have one. What stands before the first
value or after the last one is not a gap: nothing is known there, and nothing is invented.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Fill(StrEnum):
    """What stands where a window holds no value."""

    NONE = "none"
    """Nothing: the window is left out."""
    NULL = "null"
    """A null: a gap is shown as a gap."""
    PREVIOUS = "previous"
    """The value before, for as many windows as the limit allows."""
    LINEAR = "linear"
    """The straight line between the middles of the windows at both sides of the gap; only of gaps
    that lie within the limit as a whole, as half a bridge leads nowhere."""


class FillLimit(msgspec.Struct, frozen=True):
    """How much of a gap is filled; both None: all of it.

    Attributes:
        windows: so many windows.
        length_ns: so long after the window with the last value ended, nanoseconds.
    """

    windows: int | None = None
    length_ns: int | None = None


def fillable(present: Bools, edges: Sequence[int], *, fill: Fill, limit: FillLimit) -> Bools:
    """Return which windows of a series are filled.

    Args:
        present: which windows hold a value.
        edges: of the windows, nanoseconds; one more than there are windows.
        fill: how; only `previous` and `linear` fill anything.
        limit: how far.
    """
    chosen = np.zeros(len(present), dtype=np.bool_)
    if fill not in (Fill.PREVIOUS, Fill.LINEAR):
        return chosen
    known = np.flatnonzero(present)
    for before, after in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
        reach = before + 1
        while reach < after and _within(limit, edges, before=before, index=reach):
            reach += 1
        if fill is Fill.PREVIOUS or reach == after:
            chosen[before + 1 : reach] = True
    return chosen


def filled_values(
    values: Floats, present: Bools, chosen: Bools, edges: Sequence[int], *, fill: Fill
) -> Floats:
    """Return `values` with those of the windows in `chosen` (see `fillable`) put in."""
    if not chosen.any():
        return values
    known = np.flatnonzero(present)
    at = np.flatnonzero(chosen)
    before = known[np.searchsorted(known, at, side="left") - 1]
    answer = values.copy()
    if fill is Fill.PREVIOUS:
        answer[at] = values[before]
        return answer
    after = known[np.searchsorted(known, at, side="left")]
    # an edge may lie beyond what int64 holds
    bounds = np.array([edge - edges[0] for edge in edges], dtype=np.float64)
    twice_middle = bounds[:-1] + bounds[1:]
    share = (twice_middle[at] - twice_middle[before]) / (twice_middle[after] - twice_middle[before])
    answer[at] = values[before] * (1.0 - share) + values[after] * share
    return answer


def _within(limit: FillLimit, edges: Sequence[int], *, before: int, index: int) -> bool:
    if limit.windows is not None:
        return index - before <= limit.windows
    if limit.length_ns is not None:
        return edges[index + 1] - edges[before + 1] <= limit.length_ns
    return True
