"""How long the usual questions take on a month of minutes of twenty devices, in each store.

`python benchmarks/storage_read.py` fills DuckDB and InfluxDB 2 with 864,000 points of two values,
prints the median time of each question, and the ratio of InfluxDB's hourly means through the store
to the same query sent bare and not even decoded: what the store adds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from core.clock import NS_PER_S
from core.reading import DeviceKey, Point
from core.settings import load_settings
from storage.factory import open_store
from storage.ports import Aggregate, Every, Selection, Store, Windows, Written
from tests.servers.availability import ServerUnavailableError
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2

MINUTE = 60 * NS_PER_S
T0 = 1_790_000_000 * NS_PER_S
MINUTES = 30 * 1440
KEYS = tuple(DeviceKey("elgazala", f"thermo-{index}") for index in range(20))
MONTH = Selection(KEYS, ("air_temperature",), T0, T0 + MINUTES * MINUTE)
DAY = Selection(KEYS[:1], ("air_temperature",), T0, T0 + 1440 * MINUTE)
PARIS = ZoneInfo("Europe/Paris")
HOURLY = Windows(Every(1, "h"), PARIS, Aggregate.MEAN)


def fill(store: Store) -> None:
    """Write the month."""
    for first in range(0, MINUTES, 240):
        batch = [
            Point(
                key.site,
                key.device,
                "environment",
                T0 + minute * MINUTE,
                {"air_temperature": 20 + minute % 97 / 10, "relative_humidity": 50.0},
            )
            for minute in range(first, first + 240)
            for key in KEYS
        ]
        if store.write(batch) != Written():
            raise RuntimeError("the store did not take the batch")


def timed(question: Callable[[], object], rounds: int = 7) -> float:
    """Return the median time of a question, milliseconds."""
    question()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        question()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


def ask(name: str, store: Store) -> float:
    """Print how long each question takes; return that of the hourly means."""
    hourly = timed(lambda: store.aggregate(MONTH, HOURLY))
    questions: dict[str, Callable[[], object]] = {
        "month, daily time-weighted mean": lambda: store.aggregate(
            MONTH, Windows(Every(1, "d"), PARIS, Aggregate.TIME_WEIGHTED_MEAN)
        ),
        "one day raw, one device": lambda: store.read(DAY, limit=2000),
        "a page of 1000, 20 devices": lambda: store.read(MONTH, limit=1000),
        "latest of 20 devices": lambda: store.latest(KEYS),
        "latest of one device": lambda: store.latest(KEYS[:1]),
        "count of the month": lambda: store.count(MONTH),
    }
    print(f"{name:10} {'month, hourly mean':34} {hourly:8.1f} ms")
    for question, action in questions.items():
        print(f"{name:10} {question:34} {timed(action):8.1f} ms")
    return hourly


def bare(access: InfluxDB2, bucket: str) -> float:
    """Return how long the hourly means take InfluxDB and the network alone, milliseconds."""
    devices = " OR ".join(f"\"device\"='{key.device}'" for key in KEYS)
    query = (
        "SELECT mean(air_temperature), count(air_temperature) FROM environment "  # noqa: S608
        f"WHERE ({devices}) AND time >= {MONTH.start_ns} AND time < {MONTH.end_ns} "
        "GROUP BY time(1h), site, device fill(none)"
    )
    with httpx.Client(headers={"Authorization": f"Token {access.token}"}) as client:
        return timed(
            lambda: client.post(
                f"{access.url}/query", data={"db": bucket, "q": query, "epoch": "ns"}
            ).read()
        )


def main() -> None:
    """Fill and ask both."""
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(load_settings(store={"url": f"duckdb:///{directory}/store.duckdb"}))
        fill(store)
        ask("duckdb", store)
        store.close()
        try:
            server = new_influxdb2(Path(directory))
        except ServerUnavailableError as error:
            print(f"NOT MEASURED: {error}")
            return
        with server:
            bucket = server.access.create_bucket()
            settings = load_settings(
                store={
                    "url": f"influxdb+{server.access.url}",
                    "token": server.access.token,
                    "bucket": bucket,
                }
            )
            store = open_store(settings)
            fill(store)
            hourly = ask("influxdb 2", store)
            store.close()
            alone = bare(server.access, bucket)
            print(f"ratio of time, store / bare query, month of hourly means: {hourly / alone:.2f}")


if __name__ == "__main__":
    main()
