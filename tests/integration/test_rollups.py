"""Roll-ups and newest values kept by the worker's thread: right at every moment, on a real store.

A real InfluxDB, a real registry, the API; what changes values tells the registry as the product
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from core.access import EVERYTHING
from core.clock import NS_PER_HOUR, NS_PER_S, ManualClock, iso
from core.metrics import Metrics
from core.reading import DeviceKey, Point
from core.settings import load_settings
from devices.registry import Device, Registry
from ingest.kept_points import KeptWriter
from ingest.rolling import Roller
from storage.factory import open_store
from storage.ports import Store, Written
from tests.servers.influxdb2 import InfluxDB2
from tests.unit.api.world import Caller

HOUR = NS_PER_HOUR
NOW = 500_000 * HOUR  # 2027-01-15T08:00:00Z
START = NOW - 100 * HOUR
KEY = DeviceKey("elgazala", "thermo-1")
TEMPERATURE = "air_temperature"

pytestmark = pytest.mark.influxdb


def point(at: int, value: float) -> Point:
    return Point(KEY.site, KEY.device, "environment", at, {TEMPERATURE: value})


class Bench:
    """The parts that keep roll-ups, and the API that answers from them."""

    def __init__(self, *, registry: Registry, store: Store, clock: ManualClock, app: Any) -> None:
        self.registry = registry
        self.store = store
        self.clock = clock
        secret, _ = registry.keys.create("tests", grants=EVERYTHING)
        self.secret = secret
        self.api = Caller(app, key=secret)
        self.writer = KeptWriter(registry=registry, writer=store, reader=store)

    def roller(self, *, spool: int = 1, store_id: int = 1, worker: str = "worker-1") -> Roller:
        return Roller(
            registry=self.registry,
            store=self.store,
            store_id=store_id,
            worker=worker,
            spool=spool,
            clock=self.clock,
            metrics=Metrics(),
        )

    def roll(self, roller: Roller) -> None:
        while roller.work():
            pass

    def write(self, *points: Point) -> None:
        assert self.writer.write(points) == Written()

    def windows(self, aggregate: str = "sum", every: str = "1d") -> dict[str, Any]:
        answer = self.api.get(
            "/v1/readings",
            devices=KEY.device,
            quantities=TEMPERATURE,
            from_=iso(START),
            to=iso(NOW),
            aggregate=aggregate,
            every=every,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def total(self) -> tuple[float, int]:
        points = self.windows()["series"][0]["points"]
        return (
            sum(one["value"] for one in points if one["value"] is not None),
            sum(one["count"] for one in points),
        )

    def newest(self) -> list[tuple[str, float]]:
        answer = self.api.get("/v1/latest", site=KEY.site, zone="UTC")
        assert answer.status_code == 200, answer.text
        return [(one["time"], one["value"]) for one in answer.json()["values"]]


@pytest.fixture
def bench(
    tmp_path: Path, influxdb2: InfluxDB2, influxdb2_bucket: Callable[[], str]
) -> Iterator[Bench]:
    clock = ManualClock(NOW)
    settings = load_settings(
        data_dir=tmp_path,
        store={
            "url": f"influxdb+{influxdb2.url}",
            "token": influxdb2.token,
            "org": influxdb2.org,
            "bucket": influxdb2_bucket(),
        },
    )
    registry = Registry.open(settings.registry_url, clock=clock)
    registry.migrate()
    registry.seed([], [])
    registry.devices.add(
        Device(id=KEY.device, site=KEY.site, profile="passerelle", external_id=KEY.device)
    )
    store = open_store(settings)
    app = create_app(
        settings=settings, registry=registry, store=store, metrics=Metrics(), clock=clock
    )
    made = Bench(registry=registry, store=store, clock=clock, app=app)
    yield made
    made.api.close()
    store.close()
    registry.close()


def test_history_is_rolled_up_and_answers_are_the_same_before_and_after(bench: Bench) -> None:
    # stored before anything was kept: nobody was told of these
    assert bench.store.write([point(START + at * HOUR, 1.0) for at in range(100)]) == Written()
    before = bench.windows()
    assert before["rollups"] is None
    roller = bench.roller()
    bench.roll(roller)
    assert bench.windows()["rollups"] is None  # the present hour may hold values without a mark
    bench.clock.advance(3600)
    bench.roll(roller)
    after = bench.windows()
    assert after["rollups"] == {
        "resolution": "1h",
        "start": "2027-01-11T05:00:00+01:00",
        "end": "2027-01-15T09:00:00+01:00",
    }
    assert after["series"] == before["series"]
    assert bench.total() == (100.0, 100)
    assert bench.newest() == [(iso(NOW - HOUR), 1.0)]


def rolled_bench(bench: Bench) -> Roller:
    assert bench.store.write([point(START + at * HOUR, 1.0) for at in range(100)]) == Written()
    roller = bench.roller()
    bench.roll(roller)
    bench.clock.advance(3600)
    bench.roll(roller)
    assert bench.windows()["rollups"] is not None
    return roller


def test_groups_and_several_aggregates_come_from_roll_ups_too(bench: Bench) -> None:
    rolled_bench(bench)
    query = {"site": KEY.site, "from_": iso(START), "to": iso(NOW), "every": "1d"}
    more = {"group_by": "site", "aggregate": "sum,count,mean"}
    answer = bench.api.get("/v1/readings", **query, **more).json()
    assert answer["rollups"]["end"] == "2027-01-15T09:00:00+01:00"
    points = answer["series"][0]["points"]
    assert sum(point["values"]["sum"] for point in points) == 100.0
    assert {point["values"]["mean"] for point in points} == {1.0}
    values = bench.api.get("/v1/readings", **query, **more, quality="good").json()
    assert values["rollups"] is None  # the flags of values are not in roll-ups
    assert values["series"] == answer["series"]


def test_late_values_count_at_once_and_after_their_hour_is_rolled_up_again(bench: Bench) -> None:
    roller = rolled_bench(bench)
    bench.write(point(START + 50 * HOUR + 7, 10.0))
    # from the hour that changed on, values themselves are read
    assert bench.total() == (110.0, 101)
    assert bench.windows()["rollups"]["end"] == "2027-01-13T07:00:00+01:00"
    bench.roll(roller)
    assert bench.total() == (110.0, 101)
    assert bench.windows()["rollups"]["end"] == "2027-01-15T09:00:00+01:00"


def test_another_spool_makes_all_begin_anew(bench: Bench) -> None:
    rolled_bench(bench).stop()
    # a worker whose spool was lost may have stored values that nobody was told of
    assert bench.store.write([point(START + 20 * HOUR + 9, 5.0)]) == Written()
    again = bench.roller(spool=2)
    again.work()
    assert bench.total() == (105.0, 101)
    assert bench.windows()["rollups"] is None
    bench.clock.advance(3600)
    bench.roll(again)
    assert bench.windows()["rollups"] is not None
    assert bench.total() == (105.0, 101)


def test_another_store_makes_all_begin_anew(bench: Bench) -> None:
    rolled_bench(bench).stop()
    bench.roller(store_id=2).work()
    assert bench.windows()["rollups"] is None


def test_only_the_worker_that_holds_the_lease_rolls_up(bench: Bench) -> None:
    first = rolled_bench(bench)
    second = bench.roller(worker="worker-2")
    bench.write(point(START, 3.0))
    assert second.work() is False
    assert bench.registry.kept.marked() == 1
    first.work()
    assert bench.registry.kept.marked() == 0
    bench.write(point(START, 4.0))
    bench.clock.advance(3600)  # the first one is gone
    bench.roll(second)
    assert bench.registry.kept.marked() == 0


def test_an_hour_that_no_roll_up_can_hold_is_read_from_its_values(bench: Bench) -> None:
    roller = rolled_bench(bench)
    bench.write(*(point(START + 50 * HOUR + at, 1.7e308) for at in range(3)))
    bench.roll(roller)
    assert bench.registry.kept.marked() == 1
    hours = {one["time"]: one for one in bench.windows("max", every="1h")["series"][0]["points"]}
    assert hours["2027-01-13T07:00:00+01:00"]["value"] == 1.7e308


def test_newest_values_follow_what_is_told(bench: Bench) -> None:
    roller = rolled_bench(bench)
    bench.write(point(NOW, 2.0))
    bench.clock.advance(1)
    assert bench.newest() == [(iso(NOW), 2.0)]
    bench.write(point(NOW - 5, 3.0))  # late: not newer
    bench.clock.advance(1)
    assert bench.newest() == [(iso(NOW), 2.0)]
    bench.registry.kept.begin_anew(from_hour=NOW // NS_PER_S + 7200)
    bench.clock.advance(1)
    assert bench.newest() == [(iso(NOW), 2.0)]  # the store is asked meanwhile
    bench.roll(roller)
    assert bench.newest() == [(iso(NOW), 2.0)]


def test_newest_values_outlive_an_outage_of_the_store(
    tmp_path: Path, bench: Bench, influxdb2: InfluxDB2
) -> None:
    rolled_bench(bench)
    away = load_settings(
        data_dir=tmp_path,
        store={"url": "influxdb+http://127.0.0.1:9", "token": influxdb2.token},
    )
    store = open_store(away)
    app = create_app(
        settings=away, registry=bench.registry, store=store, metrics=Metrics(), clock=bench.clock
    )
    api = Caller(app, key=bench.secret)
    answer = api.get("/v1/latest", site=KEY.site)
    api.close()
    store.close()
    assert [one["value"] for one in answer.json()["values"]] == [1.0]
