"""How quick is the API beside InfluxDB asked directly? Ratios, both in one run and in turns.

`python -m benchmarks.reads` fills InfluxDB 2 with a month of minutes of twenty devices, starts the
API as a program of its own, rolls the month up, and asks in turns, over one kept connection each:

- one day raw of one device: `/v1/readings`, and the same InfluxQL answered as JSON;
- the month in hourly means of one device, the same;
- the newest value of every device: `/v1/latest`, and `last()` of each series.

It prints p50 and p99 of each, the ratios, and the goal of each. Both answers are received whole and
not decoded. `--rounds` chooses how often each is asked.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from benchmarks.child import Child
from core.access import EVERYTHING
from core.clock import NS_PER_HOUR, NS_PER_S, SystemClock, iso
from core.metrics import Metrics
from core.reading import DeviceKey, Point
from core.settings import load_settings
from devices.registry import Device, Registry
from ingest.rolling import Roller
from storage.factory import open_store
from storage.ports import Store, Written
from tests.servers.availability import ServerUnavailableError
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until

SITE = "elgazala"
QUANTITY = "air_temperature"
DEVICES = tuple(DeviceKey(SITE, f"thermo-{index:02d}") for index in range(20))
DAYS = 30
MINUTE_NS = 60 * NS_PER_S
DAY_NS = 24 * NS_PER_HOUR
_BATCH = 240
_OK = 200


class Compared(msgspec.Struct, frozen=True):
    """One question, asked of both.

    Attributes:
        name: of the question.
        ours_ms: how long the API took, each time, milliseconds.
        direct_ms: how long InfluxDB took.
        size: bytes of the API's answer, and of InfluxDB's.
        goal: greatest ratio at p50 and at p99.
    """

    name: str
    ours_ms: list[float]
    direct_ms: list[float]
    size: tuple[int, int]
    goal: tuple[float, float]

    def line(self) -> str:
        """Return what to print."""
        parts = [f"{self.name:28}"]
        for place, (label, share) in enumerate((("p50", 0.5), ("p99", 0.99))):
            ours, direct = quantile(self.ours_ms, share), quantile(self.direct_ms, share)
            parts.append(
                f"{label} {ours:7.2f} ms, direct {direct:7.2f} ms, ratio {ours / direct:5.2f} "
                f"(goal {self.goal[place]:.1f})"
            )
        return "  ".join([*parts, f"{self.size[0]:,} bytes, direct {self.size[1]:,}"])


class Asker:
    """One kept connection.

    Args:
        url: of the server.
        headers: of every request.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=60
        )
        self._headers = headers

    def get(self, path: str) -> int:
        """Ask, and return how many bytes the answer had."""
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != _OK:
            raise RuntimeError(f"{response.status} {body[:300].decode(errors='replace')}")
        return len(body)


