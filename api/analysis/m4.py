"""M4: for each pixel column of a plot the first, last, least and greatest value.

Source: U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: A Visualization-Oriented Time Series
Data Aggregation", PVLDB 7(10), 2014: a line chart of so many columns drawn from these values has
the same pixels as one drawn from all.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

VALUES_A_COLUMN = 4
LEAST_POINTS = VALUES_A_COLUMN
"""Values that a plot needs at least: one column."""

_FIRST, _LAST, _LEAST, _GREATEST = range(4)
_Point = tuple[int, float, int]
"""Instant, value, quality."""


class M4:
    """Reduces one series, given in pieces in the order of time.

    Of values that are equally small or great in a column the first one stands.

    Args:
        points: values of the answer, at most; `LEAST_POINTS` or more.
        start_ns: where the first column begins.
        end_ns: where the last column ends; no value is at or after it.
    """

    def __init__(self, *, points: int, start_ns: int, end_ns: int) -> None:
        self._columns = points // VALUES_A_COLUMN
        self._start_ns = start_ns
        self._span_ns = end_ns - start_ns
        self._found: dict[int, list[_Point]] = {}

    def add(
        self, times: NDArray[np.int64], values: NDArray[np.float64], qualities: NDArray[np.int64]
    ) -> None:
        """Take the next values, none before those that came already."""
        if not len(times):
            return
        bounds = self._bounds(times)
        for begin, end in itertools.pairwise(bounds):
            least = begin + int(np.argmin(values[begin:end]))
            greatest = begin + int(np.argmax(values[begin:end]))
            piece: list[_Point] = [
                (int(times[at]), float(values[at]), int(qualities[at]))
                for at in (begin, end - 1, least, greatest)
            ]
            column = self._column(piece[_FIRST][0])
            held = self._found.get(column)
            if held is None:
                self._found[column] = piece
                continue
            held[_LAST] = piece[_LAST]
            if piece[_LEAST][1] < held[_LEAST][1]:
                held[_LEAST] = piece[_LEAST]
            if piece[_GREATEST][1] > held[_GREATEST][1]:
                held[_GREATEST] = piece[_GREATEST]

    def points(self) -> list[_Point]:
        """Return what was kept, in the order of time, each value once."""
        return [
            point
            for _, held in sorted(self._found.items())
            for point in sorted(dict.fromkeys(held))
        ]

    def _column(self, time_ns: int) -> int:
        return (time_ns - self._start_ns) * self._columns // self._span_ns

    def _bounds(self, times: NDArray[np.int64]) -> list[int]:
        """Return where in `times` columns begin, and its length: exact, by halving."""
        bounds = [0]
        while True:
            column = self._column(int(times[bounds[-1]]))
            # the first instant of the next column: the least t with column(t) > column
            border = self._start_ns - (-(column + 1) * self._span_ns // self._columns)
            following = int(np.searchsorted(times, border, side="left"))
            if following >= len(times):
                return [*bounds, len(times)]
            bounds.append(following)
