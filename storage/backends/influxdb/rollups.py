"""Hourly roll-ups in InfluxDB: made by the server's own aggregates, kept as measurements of theirs.

The roll-ups of a category are the measurement `CATEGORY_1h`: a row an hour of UTC, at its start,
with the fields `QUANTITY_count`, `_sum`, `_min`, `_max`, `_first`, `_last`. Written again, a row
replaces itself. They are in the bucket of the values, and expire with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.clock import NS_PER_HOUR
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from storage.backends.influxdb.influxql import HOURS, ROLLED, field_keys, sources
from storage.backends.influxdb.query import QueryClient, Rows, UnrepresentableError
from storage.backends.influxdb.writer import InfluxDBWriter
from storage.line_protocol import tags_of
from storage.ports import Retry
from storage.selecting import storable_devices

_LINES = 5000


class InfluxDBRollups:
    """Makes the roll-ups of one bucket.

    Args:
        queries: of the bucket.
        writer: of the bucket.
    """

    def __init__(self, *, queries: QueryClient, writer: InfluxDBWriter) -> None:
        self._queries = queries
        self._writer = writer

    def roll_up(
        self, devices: Sequence[DeviceKey], category: str, *, start_ns: int, end_ns: int
    ) -> bool | Retry:
        """See `storage.rollups.RollupStore.roll_up`."""
        if start_ns % NS_PER_HOUR or end_ns % NS_PER_HOUR:
            raise ValueError("hours begin and end on the hour")
        names = self._names(category)
        if not names:
            return True
        lines: list[str] = []
        try:
            for source in sources(storable_devices(devices), {category: names}):
                statement = source.rolling(start_ns=start_ns, end_ns=end_ns)
                for rows in self._queries.run([statement]):
                    lines += _lines(rows, category, names)
        except UnrepresentableError:
            return False
        for start in range(0, len(lines), _LINES):
            written = self._writer.write_lines("\n".join(lines[start : start + _LINES]).encode())
            if written is not True:
                return written
        return True

    def _names(self, category: str) -> list[str]:
        """Return the quantities of a category that the bucket has any value of."""
        found: set[str] = set()
        for rows in self._queries.run([field_keys(category)]):
            found.update(row[0] for row in rows.values)
        return [name for name in CATALOGUE if name in found]


def _lines(rows: Rows, category: str, names: Sequence[str]) -> list[str]:
    head = f"{category}{HOURS},{tags_of(rows.tags['site'], rows.tags['device'])}"
    lines = []
    for time_ns, *values in rows.values:
        fields = [
            f"{name}_{column}={float(value)!r}"
            for place, name in enumerate(names)
            if values[place * len(ROLLED)]  # its count
            for column, value in zip(ROLLED, values[place * len(ROLLED) :], strict=False)
        ]
        if fields:
            lines.append(f"{head} {','.join(fields)} {time_ns}")
    return lines
