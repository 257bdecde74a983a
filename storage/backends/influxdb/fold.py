"""Windows computed here from raw rows, as they stream in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from storage.aggregation import aggregate_values
from storage.backends.influxdb.query import Rows
from storage.ports import Aggregate
from storage.selecting import Series
from storage.windows import index_of


class Fold:
    """Aggregates rows that come series by series, each in order of time.

    It holds the values of one window of one series at a time.

    Args:
        edges: of the windows.
        end_ns: end of the range, exclusive.
        aggregate: what to compute.
        percentile: see `storage.aggregation.checked_percentile`.
    """

    def __init__(
        self, *, edges: list[int], end_ns: int, aggregate: Aggregate, percentile: Fraction | None
    ) -> None:
        self._edges = edges
        self._end_ns = end_ns
        self._aggregate = aggregate
        self._percentile = percentile
        self._open: dict[Series, tuple[int, list[int], list[float]]] = {}
        self._found: dict[Series, dict[int, tuple[float, int]]] = {}

    def add(self, rows: Rows) -> None:
        """Take some rows; the columns after the first are quantities."""
        names = [(rows.tags["site"], rows.tags["device"], name) for name in rows.columns[1:]]
        if not names or names[0] not in self._open:
            self._close_all()
        for position, series in enumerate(names, start=1):
            self._take(series, [row for row in rows.values if row[position] is not None], position)

    def done(self) -> dict[Series, dict[int, tuple[float, int]]]:
        """Return by series and window index the aggregate and how many values it is of."""
        self._close_all()
        return self._found

    def _take(self, series: Series, rows: list[tuple[Any, ...]], position: int) -> None:
        index, times, values = self._open.setdefault(series, (-1, [], []))
        end_ns = self._edges[index + 1] if index >= 0 else self._edges[0] - 1
        for row in rows:
            time_ns = row[0]
            if time_ns >= end_ns:
                self._close(series)
                index = index_of(self._edges, time_ns)
                end_ns = self._edges[index + 1]
                times, values = [], []
                self._open[series] = (index, times, values)
            times.append(time_ns)
            values.append(row[position])

    def _close(self, series: Series) -> None:
        index, times, values = self._open.pop(series, (-1, [], []))
        if times:
            value = aggregate_values(
                times,
                values,
                aggregate=self._aggregate,
                end_ns=min(self._edges[index + 1], self._end_ns),
                percentile=self._percentile,
            )
            self._found.setdefault(series, {})[index] = (value, len(times))

    def _close_all(self) -> None:
        for series in list(self._open):
            self._close(series)
