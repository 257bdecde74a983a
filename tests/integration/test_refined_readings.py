"""What readings compute is the same on a real InfluxDB, on DuckDB and in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING
from core.clock import NS_PER_S, ManualClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from devices.registry import Device, Registry
from storage.factory import open_store
from tests.servers.influxdb2 import InfluxDB2

NOW_NS = 1_795_428_000_000_000_000
"""2026-11-23T10:00:00Z."""
START_NS = NOW_NS - 30 * 86_400 * NS_PER_S
"""Clocks go back in Paris within: on 25 October."""
STEP_NS = 15 * 60 * NS_PER_S
DEVICES = (
    Device("env-1", "elgazala", "env", "env-1", building="B1", zone="hall"),
    Device("env-2", "elgazala", "env", "env-2", building="B1", zone="lab"),
    Device("env-3", "elgazala", "other", "env-3", building="B2", zone="hall"),
    Device("env-4", "diamniadio", "env", "env-4"),
)
BASE = "devices=env-1,env-2,env-3,env-4&from=2026-10-24T10:00:00Z&to=2026-11-23T10:00:00Z"
QUERIES = (
    f"{BASE}&quantities=air_temperature&every=1d&zone=Europe/Paris&aggregate=mean,min,max,sum,count",
    f"{BASE}&quantities=air_temperature&every=1d&zone=Europe/Paris&group_by=site",
    f"{BASE}&every=1w&zone=Europe/Paris&group_by=building,profile&aggregate=mean,max,count",
    f"{BASE}&every=1mo&zone=Europe/Paris&group_by=quantity&aggregate=time_weighted_mean",
    f"{BASE}&every=1d&zone=UTC&group_by=zone&aggregate=median,first,last",
    f"{BASE}&every=1d&zone=UTC&group_by=site&aggregate=percentile,mean&percentile=95",
    f"{BASE}&every=6h&zone=UTC&quality=good&aggregate=mean,last",
    f"{BASE}&every=1h&zone=UTC&fill=linear&fill_limit=3h&quantities=relative_humidity",
    f"{BASE}&every=1h&zone=UTC&fill=previous&fill_limit=2&quantities=relative_humidity",
    f"{BASE}&zone=UTC&max_points=200",
    f"{BASE}&zone=UTC&max_points=200&downsample=m4",
    f"{BASE}&zone=UTC&max_points=50&exclude_quality=late",
)
JOIN = (
    f"{BASE}&zone=UTC&left=relative_humidity&right=air_temperature&direction=nearest"
    "&tolerance=10min&limit=150"
)


def points() -> Iterator[Point]:
    """Yield a month of quarters of an hour; humidity is rarer, off the grid, and has gaps."""
    for index, device in enumerate(DEVICES):
        for step in range(30 * 96):
            at = START_NS + step * STEP_NS + index * 7 * NS_PER_S
            value = 20 + 5 * math.sin(step / 15.3 + index) + step % 7 / 16
            quality = 8 if step % 11 == index else 0
            yield Point(
                device.site, device.id, "environment", at, {"air_temperature": value}, quality
            )
            if step % 5 == 0 and step % 100 < 80:
                humidity = {"relative_humidity": 50 + 20 * math.cos(step / 40 + index)}
                yield Point(device.site, device.id, "environment", at + 200 * NS_PER_S, humidity)


class Served:
    """The API over one store, on a socket."""

    def __init__(self, directory: Path, store: dict[str, str], stack: ExitStack) -> None:
        settings = load_settings(data_dir=directory, store=store)
        opened = open_store(settings)
        stack.callback(opened.close)
        everything = list(points())
        for first in range(0, len(everything), 5000):
            assert not getattr(opened.write(everything[first : first + 5000]), "rejected", True)
        clock = ManualClock(NOW_NS)
        registry = Registry.open(settings.registry_url, clock=clock)
        stack.callback(registry.close)
        registry.migrate()
        registry.seed([], [])
        registry.devices.add_many(DEVICES)
        key, _ = registry.keys.create("tests", grants=EVERYTHING)
        app = create_app(
            settings=settings, registry=registry, store=opened, metrics=Metrics(), clock=clock
        )
        server = ApiServer(app, "127.0.0.1", 0)
        url = server.start()
        stack.callback(server.stop)
        self.client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60)
        stack.callback(self.client.close)

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def pages(self, path: str) -> list[Any]:
        found = []
        following: str | None = path
        while following:
            answer = self.get(following)
            found += answer["series"]
            following = answer["next"]
        return found


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ExitStack() as stack:
        yield Served(tmp_path_factory.mktemp("memory"), {"url": "memory:"}, stack)


@pytest.fixture(scope="module", params=["influxdb", "duckdb"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("refined")
    with ExitStack() as stack:
        if request.param == "duckdb":
            yield Served(directory, {"url": f"duckdb:///{directory / 'telemetry.duckdb'}"}, stack)
            return
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        bucket = server.create_bucket()
        stack.callback(server.delete_bucket, bucket)
        store = {
            "url": f"influxdb+{server.url}",
            "token": server.token,
            "org": server.org,
            "bucket": bucket,
        }
        yield Served(directory, store, stack)


def close(one: Any, other: Any) -> bool:
    """Tell whether two answers are equal, floats to the last digits."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


@pytest.mark.parametrize("query", QUERIES)
def test_every_store_answers_the_same(served: Served, memory: Served, query: str) -> None:
    found = served.get(f"/v1/readings?{query}")
    expected = memory.get(f"/v1/readings?{query}")
    assert found["series"]
    assert close(found, expected)


@pytest.mark.parametrize("across", ["device", "zone", "site"])
def test_every_store_joins_the_same(served: Served, memory: Served, across: str) -> None:
    path = f"/v1/readings/joined?{JOIN}&across={across}"
    found, expected = served.pages(path), memory.pages(path)
    assert close(found, expected)
    assert any(point["right"]["air_temperature"] for one in found for point in one["points"])


def test_raw_pages_of_a_quality_hold_the_same(served: Served, memory: Served) -> None:
    path = f"/v1/readings?{BASE}&quality=late&limit=700&zone=UTC"
    assert served.pages(path) == memory.pages(path)
