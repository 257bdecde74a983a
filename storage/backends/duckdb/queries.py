"""Reading from a DuckDB file: series are chosen by number, windows by their edges.

The tables `wanted` and `windows` are Arrow tables that belong to the cursor; no value is ever put
into the text of a statement.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa

from core.reading import DeviceKey, Reading
from storage.aggregation import aggregate_values, checked_percentile
from storage.backends.duckdb.names import Names
from storage.ports import Aggregate, Page, Position, Selection, Windows, WindowValue
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.selecting import Series, known_quantities, page_of, window_values, within_bounds
from storage.windows import cut

_PAGE = """
WITH page AS (
    SELECT wanted.rank, wanted.source, samples.time, samples.value
    FROM samples JOIN wanted ON samples.series = wanted.series
    WHERE samples.time >= $start AND samples.time < $end
      AND (samples.time > $after_time OR wanted.rank > $after_rank)
    ORDER BY samples.time, wanted.rank LIMIT $limit)
SELECT page.rank, page.time, page.value, coalesce(marks.quality, 0)
FROM page LEFT JOIN marks ON marks.source = page.source AND marks.time = page.time
ORDER BY page.time, page.rank
"""
_LATEST = """
WITH newest AS (
    SELECT wanted.rank, wanted.source, max(samples.time) AS time,
           arg_max(samples.value, samples.time) AS value
    FROM samples JOIN wanted ON samples.series = wanted.series
    GROUP BY wanted.rank, wanted.source)
SELECT newest.rank, newest.time, newest.value, coalesce(marks.quality, 0)
FROM newest LEFT JOIN marks ON marks.source = newest.source AND marks.time = newest.time
ORDER BY newest.rank
"""
_COUNT = """
SELECT count(*) FROM samples JOIN wanted ON samples.series = wanted.series
WHERE samples.time >= $start AND samples.time < $end
"""
_PICKED = """
WITH picked AS (
    SELECT wanted.rank, windows.index, windows.stop, samples.time, samples.value
    FROM samples JOIN wanted ON samples.series = wanted.series
    ASOF JOIN windows ON samples.time >= windows.start
    WHERE samples.time >= $start AND samples.time < $end)
"""
_GROUPED = f"{_PICKED} SELECT rank, index, {{what}}, count(*) FROM picked GROUP BY rank, index"  # noqa: S608 - see above
_WEIGHTED = f"""{_PICKED}, weighted AS (
    SELECT rank, index, value,
           (coalesce(lead(time) OVER each, stop)::HUGEINT - time)::DOUBLE
           / (stop::HUGEINT - first_value(time) OVER each)::DOUBLE AS weight
    FROM picked WINDOW each AS (PARTITION BY rank, index ORDER BY time))
