"""How many values of each device a DuckDB file holds in each hour."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from core.clock import NS_PER_HOUR, NS_PER_S
from core.reading import DeviceKey
from storage.backends.duckdb.names import Names
from storage.ports import HourCount
from storage.refusal import EARLIEST_NS, LATEST_NS

# `//` cuts towards zero: an instant before 1970 lies in the hour before.
_HOURLY = f"""
SELECT counted.device, samples.time // {NS_PER_HOUR} - (samples.time % {NS_PER_HOUR} < 0)::BIGINT
       AS hour, count(*)
FROM samples JOIN counted ON samples.series = counted.series
WHERE samples.time >= $start AND samples.time < $end
GROUP BY counted.device, hour
"""  # noqa: S608 - numbers of our own


def hourly(
    cursor: duckdb.DuckDBPyConnection,
    names: Names,
    devices: Sequence[DeviceKey] | None,
    *,
    start_ns: int,
    end_ns: int,
) -> list[HourCount]:
    """See `PointReader.hourly`."""
    wanted = None if devices is None else {(key.site, key.device) for key in devices}
    places: dict[tuple[str, str], int] = {}
    counted: list[int] = []
    series: list[int] = []
    for (site, device, _), (number, _) in names.series.items():
        if wanted is None or (site, device) in wanted:
            counted.append(places.setdefault((site, device), len(places)))
            series.append(number)
    if not series:
        return []
    table = {"device": pa.array(counted, pa.int32()), "series": pa.array(series, pa.int32())}
    cursor.register("counted", pa.table(table))
    bounds = {"start": max(start_ns, EARLIEST_NS), "end": min(end_ns, LATEST_NS + 1)}
    rows = cursor.execute(_HOURLY, bounds).fetchall()
    keys = list(places)
    return sorted(
        HourCount(keys[device][0], keys[device][1], hour * (NS_PER_HOUR // NS_PER_S), values)
        for device, hour, values in rows
    )
