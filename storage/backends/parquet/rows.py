"""The columns of the files: a row a point, a column a quantity with its unit beside its name.

A row is what a point is: the values of one category that one device measured at one instant. Every
file has a column for every quantity of the catalogue of its time, empty ones cost some bytes. Site
and UTC day of the instant are in the names of the directories (`site=`, `date=`), as Hive, DuckDB,
Spark, Arrow and pandas read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

from core.clock import NS_PER_S
from core.quantities import CATALOGUE
from core.reading import Point

KEY = ("device", "category", "time")
"""Columns that tell a row, within its directory."""
_NS_PER_DAY = 86_400 * NS_PER_S
_FIRST_DAY = date(1970, 1, 1)

SCHEMA: Any = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False),
        *(
            pa.field(
                entry.name,
                pa.float64(),
                metadata={
                    "quantity": entry.name,
                    "unit": entry.unit,
                    "category": entry.category.value,
                    "description": entry.description,
                },
            )
            for entry in CATALOGUE.values()
        ),
        pa.field("quality", pa.int32(), nullable=False),
        pa.field("written", pa.timestamp("us", tz="UTC"), nullable=False),
    ],
    metadata={"passerelle": "1"},
)
"""`quality` is `core.quality.Quality`; `written` is when the row was written: of rows with one key
the last one that names a value counts."""


class Row(msgspec.Struct):
    """What the points of one key say together.

    Attributes:
        values: by quantity.
        quality: bit mask.
    """

    values: dict[str, float]
    quality: int = 0

    def take(self, values: Mapping[str, float], quality: int) -> None:
        """Let a later point with the same key replace what it names."""
        self.values.update(values)
        self.quality = quality or self.quality


Rows = dict[tuple[str, str, int], Row]
"""Rows by device, category and instant."""


def by_day(points: Iterable[Point]) -> dict[tuple[str, date], Rows]:
    """Return the rows of points by site and UTC day; of two with one key the later counts."""
    days: dict[tuple[str, int], Rows] = {}
    for point in points:
        rows = days.setdefault((point.site, point.time_ns // _NS_PER_DAY), {})
        key = (point.device, point.category, point.time_ns)
        row = rows.get(key)
        if row is None:
            rows[key] = Row(dict(point.values), int(point.quality))
        else:
            row.take(point.values, int(point.quality))
    return {(site, _FIRST_DAY + timedelta(days=day)): rows for (site, day), rows in days.items()}


def table_of(rows: Rows, *, written_ns: int) -> Any:
    """Return rows as an Arrow table, in the order of their keys."""
    keys = sorted(rows)
    ordered = [rows[key] for key in keys]
    devices, categories, times = zip(*keys, strict=True)
    present = set().union(*(row.values for row in ordered))
    written = datetime.fromtimestamp(written_ns // NS_PER_S, tz=UTC) + timedelta(
        microseconds=written_ns % NS_PER_S // 1000
    )
    columns: dict[str, Any] = {
        "device": pa.array(devices, pa.string()),
        "category": pa.array(categories, pa.string()),
        "time": pa.array(times, pa.int64()).cast(pa.timestamp("ns", tz="UTC")),
        "quality": pa.array([row.quality for row in ordered], pa.int32()),
        "written": pa.array([written] * len(keys), pa.timestamp("us", tz="UTC")),
    }
    for name in CATALOGUE:
        if name in present:
            columns[name] = pa.array([row.values.get(name) for row in ordered], pa.float64())
        else:
            columns[name] = pa.nulls(len(keys), pa.float64())
    return pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)
