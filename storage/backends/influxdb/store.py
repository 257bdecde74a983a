"""A `Store` in InfluxDB: the writer and the reader over one HTTP client.

Any thread may call any method: the client keeps a pool of connections, and there is no other state.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.reading import DeviceKey, Point, Reading
from storage.backends.influxdb.access import Access, new_client
from storage.backends.influxdb.hours import InfluxDBHours
from storage.backends.influxdb.query import QueryClient
from storage.backends.influxdb.reader import InfluxDBReader
from storage.backends.influxdb.rollups import InfluxDBRollups
from storage.backends.influxdb.writer import InfluxDBWriter
from storage.columns import ColumnRead, SeriesKey
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


class InfluxDBStore:
    """Points in one bucket (2.x) or database (1.x), which exists.

    Args:
        access: how to reach it.
    """

    def __init__(self, *, access: Access) -> None:
        self._client = new_client(access)
        self._writer = InfluxDBWriter(
            client=self._client, bucket=access.bucket, org=access.org, compress=access.compress
        )
        queries = QueryClient(client=self._client, database=access.bucket)
        self._reader = InfluxDBReader(queries=queries)
        self._hours = InfluxDBHours(
            client=self._client, queries=queries, bucket=access.bucket, org=access.org
        )

        self._rollups = InfluxDBRollups(queries=queries, writer=self._writer)

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`."""
        return self._writer.write(points)

    def write_lines(self, lines: bytes) -> bool | Retry:
        """See `LineWriter.write_lines`."""
        return self._writer.write_lines(lines)

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`."""
        return self._reader.read(selection, limit=limit, after=after)

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        return self._reader.aggregate(selection, windows)

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`."""
        return self._reader.latest(devices, quantities=quantities)

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        return self._reader.count(selection)

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        return self._hours.hourly(devices, start_ns=start_ns, end_ns=end_ns)

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`."""
        return self._hours.keeps_s()

    def aggregate_rolled(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `RollupStore.aggregate_rolled`."""
        return self._reader.aggregate_rolled(selection, windows)

    def roll_up(
        self, devices: Sequence[DeviceKey], category: str, *, start_ns: int, end_ns: int
    ) -> bool | Retry:
        """See `RollupStore.roll_up`."""
        return self._rollups.roll_up(devices, category, start_ns=start_ns, end_ns=end_ns)

    def read_columns(
        self, series: Sequence[SeriesKey], *, start_ns: int, end_ns: int, rows: int
    ) -> list[ColumnRead]:
        """See `ColumnReader.read_columns`."""
        return self._reader.read_columns(series, start_ns=start_ns, end_ns=end_ns, rows=rows)

    def ping(self) -> None:
        """See `PointReader.ping`."""
        self._reader.ping()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
