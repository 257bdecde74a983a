"""Largest triangle three buckets: the values that keep the shape of a series.

Source: S. Steinarsson, "Downsampling Time Series for Visual Representation", MSc thesis, University
of Iceland, 2013, section 4.2: the first and the last value are kept; those between are cut into
buckets of (almost) equal counts, and of each bucket the value stands that makes the largest
triangle with the one chosen before and the mean of the next bucket.

Two buckets are held at a time. A bucket that grows too large is replaced by the corners of its
convex hull: the area is a linear function of the value's place, so the largest one is at a corner.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.clock import NS_PER_S

LEAST_POINTS = 3
"""Values that a plot needs at least: the first, the last, and one between."""
MOST_HELD = 65_536
"""Values of a bucket that are held before it is thinned to its hull."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Point = tuple[int, float, int]
"""Instant, value, quality."""


class _Bucket:
    """The candidates of one bucket, and the mean of everything that was ever in it."""

    def __init__(self, most_held: int) -> None:
        self._most = most_held
        self._pieces: list[tuple[Ints, Floats, Ints]] = []
        self._held = 0
        self._total = np.zeros(2, dtype=np.float64)
        self._count = 0

    def add(self, times: Ints, values: Floats, qualities: Ints, *, origin_ns: int) -> None:
        self._pieces.append((times, values, qualities))
        self._held += len(times)
        self._count += len(times)
        self._total += (_seconds(times, origin_ns).sum(), values.sum())
        if self._held > self._most:
            joined = self.joined()
            corners = _hull(_seconds(joined[0], origin_ns), joined[1])
            self._pieces = [(joined[0][corners], joined[1][corners], joined[2][corners])]
            self._held = len(corners)
            self._most = max(self._most, 2 * self._held)

    def joined(self) -> tuple[Ints, Floats, Ints]:
        times, values, qualities = zip(*self._pieces, strict=True)
        self._pieces = [(np.concatenate(times), np.concatenate(values), np.concatenate(qualities))]
        return self._pieces[0]

    def mean(self) -> tuple[float, float]:
        x, y = self._total / self._count
        return float(x), float(y)


class Lttb:
    """Reduces one series, given in pieces in the order of time.

    Args:
        points: values of the answer, at most; `LEAST_POINTS` or more.
        count: how many values will come, more than `points`. If others come after all, the answer
            is as long at most, and its last bucket is larger or smaller.
        most_held: values of a bucket that are held before it is thinned.
    """

    def __init__(self, *, points: int, count: int, most_held: int = MOST_HELD) -> None:
        self._buckets = points - 2
        self._between = count - 2
        self._most_held = most_held
        self._origin_ns = 0
        self._seen = 0
        self._chosen: list[Point] = []
        self._waiting: tuple[Ints, Floats, Ints] | None = None
        self._open: dict[int, _Bucket] = {}

    def add(self, times: Ints, values: Floats, qualities: Ints) -> None:
        """Take the next values, none before those that came already."""
        if not len(times):
            return
        if not self._chosen:
            self._origin_ns = int(times[0])
            self._chosen.append((int(times[0]), float(values[0]), int(qualities[0])))
            times, values, qualities = times[1:], values[1:], qualities[1:]
        if self._waiting is not None:
            times, values, qualities = (
                np.concatenate(parts)
                for parts in zip(self._waiting, (times, values, qualities), strict=True)
            )
        if not len(times):
            return
        # the last value that came may be the last of all, which belongs to no bucket
        self._waiting = times[-1:], values[-1:], qualities[-1:]
        for bucket, begin, end in self._cut(len(times) - 1):
            self._into(bucket, times[begin:end], values[begin:end], qualities[begin:end])

    def points(self) -> list[Point]:
        """Return what was chosen, in the order of time; nothing may be added afterwards."""
        if self._waiting is None:
            return self._chosen
        time, value, quality = (part[0] for part in self._waiting)
        while self._open:
            self._choose(last=((int(time) - self._origin_ns) / NS_PER_S, float(value)))
        return [*self._chosen, (int(time), float(value), int(quality))]

    def _cut(self, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield which of the next `count` values belong to which bucket."""
        begin = 0
        while begin < count:
            rank = self._seen
            bucket = min(((rank + 1) * self._buckets - 1) // self._between, self._buckets - 1)
            border = (bucket + 1) * self._between // self._buckets
            length = count - begin
            if bucket < self._buckets - 1:
                length = min(length, border - rank)
            yield bucket, begin, begin + length
            begin += length
            self._seen += length

    def _into(self, bucket: int, times: Ints, values: Floats, qualities: Ints) -> None:
        held = self._open.get(bucket)
        if held is None:
            held = self._open[bucket] = _Bucket(self._most_held)
        held.add(times, values, qualities, origin_ns=self._origin_ns)
        while len(self._open) > 2:  # noqa: PLR2004 - the one to choose from, its next, a new one
            self._choose(last=None)

    def _choose(self, *, last: tuple[float, float] | None) -> None:
        first, *others = sorted(self._open)
        bucket = self._open.pop(first)
        mean = self._open[others[0]].mean() if others else last
        times, values, qualities = bucket.joined()
        before = self._chosen[-1]
        x, y = (before[0] - self._origin_ns) / NS_PER_S, before[1]
        to_x, to_y = mean or (x, y)
        areas = np.abs(
            (x - to_x) * (values - y) - (x - _seconds(times, self._origin_ns)) * (to_y - y)
        )
        at = int(np.argmax(areas))
        self._chosen.append((int(times[at]), float(values[at]), int(qualities[at])))


def _seconds(times: Ints, origin_ns: int) -> Floats:
    """Return seconds since the first value; the difference may be beyond what int64 holds."""
    since = times.astype(np.uint64) - np.array([origin_ns], dtype=np.int64).astype(np.uint64)
    return since.astype(np.float64) / NS_PER_S


def _hull(x: Floats, y: Floats) -> Ints:
    """Return the indices of the corners of the convex hull, in the order of `x` (ascending).

    Andrew's monotone chain, once for each side.
    """
    corners: set[int] = set()
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    for side in (1.0, -1.0):
        chain: list[int] = []
        for index, (at_x, at_y) in enumerate(points):
            while len(chain) > 1:
                (ax, ay), (bx, by) = points[chain[-2]], points[chain[-1]]
                if side * ((bx - ax) * (at_y - ay) - (by - ay) * (at_x - ax)) > 0:
                    break
                chain.pop()
            chain.append(index)
        corners.update(chain)
    return np.array(sorted(corners), dtype=np.int64)
