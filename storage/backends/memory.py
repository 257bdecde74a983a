"""The store in memory: the reference that the contract suite holds the others to, and for tests.

One lock guards everything: any thread may call any method. Nothing outlives the process.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from core.clock import hour_of
from core.quantities import quantity
from core.reading import DeviceKey, Point, Reading
from core.settings import Settings
from storage.aggregation import aggregate_values, checked_percentile
from storage.plugin import StorePlugin
from storage.ports import (
    HourCount,
    Page,
    Position,
    Retry,
    Selection,
    Windows,
    WindowValue,
    Written,
)
from storage.refusal import refused
from storage.selecting import (
    Series,
    checked_limit,
    known_quantities,
    page_of,
    position_of,
    window_values,
    within_bounds,
)
from storage.windows import cut, index_of


class _Values:
    """The values of one series by instant, with the instants in order when they are asked for."""

    def __init__(self) -> None:
        self.by_time: dict[int, float] = {}
        self._times: list[int] = []
        self._ordered = True

    def put(self, time_ns: int, value: float) -> None:
        if time_ns not in self.by_time:
            self._ordered = self._ordered and (not self._times or time_ns > self._times[-1])
            self._times.append(time_ns)
        self.by_time[time_ns] = value

    def remove(self, time_ns: int) -> bool:
        if self.by_time.pop(time_ns, None) is None:
            return False
        self._times.remove(time_ns)
        return True

    def times(self) -> list[int]:
        if not self._ordered:
            self._times.sort()
            self._ordered = True
        return self._times

    def between(self, start_ns: int, end_ns: int, *, most: int | None = None) -> list[int]:
        times = self.times()
        first, last = bisect_left(times, start_ns), bisect_left(times, end_ns)
        return times[first : last if most is None else min(last, first + most)]


class MemoryStore:
    """A `Store` that keeps everything in dictionaries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Series, _Values] = {}
        self._marks: dict[tuple[str, str, str], dict[int, int]] = {}

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`."""
        rejected = refused(points)
        bad = {one.index for one in rejected}
        with self._lock:
            for index, point in enumerate(points):
                if index not in bad:
                    self._put(point)
        return Written(rejected)

    def remove(self, values: Sequence[Position]) -> int | Retry:
        """See `ValueRemover.remove`."""
        with self._lock:
            keys = [((one.site, one.device, one.quantity), one.time_ns) for one in values]
            return sum(self._series[key].remove(at) for key, at in keys if key in self._series)

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`."""
        checked_limit(limit)
        selection = within_bounds(selection)
        start_ns = selection.start_ns if after is None else max(selection.start_ns, after.time_ns)
        with self._lock:
            found = [
                self._reading(series, time_ns, values.by_time[time_ns])
                for series, values in self._selected(selection)
                # One more than a page: what stands before `after` at its instant does not count.
                for time_ns in values.between(start_ns, selection.end_ns, most=limit + 2)
            ]
        found.sort(key=position_of)
        if after is not None:
            found = [reading for reading in found if position_of(reading) > after]
        return page_of(found, limit=limit)

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        percentile = checked_percentile(windows)
        selection = within_bounds(selection)
        edges = cut(
            windows.every,
            zone=windows.zone,
            start_ns=selection.start_ns,
            end_ns=selection.end_ns,
        )
        found: dict[Series, dict[int, tuple[float, int]]] = {}
        with self._lock:
            for series, values in self._selected(selection):
                grouped: dict[int, list[int]] = {}
                for time_ns in values.between(selection.start_ns, selection.end_ns):
                    grouped.setdefault(index_of(edges, time_ns), []).append(time_ns)
                found[series] = {
                    index: (
                        aggregate_values(
                            times,
                            [values.by_time[time_ns] for time_ns in times],
                            aggregate=windows.aggregate,
                            end_ns=min(edges[index + 1], selection.end_ns),
                            percentile=percentile,
                        ),
                        len(times),
                    )
                    for index, times in grouped.items()
                }
        return window_values(selection, edges, found)

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`."""
        wanted = None if quantities is None else [quantity(name).name for name in quantities]
        answer = []
        with self._lock:
            for key in dict.fromkeys(devices):
                for name in dict.fromkeys(self._names(key) if wanted is None else wanted):
                    series = (key.site, key.device, name)
                    values = self._series.get(series)
                    if values is not None and values.by_time:
                        time_ns = values.times()[-1]
                        answer.append(self._reading(series, time_ns, values.by_time[time_ns]))
        return answer

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        selection = within_bounds(selection)
        with self._lock:
            return sum(
                len(values.between(selection.start_ns, selection.end_ns))
                for _, values in self._selected(selection)
            )

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        wanted = None if devices is None else {(key.site, key.device) for key in devices}
        found: Counter[tuple[str, str, int]] = Counter()
        with self._lock:
            for (site, device, _), values in self._series.items():
                if wanted is None or (site, device) in wanted:
                    hours = map(hour_of, values.between(start_ns, end_ns))
                    found.update((site, device, hour) for hour in hours)
        return sorted(HourCount(*key, count) for key, count in found.items())

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`."""
        return None

    def ping(self) -> None:
        """Return: memory always answers."""

    def close(self) -> None:
        """Do nothing: what is held goes with the object."""

    def _put(self, point: Point) -> None:
        for name, value in point.values.items():
            series = (point.site, point.device, name)
            self._series.setdefault(series, _Values()).put(point.time_ns, float(value))
        if point.quality:
            marks = self._marks.setdefault((point.site, point.device, point.category), {})
            marks[point.time_ns] = int(point.quality)

    def _selected(self, selection: Selection) -> Iterator[tuple[Series, _Values]]:
        known_quantities(selection.quantities)
        for key in dict.fromkeys(selection.devices):
            for name in dict.fromkeys(selection.quantities):
                values = self._series.get((key.site, key.device, name))
                if values is not None:
                    yield (key.site, key.device, name), values

    def _names(self, key: DeviceKey) -> list[str]:
        own = (key.site, key.device)
        return sorted(name for site, device, name in self._series if (site, device) == own)

    def _reading(self, series: Series, time_ns: int, value: float) -> Reading:
        site, device, name = series
        marks = self._marks.get((site, device, quantity(name).category.value), {})
        return Reading(site, device, name, time_ns, value, marks.get(time_ns, 0))


def _open(_settings: Settings) -> MemoryStore:
    return MemoryStore()


PLUGIN = StorePlugin(schemes=("memory",), open=_open)