def quantile(taken: Sequence[float], share: float) -> float:
    """Return the value that `share` of the measured ones do not exceed (nearest rank)."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fill(store: Store, *, start_ns: int, minutes: int) -> None:
    """Write a value a minute of every device."""
    chance = random.Random(1)  # noqa: S311 - numbers like measured ones
    for first in range(0, minutes, _BATCH):
        batch = [
            Point(
                key.site,
                key.device,
                "environment",
                start_ns + minute * MINUTE_NS,
                {QUANTITY: round(chance.gauss(21, 3), 2)},
            )
            for minute in range(first, min(first + _BATCH, minutes))
            for key in DEVICES
        ]
        if store.write(batch) != Written():
            raise RuntimeError("the store did not take the batch")


def roll_up(registry: Registry, store: Store) -> None:
    """Roll the history up and look the newest values through, as a worker does over time."""
    roller = Roller(
        registry=registry,
        store=store,
        store_id=1,
        worker="benchmark",
        spool=1,
        clock=SystemClock(),
        metrics=Metrics(),
    )
    roller.work()
    # as if the first worker had begun an hour ago
    registry.kept.note("rolled_from", SystemClock().now_ns() // NS_PER_HOUR * 3600)
    while roller.work():
        pass
    roller.stop()


def compare(
    name: str,
    ours: Callable[[], int],
    direct: Callable[[], int],
    *,
    rounds: int,
    goal: tuple[float, float],
) -> Compared:
    """Ask both in turns; the first answers of each, which warm caches, are not counted."""
    sizes = (0, 0)
    for _ in range(max(3, rounds // 20)):
        sizes = (ours(), direct())
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for question, times in zip((ours, direct), taken, strict=True):
            began = time.perf_counter()
            question()
            times.append((time.perf_counter() - began) * 1e3)
    return Compared(name, taken[0], taken[1], sizes, goal)


def questions(
    api: Asker, influx: Asker, *, bucket: str, end_ns: int, rounds: int
) -> list[Compared]:
    """Ask every question of both."""
    one = DEVICES[3]
    where = f"\"site\" = '{one.site}' AND \"device\" = '{one.device}'"

    def direct(statement: str) -> Callable[[], int]:
        asked = urlencode({"db": bucket, "q": statement, "epoch": "ns"})
        return lambda: influx.get(f"/query?{asked}")

    def ours(**parameters: str) -> Callable[[], int]:
        query = urlencode(parameters, quote_via=quote)
        return lambda: api.get(f"/v1/readings?{query}")

    day_ns, month_ns = end_ns - DAY_NS, end_ns - DAYS * DAY_NS
    asked = {"devices": one.device, "quantities": QUANTITY, "to": iso(end_ns)}
    day = f"time >= {day_ns} AND time < {end_ns}"
    month = f"time >= {month_ns} AND time < {end_ns}"
    return [
        compare(
            "one day raw",
            ours(**asked, **{"from": iso(day_ns)}, limit="10000"),
            direct(f'SELECT "{QUANTITY}", "quality" FROM "environment" WHERE {where} AND {day}'),  # noqa: S608 - names of this file
            rounds=rounds,
            goal=(1.0, 1.2),
        ),
        compare(
            "one month, hourly means",
            ours(**asked, **{"from": iso(month_ns)}, every="1h", aggregate="mean"),
            direct(
                f'SELECT mean("{QUANTITY}"), count("{QUANTITY}") FROM "environment" '  # noqa: S608
                f"WHERE {where} AND {month} GROUP BY time(1h)"
            ),
            rounds=rounds,
            goal=(1.0, 1.2),
        ),
        compare(
            f"latest of {len(DEVICES)} devices",
            lambda: api.get(f"/v1/latest?site={SITE}&quantities={QUANTITY}"),
            direct(
                f'SELECT last("{QUANTITY}"), "quality" FROM "environment" '  # noqa: S608
                f'WHERE {day} GROUP BY "site", "device"'
            ),
            rounds=rounds,
            goal=(1.0, 1.2),
        ),
    ]


def measure(access: InfluxDB2, directory: Path, *, rounds: int) -> list[Compared]:
    """Fill the store, start the API, and ask."""
    bucket = access.create_bucket()
    port = free_port()
    environment = {
        "PASSERELLE_DATA_DIR": str(directory / "data"),
        "PASSERELLE_STORE__URL": f"influxdb+{access.url}",
        "PASSERELLE_STORE__TOKEN": access.token,
        "PASSERELLE_STORE__ORG": access.org,
        "PASSERELLE_STORE__BUCKET": bucket,
        "PASSERELLE_API__PORT": str(port),
        "PASSERELLE_API__HOST": "127.0.0.1",
    }
    settings = load_settings(
        data_dir=directory / "data",
        store={
            "url": f"influxdb+{access.url}",
            "token": access.token,
            "org": access.org,
            "bucket": bucket,
        },
    )
    (directory / "data").mkdir()
    registry = Registry.open(settings.registry_url, clock=SystemClock())
    registry.migrate()
    registry.seed([], [])
    registry.devices.add_many(
        [
            Device(id=key.device, site=SITE, profile="passerelle", external_id=key.device)
            for key in DEVICES
        ]
    )
    secret, _ = registry.keys.create("benchmark", grants=EVERYTHING)
    store = open_store(settings)
    end_ns = (SystemClock().now_ns() // NS_PER_HOUR - 2) * NS_PER_HOUR
    fill(store, start_ns=end_ns - DAYS * DAY_NS, minutes=DAYS * 1440)
    roll_up(registry, store)
    program = Child.python(
        "-m", "api", name="api", environment=environment, log=directory / "api.log"
    )
    program.start()
    try:
        api = Asker(f"http://127.0.0.1:{port}", {"X-API-Key": secret})

        def answers() -> bool:
            try:
                return Asker(f"http://127.0.0.1:{port}", {}).get("/health/live") > 0
            except OSError:
                return False

        wait_until(answers, what="the API", seconds=60)
        influx = Asker(access.url, {"Authorization": f"Token {access.token}"})
        return questions(api, influx, bucket=bucket, end_ns=end_ns, rounds=rounds)
    finally:
        program.stop()
        store.close()
        registry.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300, help="how often each is asked")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            server = new_influxdb2(Path(directory))
        except ServerUnavailableError as error:
            sys.exit(f"NOT MEASURED: {error}")
        with server:
            found = measure(server.access, Path(directory), rounds=chosen.rounds)
    for one in found:
        print(one.line())
    medians = [statistics.median(one.ours_ms) / statistics.median(one.direct_ms) for one in found]
    print(f"greatest ratio at p50: {max(medians):.2f}")


if __name__ == "__main__":
    main()