SELECT rank, index, fsum(value * weight), count(*) FROM weighted GROUP BY rank, index
"""  # noqa: S608 - see above
_RAW = """
SELECT samples.time, samples.value FROM samples JOIN wanted ON samples.series = wanted.series
WHERE wanted.rank = $rank AND samples.time >= $start AND samples.time < $end
ORDER BY samples.time
"""
_WHAT: Mapping[Aggregate, str] = {
    Aggregate.MEAN: "favg(value)",
    Aggregate.MIN: "min(value)",
    Aggregate.MAX: "max(value)",
    Aggregate.SUM: "fsum(value)",
    Aggregate.COUNT: "count(*)::DOUBLE",
    Aggregate.FIRST: "arg_min(value, time)",
    Aggregate.LAST: "arg_max(value, time)",
    Aggregate.MEDIAN: "median(value)",
}
_WINDOW_TYPES = pa.schema([("index", pa.int32()), ("start", pa.int64()), ("stop", pa.int64())])


def page(
    cursor: duckdb.DuckDBPyConnection,
    names: Names,
    selection: Selection,
    *,
    limit: int,
    after: Position | None,
) -> Page:
    """See `PointReader.read`."""
    selection = within_bounds(selection)
    wanted = sorted(_selected(names, selection))
    if not wanted:
        return Page(())
    after_time, after_rank = EARLIEST_NS - 1, -1
    if after is not None:
        place = (after.site, after.device, after.quantity)
        after_time = after.time_ns
        after_rank = sum(series <= place for series in wanted) - 1
    _register(cursor, names, wanted)
    rows = cursor.execute(
        _PAGE,
        {
            "start": max(selection.start_ns, after_time),
            "end": selection.end_ns,
            "after_time": after_time,
            "after_rank": after_rank,
            "limit": limit + 1,
        },
    ).fetchall()
    return page_of(_readings(wanted, rows), limit=limit)


def latest(
    cursor: duckdb.DuckDBPyConnection,
    names: Names,
    devices: Sequence[DeviceKey],
    quantities: Sequence[str] | None,
) -> list[Reading]:
    """See `PointReader.latest`."""
    if quantities is None:
        place = {(key.site, key.device): rank for rank, key in enumerate(dict.fromkeys(devices))}
        wanted = sorted(
            (series for series in names.series if series[:2] in place),
            key=lambda series: (place[series[:2]], series[2]),
        )
    else:
        everything = Selection(tuple(devices), tuple(quantities), EARLIEST_NS, LATEST_NS + 1)
        wanted = _selected(names, everything)
    if not wanted:
        return []
    _register(cursor, names, wanted)
    return _readings(wanted, cursor.execute(_LATEST).fetchall())


def count(cursor: duckdb.DuckDBPyConnection, names: Names, selection: Selection) -> int:
    """See `PointReader.count`."""
    selection = within_bounds(selection)
    wanted = _selected(names, selection)
    if not wanted:
        return 0
    _register(cursor, names, wanted)
    bounds = {"start": selection.start_ns, "end": selection.end_ns}
    [(number,)] = cursor.execute(_COUNT, bounds).fetchall()
    return int(number)


def aggregate(
    cursor: duckdb.DuckDBPyConnection, names: Names, selection: Selection, windows: Windows
) -> list[WindowValue]:
    """See `PointReader.aggregate`."""
    percentile = checked_percentile(windows)
    selection = within_bounds(selection)
    edges = cut(
        windows.every, zone=windows.zone, start_ns=selection.start_ns, end_ns=selection.end_ns
    )
    wanted = _selected(names, selection)
    found: dict[Series, dict[int, tuple[float, int]]] = {}
    if wanted and edges:
        _register(cursor, names, wanted)
        stops = [min(edge, selection.end_ns) for edge in edges[1:]]
        starts = [max(edge, EARLIEST_NS) for edge in edges[:-1]]
        table = pa.table([range(len(stops)), starts, stops], schema=_WINDOW_TYPES)
        cursor.register("windows", table)
        bounds = {"start": selection.start_ns, "end": selection.end_ns}
        rows = cursor.execute(_statement(windows.aggregate, percentile), bounds).fetchall()
        for rank, index, value, number in rows:
            exact = value
            if not math.isfinite(value):
                bounds = {
                    "rank": rank,
                    "start": max(starts[index], selection.start_ns),
                    "end": stops[index],
                }
                exact = _exactly(cursor, bounds, windows.aggregate, percentile)
            found.setdefault(wanted[rank], {})[index] = (exact, number)
    return window_values(selection, edges, found)


def _statement(aggregate: Aggregate, percentile: Fraction | None) -> str:
    if aggregate is Aggregate.TIME_WEIGHTED_MEAN:
        return _WEIGHTED
    if percentile is not None:
        over, under = percentile.numerator, percentile.denominator * 100
        rank = f"(count(*)::HUGEINT * {over}::HUGEINT + {under - 1}::HUGEINT) // {under}::HUGEINT"
        return _GROUPED.format(what=f"list(value ORDER BY value)[({rank})::BIGINT]")
    return _GROUPED.format(what=_WHAT[aggregate])


def _exactly(
    cursor: duckdb.DuckDBPyConnection,
    bounds: dict[str, Any],
    aggregate: Aggregate,
    percentile: Fraction | None,
) -> float:
    """Return the aggregate of one window whose sum, on the way, was beyond float64."""
    rows = cursor.execute(_RAW, bounds).fetchall()
    times, values = zip(*rows, strict=True)
    return aggregate_values(
        times, values, aggregate=aggregate, end_ns=bounds["end"], percentile=percentile
    )


def _selected(names: Names, selection: Selection) -> list[Series]:
    known_quantities(selection.quantities)
    candidates = (
        (key.site, key.device, name)
        for key in dict.fromkeys(selection.devices)
        for name in dict.fromkeys(selection.quantities)
    )
    return [series for series in candidates if series in names.series]


def _register(cursor: duckdb.DuckDBPyConnection, names: Names, wanted: Iterable[Series]) -> None:
    numbers, sources = zip(*(names.series[series] for series in wanted), strict=True)
    table = pa.table(
        {
            "rank": pa.array(range(len(numbers)), pa.int32()),
            "series": pa.array(numbers, pa.int32()),
            "source": pa.array(sources, pa.int32()),
        }
    )
    cursor.register("wanted", table)


def _readings(
    wanted: Sequence[Series], rows: Iterable[tuple[int, int, float, int]]
) -> list[Reading]:
    return [
        Reading(*wanted[rank], time_ns, value, quality) for rank, time_ns, value, quality in rows
    ]
