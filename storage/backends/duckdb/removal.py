"""Deleting single values from a DuckDB file; the quality of their instant stays."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from core.quantities import quantity
from storage.backends.duckdb.names import Names
from storage.ports import Position

_DELETE = """
DELETE FROM samples USING gone
WHERE samples.series = gone.series AND samples.time = gone.time
AND samples.time BETWEEN {first} AND {last}
"""


def remove(cursor: duckdb.DuckDBPyConnection, values: Sequence[Position], names: Names) -> int:
    """Delete values in the transaction of `cursor`; return how many there were.

    Raises:
        UnknownQuantityError: a quantity is not in the catalogue.
    """
    keys = set()
    for one in values:
        source = names.sources.get((one.site, one.device, quantity(one.quantity).category.value))
        number = None if source is None else source.series.get(one.quantity)
        if number is not None:
            keys.add((number, one.time_ns))
    if not keys:
        return 0
    numbers, times = zip(*keys, strict=True)
    columns = {"series": pa.array(numbers, pa.int32()), "time": pa.array(times, pa.int64())}
    cursor.register("gone", pa.table(columns))
    [(count,)] = cursor.execute(_DELETE.format(first=min(times), last=max(times))).fetchall()
    cursor.unregister("gone")
    return int(count)
