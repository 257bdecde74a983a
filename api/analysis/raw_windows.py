"""Windows computed from the values themselves, read once in the order of time.

For what a store does not compute: several devices together, and values chosen by their quality.
Only the values of one window are held at a time. Each aggregate is that of `storage.aggregation`,
the definition that every store is held to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from api.analysis.grouping import Labels
from api.analysis.merging import Counts, Floats
from core.reading import DeviceKey, Reading
from storage.aggregation import aggregate_values, checked_percentile
from storage.ports import Aggregate, Windows
from storage.windows import index_of

Key = tuple[Labels, str]
"""What a series is called, and its quantity."""


class _Open:
    """The values of one series in the window that is open, in the order of time."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.values: list[float] = []
        self.devices: list[str] = []


class RawWindows:
    """Collects readings, which must come in the order of time.

    Args:
        edges: of the windows, nanoseconds.
        end_ns: end of the range, exclusive.
        windows: zone and percentile; its aggregate is not looked at.
        aggregates: what is computed.
        series_of: what the series of a reading is called.
    """

    def __init__(
        self,
        *,
        edges: list[int],
        end_ns: int,
        windows: Windows,
        aggregates: tuple[Aggregate, ...],
        series_of: Callable[[DeviceKey], Labels],
    ) -> None:
        self._edges = edges
        self._end_ns = end_ns
        self._aggregates = aggregates
        wanted = Windows(
            every=windows.every,
            zone=windows.zone,
            aggregate=Aggregate.PERCENTILE,
            percentile=windows.percentile,
        )
        asked = Aggregate.PERCENTILE in aggregates
        self._percentile = checked_percentile(wanted) if asked else None
        self._series_of = series_of
        self._names: dict[tuple[str, str], Labels] = {}
        self._index = -1
        self._until = 0
        self._open: dict[Key, _Open] = {}
        self.counts: dict[Key, Counts] = {}
        self.values: dict[Key, dict[Aggregate, Floats]] = {}

    def add(self, readings: Iterable[Reading]) -> None:
        """Take the next readings."""
        for reading in readings:
            if self._index < 0 or reading.time_ns >= self._until:
                self._close()
                self._index = index_of(self._edges, reading.time_ns)
                self._until = self._edges[self._index + 1]
            key = (self._name(reading), reading.quantity)
            held = self._open.get(key)
            if held is None:
                held = self._open[key] = _Open()
            held.times.append(reading.time_ns)
            held.values.append(reading.value)
            held.devices.append(reading.device)

    def finish(self) -> None:
        """Compute the last window; nothing may be added afterwards."""
        self._close()

    def _name(self, reading: Reading) -> Labels:
        device = (reading.site, reading.device)
        if device not in self._names:
            self._names[device] = self._series_of(DeviceKey(*device))
        return self._names[device]

    def _close(self) -> None:
        for key, held in self._open.items():
            if key not in self.counts:
                windows = len(self._edges) - 1
                self.counts[key] = np.zeros(windows, dtype=np.int64)
                self.values[key] = {
                    aggregate: np.full(windows, np.nan) for aggregate in self._aggregates
                }
            self.counts[key][self._index] = len(held.times)
            for aggregate in self._aggregates:
                self.values[key][aggregate][self._index] = self._aggregated(aggregate, held)
        self._open = {}

    def _aggregated(self, aggregate: Aggregate, held: _Open) -> float:
        if aggregate is not Aggregate.TIME_WEIGHTED_MEAN:
            return self._of(aggregate, held.times, held.values)
        each: dict[str, tuple[list[int], list[float]]] = {}
        for device, time, value in zip(held.devices, held.times, held.values, strict=True):
            times, values = each.setdefault(device, ([], []))
            times.append(time)
            values.append(value)
        means = [self._of(aggregate, times, values) for times, values in each.values()]
        return aggregate_values(
            held.times[: len(means)], means, aggregate=Aggregate.MEAN, end_ns=self._end_ns
        )

    def _of(self, aggregate: Aggregate, times: list[int], values: list[float]) -> float:
        return aggregate_values(
            times,
            values,
            aggregate=aggregate,
            end_ns=min(self._until, self._end_ns),
            percentile=self._percentile if aggregate is Aggregate.PERCENTILE else None,
        )
