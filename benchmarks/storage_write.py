"""How many points a second each store takes on disk, against the plainest way to do the same.

`python benchmarks/storage_write.py [POINTS]` prints, for each store, points a second, CPU of this
process per point, and the ratio of its time to that of the baseline in the same run:

- DuckDB against appending the same Arrow columns to a bare table, with no key and no names;
- InfluxDB against influxdb-client's synchronous `write_api` with its `Point` objects and gzip.

InfluxDB is left out, loudly, where `make test-servers` did not build it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow as pa
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point as ClientPoint
from influxdb_client.client.write_api import SYNCHRONOUS

from core.clock import NS_PER_S
from core.reading import Point
from core.settings import load_settings
from storage.backends.influxdb.access import access_of
from storage.backends.influxdb.store import InfluxDBStore
from storage.factory import open_store
from storage.ports import Store, Written
from tests.servers.availability import ServerUnavailableError
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2

DEVICES, BATCH = 500, 5000
T0 = 1_790_000_000 * NS_PER_S


def batches(points: int) -> list[list[Point]]:
    """Return points of two values, of 500 devices, in batches as the drain writes them."""
    made = [
        Point(
            "elgazala",
            f"thermo-{index % DEVICES}",
            "environment",
            T0 + index // DEVICES * 60 * NS_PER_S,
            {"air_temperature": 20 + index % 97 / 10, "relative_humidity": 40 + index % 61 / 7},
        )
        for index in range(points)
    ]
    return [made[first : first + BATCH] for first in range(0, points, BATCH)]


def measure(
    name: str, write: Callable[[list[Point]], object], work: Sequence[list[Point]]
) -> float:
    """Write everything; print what it took and return the seconds."""
    write(work[0])
    points = sum(map(len, work))
    began, cpu = time.perf_counter(), time.process_time()
    for batch in work:
        write(batch)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{name:34} {points / seconds:>10,.0f} points/s  {cpu / points * 1e6:5.1f} us CPU/point")
    return seconds


def through(store: Store) -> Callable[[list[Point]], object]:
    """Return a write to a store that must take everything."""

    def write(batch: list[Point]) -> None:
        if store.write(batch) != Written():
            raise RuntimeError("the store did not take the batch")

    return write


def of_duckdb(work: Sequence[list[Point]], directory: Path) -> None:
    """Measure DuckDB."""
    connection = duckdb.connect(str(directory / "bare.duckdb"))
    connection.execute("CREATE TABLE bare (device INTEGER, time BIGINT, a DOUBLE, b DOUBLE)")

    def append(batch: list[Point]) -> None:
        columns = pa.table(
            {
                "device": list(range(len(batch))),
                "time": [point.time_ns for point in batch],
                "a": [point.values["air_temperature"] for point in batch],
                "b": [point.values["relative_humidity"] for point in batch],
            }
        )
        connection.register("batch", columns)
        connection.execute("INSERT INTO bare SELECT * FROM batch")

    bare = measure("duckdb, bare append", append, work)
    connection.close()
    store = open_store(load_settings(store={"url": f"duckdb:///{directory / 'store.duckdb'}"}))
    ours = measure("duckdb, store", through(store), work)
    store.close()
    print(f"ratio of time, store / bare append: {ours / bare:.2f}\n")


def of_influxdb(work: Sequence[list[Point]], access: InfluxDB2) -> None:
    """Measure InfluxDB."""
    theirs_bucket, ours_bucket = access.create_bucket(), access.create_bucket()
    with InfluxDBClient(
        url=access.url, token=access.token, org=access.org, enable_gzip=True
    ) as client:
        api = client.write_api(write_options=SYNCHRONOUS)

        def write(batch: list[Point]) -> None:
            records = [
                ClientPoint.from_dict(
                    {
                        "measurement": point.category,
                        "tags": {"site": point.site, "device": point.device},
                        "fields": point.values,
                        "time": point.time_ns,
                    }
                )
                for point in batch
            ]
            api.write(bucket=theirs_bucket, record=records)

        theirs = measure("influxdb 2, influxdb-client", write, work)
    settings = load_settings(
        store={
            "url": f"influxdb+{access.url}",
            "token": access.token,
            "org": access.org,
            "bucket": ours_bucket,
        }
    )
    store = InfluxDBStore(access=access_of(settings))
    ours = measure("influxdb 2, store", through(store), work)
    store.close()
    print(f"ratio of time, influxdb-client / store: {theirs / ours:.2f}")


def main() -> None:
    """Measure both."""
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    work = batches(points)
    with tempfile.TemporaryDirectory() as directory:
        of_duckdb(work, Path(directory))
        try:
            server = new_influxdb2(Path(directory))
        except ServerUnavailableError as error:
            print(f"NOT MEASURED: {error}")
            return
        with server:
            of_influxdb(work, server.access)


if __name__ == "__main__":
    main()
