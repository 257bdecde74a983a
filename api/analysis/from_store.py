"""Reading what windows are made of: aggregates of devices to merge, or the values themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from api.analysis.grouping import Labels
from api.analysis.merging import Counts, Floats, Merge
from api.analysis.raw_windows import RawWindows
from api.analysis.streaming import kept_readings
from api.analysis.telemetry import Telemetry
from api.analysis.window_query import Found, Plan, Read, WindowQuery
from api.reading_query import ReadingQuery
from api.times import in_zone
from api.windows import window_bound
from core.clock import NS_PER_S
from core.errors import QueryTooLargeError
from core.reading import DeviceKey
from storage.ports import Aggregate, PointReader, Selection, Windows


def read_merged(telemetry: Telemetry, plan: Plan) -> Found:
    """Put together what the store computes of each device."""
    asked, edges, labels = plan.asked, plan.edges, plan.labels
    found: Found = {}
    for aggregate in asked.aggregates:
        windows = msgspec.structs.replace(
            asked.windows,
            aggregate=aggregate,
            percentile=asked.windows.percentile if aggregate is Aggregate.PERCENTILE else None,
        )
        merges: dict[tuple[Labels, str], Merge] = {}
        for part in _parts(plan, windows):
            for key, name, values, counts in _of_devices(telemetry, part, windows, edges):
                series = (labels[key], name)
                if not asked.group_by:
                    _put(found, series, aggregate, values, counts)
                    continue
                if series not in merges:
                    merges[series] = Merge(aggregate, windows=len(edges) - 1)
                merges[series].add(values, counts)
        for series, merge in merges.items():
            _put(found, series, aggregate, merge.values(), merge.counts())
    return found


def _put(
    found: Found,
    series: tuple[Labels, str],
    aggregate: Aggregate,
    values: Floats,
    counts: Counts,
) -> None:
    read = found.setdefault(series, Read(counts, {}))
    # a value that came between two questions to the store is shown in neither
    read.values[aggregate] = np.where(read.counts > 0, values, np.nan)


def _parts(plan: Plan, windows: Windows) -> Iterator[ReadingQuery]:
    """Yield the query in parts, so that no more than one answer's values are held at once."""
    query = plan.query
    each = window_bound(windows.every, start_ns=query.start_ns, end_ns=query.end_ns)
    for names, keys in plan.having:
        step = max(1, query.max_points // (each * len(names)))
        for first in range(0, len(keys), step):
            yield msgspec.structs.replace(
                query, devices=keys[first : first + step], quantities=names
            )


def _of_devices(
    telemetry: Telemetry, part: ReadingQuery, windows: Windows, edges: list[int]
) -> Iterator[tuple[DeviceKey, str, Floats, Counts]]:
    place = {start: index for index, start in enumerate(edges[:-1])}
    series: dict[tuple[str, str, str], tuple[Floats, Counts]] = {}
    for window in telemetry.windows(part, windows):
        key = (window.site, window.device, window.quantity)
        if key not in series:
            series[key] = (
                np.full(len(place), np.nan),
                np.zeros(len(place), dtype=np.int64),
            )
        index = place.get(window.start_ns)
        if index is not None and window.value is not None:
            series[key][0][index] = window.value
            series[key][1][index] = window.count
    for (site, device, name), (values, counts) in series.items():
        yield DeviceKey(site, device), name, values, counts


def read_values(store: PointReader, plan: Plan) -> Found:
    """Read every value once, and compute the windows of them.

    Raises:
        QueryTooLargeError: there are too many; the hint names a start that would fit.
    """
    query, asked = plan.query, plan.asked
    selection = Selection(
        devices=tuple(dict.fromkeys(key for _, keys in plan.having for key in keys)),
        quantities=tuple(dict.fromkeys(name for names, _ in plan.having for name in names)),
        start_ns=query.start_ns,
        end_ns=query.end_ns,
    )
    count = store.count(selection)
    if count > asked.max_scanned:
        raise _too_many(query, asked, count)
    raw = RawWindows(
        edges=plan.edges,
        end_ns=query.end_ns,
        windows=asked.windows,
        aggregates=asked.aggregates,
        series_of=plan.labels.__getitem__,
    )
    for readings in kept_readings(store, selection, asked.quality):
        raw.add(readings)
    raw.finish()
    return {series: Read(counts, raw.values[series]) for series, counts in raw.counts.items()}


def _too_many(query: ReadingQuery, asked: WindowQuery, count: int) -> QueryTooLargeError:
    why = (
        "values chosen by quality"
        if asked.quality.active
        else "first, last, median and percentile of a group"
    )
    span_ns = (query.end_ns - query.start_ns) * asked.max_scanned // count
    fitting = in_zone(query.end_ns - max(span_ns // NS_PER_S, 1) * NS_PER_S, query.zone)
    return QueryTooLargeError(
        f"{why} are computed from the values themselves: {count} would have to be read, more than "
        f"{asked.max_scanned}",
        hint=f"from={fitting} would fit if values are spread evenly; or ask for fewer devices",
    )
