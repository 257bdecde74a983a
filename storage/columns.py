"""Raw values as columns: what a page of thousands of values costs least as.

A series' values are three arrays beside each other instead of an object a value. Arrays are never
written to once they are in a `Column`: parts of them may be shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.reading import DeviceKey, Reading
from storage.ports import Position

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class SeriesKey(msgspec.Struct, frozen=True, order=True):
    """One quantity of one device."""

    site: str
    device: str
    quantity: str


class Column(msgspec.Struct, frozen=True, eq=False):
    """Values of one series, in order of time.

    Attributes:
        series: which.
        times: instants, nanoseconds since the epoch, each once.
        values: in the quantity's canonical unit, as many.
        quality: bit masks of `core.quality.Quality`, as many.
    """

    series: SeriesKey
    times: Ints
    values: Floats
    quality: Ints

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self.times)

    def part(self, first: int, after: int) -> Column:
        """Return the values at some places; nothing is copied."""
        chosen = slice(first, after)
        return Column(self.series, self.times[chosen], self.values[chosen], self.quality[chosen])

    def copy(self) -> Column:
        """Return the same values in arrays of their own, so that a longer array can go."""
        return Column(self.series, self.times.copy(), self.values.copy(), self.quality.copy())

    def between(self, start_ns: int, end_ns: int) -> Column:
        """Return the values of a range, `end_ns` exclusive; nothing is copied."""
        first, after = np.searchsorted(self.times, (start_ns, end_ns)).tolist()
        return self if after - first == len(self) else self.part(first, after)


class ColumnPage(msgspec.Struct, frozen=True):
    """Some raw values: those that `storage.ports.Page` would hold.

    Attributes:
        columns: a series each, in the order of their first values.
        after: position of the last value when there may be more, else None.
    """

    columns: tuple[Column, ...]
    after: Position | None = None


class ColumnRead(msgspec.Struct, frozen=True, eq=False):
    """What was read of one series.

    Attributes:
        column: its oldest values in the range.
        upto_ns: every value before this instant is in `column`; the end of the range when all are.
    """

    column: Column
    upto_ns: int


@runtime_checkable
class ColumnReader(Protocol):
    """A store that answers columns quickly."""

    def read_columns(
        self, series: Sequence[SeriesKey], *, start_ns: int, end_ns: int, rows: int
    ) -> list[ColumnRead]:
        """Return the oldest values of each series in a range, in the order of `series`.

        Args:
            series: of the catalogue's quantities, each once.
            start_ns: first instant, inclusive, nanoseconds since the epoch.
            end_ns: last instant, exclusive.
            rows: values to look at of each, at most, 1 or more.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        ...


def column(
    series: SeriesKey, times: Sequence[int], values: Sequence[float], quality: Sequence[int]
) -> Column:
    """Return a column of values that are in order."""
    return Column(
        series,
        np.array(times, dtype=np.int64),
        np.array(values, dtype=np.float64),
        np.array(quality, dtype=np.int64),
    )


def joined(series: SeriesKey, parts: Sequence[Column]) -> Column:
    """Return one column of parts of one series, each after the one before."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return column(series, (), (), ())
    return Column(
        series,
        np.concatenate([one.times for one in parts]),
        np.concatenate([one.values for one in parts]),
        np.concatenate([one.quality for one in parts]),
    )


def columns_of(readings: Iterable[Reading]) -> tuple[Column, ...]:
    """Return readings in the order of `Position` as columns, in the order of their first values."""
    found: dict[SeriesKey, list[Reading]] = {}
    for one in readings:
        found.setdefault(SeriesKey(one.site, one.device, one.quantity), []).append(one)
    return tuple(
        column(
            series,
            [one.time_ns for one in some],
            [one.value for one in some],
            [one.quality for one in some],
        )
        for series, some in found.items()
    )


def page_of_columns(columns: Iterable[Column], *, limit: int) -> ColumnPage:
    """Return the first `limit` values of some columns, in the order of `Position`.

    Args:
        columns: a series each.
        limit: most values of the page, 1 or more.
    """
    ordered = sorted((one for one in columns if len(one)), key=lambda one: one.series)
    if sum(map(len, ordered)) <= limit:
        return ColumnPage(_by_first(ordered))
    times = np.concatenate([one.times for one in ordered])
    ranks = np.repeat(np.arange(len(ordered)), [len(one) for one in ordered])
    first = np.lexsort((ranks, times))[:limit]
    counts = np.bincount(ranks[first], minlength=len(ordered)).tolist()
    last = first[-1]
    end = ordered[int(ranks[last])].series
    cut = [one.part(0, count) for one, count in zip(ordered, counts, strict=True) if count]
    return ColumnPage(
        _by_first(cut), Position(int(times[last]), end.site, end.device, end.quantity)
    )


def first_after(series: SeriesKey, after: Position) -> int:
    """Return the first instant of a series that comes after a page."""
    key = (after.site, after.device, after.quantity)
    return after.time_ns + ((series.site, series.device, series.quantity) <= key)


def _by_first(columns: list[Column]) -> tuple[Column, ...]:
    return tuple(sorted(columns, key=lambda one: (int(one.times[0]), one.series)))


def series_of(devices: Iterable[DeviceKey], quantities: Iterable[str]) -> list[SeriesKey]:
    """Return every quantity of every device, each once."""
    names = list(dict.fromkeys(quantities))
    return [
        SeriesKey(key.site, key.device, name) for key in dict.fromkeys(devices) for name in names
    ]
