"""Merging a batch of points into a DuckDB file: what exists is replaced, the rest is added."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import pairwise

import duckdb
import pyarrow as pa

from core.clock import NS_PER_HOUR
from core.reading import Point
from storage.backends.duckdb.names import Names

_GAP_NS = 6 * NS_PER_HOUR
_MOST_SPANS = 8

_MERGE = """
MERGE INTO {table} AS kept
USING (SELECT * FROM batch WHERE time BETWEEN {first} AND {last}) AS new
ON kept.{key} = new.{key} AND kept.time = new.time AND kept.time BETWEEN {first} AND {last}
WHEN MATCHED THEN UPDATE SET {value} = new.{value}
WHEN NOT MATCHED THEN INSERT ({key}, time, {value}) VALUES (new.{key}, new.time, new.{value})
"""


def merge(cursor: duckdb.DuckDBPyConnection, points: Sequence[Point], names: Names) -> None:
    """Write `points` in the transaction of `cursor`; of two with one key the later counts.

    Args:
        cursor: in a transaction; nobody else writes.
        points: none that `storage.refusal` refuses.
        names: which hold all of the points' names.
    """
    values: dict[tuple[int, int], float] = {}
    marks: dict[tuple[int, int], int] = {}
    for point in points:
        source = names.sources[point.site, point.device, point.category]
        time_ns = point.time_ns
        for name, value in point.values.items():
            values[source.series[name], time_ns] = float(value)
        if point.quality:
            marks[source.id, time_ns] = int(point.quality)
    _merge(cursor, values, table="samples", key="series", value="value", kind=pa.float64())
    if marks:
        _merge(cursor, marks, table="marks", key="source", value="quality", kind=pa.int32())


def _merge(
    cursor: duckdb.DuckDBPyConnection,
    rows: dict[tuple[int, int], float] | dict[tuple[int, int], int],
    *,
    table: str,
    key: str,
    value: str,
    kind: pa.DataType,
) -> None:
    numbers, times = zip(*rows, strict=True)
    columns = {
        key: pa.array(numbers, pa.int32()),
        "time": pa.array(times, pa.int64()),
        value: pa.array(rows.values(), kind),
    }
    cursor.register("batch", pa.table(columns))
    for first, last in spans(times):
        cursor.execute(_MERGE.format(table=table, key=key, value=value, first=first, last=last))
    cursor.unregister("batch")


def spans(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield a few ranges (inclusive) that hold all of `times` and leave out their longest gaps.

    DuckDB keeps the least and greatest time of every block, and skips the blocks outside the
    range: one point of last year in a batch of today's must not make it look through all between.
    """
    ordered = sorted(set(times))
    gaps = [(later - earlier, earlier) for earlier, later in pairwise(ordered)]
    ends = sorted(end for gap, end in heapq.nlargest(_MOST_SPANS - 1, gaps) if gap > _GAP_NS)
    starts = dict(pairwise(ordered))
    first = ordered[0]
    for end in ends:
        yield first, end
        first = starts[end]
    yield first, ordered[-1]
