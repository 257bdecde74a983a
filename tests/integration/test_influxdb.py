"""The InfluxDB store against real servers that refuse, stop, forget and are set up badly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from core.errors import StoreUnavailableError
from core.reading import DeviceKey, Point
from core.settings import load_settings
from storage.backends.influxdb.access import Access, access_of
from storage.backends.influxdb.store import InfluxDBStore
from storage.ports import Aggregate, Retry, Selection, Store, Written
from tests.contract.storage_data import (
    DAY,
    HOUR,
    HUMIDITY,
    MINUTE,
    T0,
    TEMPERATURE,
    THERMO,
    everything,
    point,
    selection,
    stored,
    values,
    windows,
)
from tests.servers.availability import ORIGIN_VARIABLE
from tests.servers.influxdb1 import InfluxDB1, InfluxDB1Server
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server


@dataclass(kw_only=True)
class Counted:
    """A store on a real server, and how often it asked."""

    store: InfluxDBStore
    access: Access
    requests: list[str]

    def line(self, text: str) -> None:
        """Write line protocol as any other program would."""
        response = httpx.post(
            f"{self.access.url}/api/v2/write",
            params={"bucket": self.access.bucket, "org": self.access.org, "precision": "ns"},
            headers=_headers(self.access),
            content=text,
        )
        assert response.status_code == 204, response.text


def _headers(access: Access) -> dict[str, str]:
    return {} if access.authorization is None else {"Authorization": access.authorization}


def _access(url: str, **values: Any) -> Access:
    return access_of(load_settings(store={"url": f"influxdb+{url}", **values}))


def _opened(access: Access) -> Iterator[Counted]:
    store = InfluxDBStore(access=access)
    counted = Counted(store=store, access=access, requests=[])
    send = store._client._pool.urlopen

    def counting(method: str, url: str, **options: Any) -> Any:
        counted.requests.append(urlsplit(url).path)
        return send(method, url, **options)

    store._client._pool.urlopen = counting  # type: ignore[method-assign, assignment]
    try:
        yield counted
    finally:
        store.close()


@pytest.fixture(
    params=[
        pytest.param(2, marks=pytest.mark.influxdb),
        pytest.param(1, marks=pytest.mark.influxdb1),
    ],
    ids=["influxdb2", "influxdb1"],
)
def generation(request: pytest.FixtureRequest) -> int:
    """Return which InfluxDB the test runs on."""
    return int(request.param)


@pytest.fixture
def counted(generation: int, request: pytest.FixtureRequest) -> Iterator[Counted]:
    """Open a store on an empty bucket of each shared server."""
    if generation == 2:
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        make: Callable[[], str] = request.getfixturevalue("influxdb2_bucket")
        yield from _opened(_access(server.url, token=server.token, org=server.org, bucket=make()))
    else:
        old: InfluxDB1 = request.getfixturevalue("influxdb1")
        make = request.getfixturevalue("influxdb1_database")
        yield from _opened(_access(old.url, bucket=make()))


@pytest.fixture
def expiring(generation: int, request: pytest.FixtureRequest) -> Iterator[Counted]:
    """Open a store on a bucket that keeps its points for two days."""
    if generation == 2:
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        name = request.getfixturevalue("influxdb2_bucket")()
        with httpx.Client(
            base_url=server.url, headers={"Authorization": f"Token {server.token}"}
        ) as client:
            [bucket] = client.get("/api/v2/buckets", params={"name": name}).json()["buckets"]
            rule = {"type": "expire", "everySeconds": 2 * 86_400, "shardGroupDurationSeconds": 3600}
            client.patch(
                f"/api/v2/buckets/{bucket['id']}", json={"retentionRules": [rule]}
            ).raise_for_status()
        yield from _opened(_access(server.url, token=server.token, org=server.org, bucket=name))
    else:
        old: InfluxDB1 = request.getfixturevalue("influxdb1")
        name = request.getfixturevalue("influxdb1_database")()
        statement = f'ALTER RETENTION POLICY "autogen" ON "{name}" DURATION 2d SHARD DURATION 1h'
        httpx.post(f"{old.url}/query", params={"q": statement}).raise_for_status()
        yield from _opened(_access(old.url, bucket=name))


@dataclass(kw_only=True)
class Own:
    """A server of the test's own, and a store on it."""

    server: InfluxDB2Server | InfluxDB1Server
    access: Access
    make: Callable[[], object]
    """Creates the bucket or database, which is not there at first."""
    store: Store


@pytest.fixture
def own(generation: int, request: pytest.FixtureRequest) -> Iterator[Own]:
    """Start a server that has no bucket for the store yet."""
    if generation == 2:
        server: InfluxDB2Server = request.getfixturevalue("influxdb2_server")
        access = _access(server.access.url, token=server.access.token, bucket="telemetry")
        make: Callable[[], object] = lambda: server.access.create_bucket("telemetry")  # noqa: E731
        store = InfluxDBStore(access=access)
        yield Own(server=server, access=access, make=make, store=store)
    else:
        old: InfluxDB1Server = request.getfixturevalue("influxdb1_server")
        access = _access(old.access.url, bucket="telemetry")
        make = lambda: old.access.create_database("telemetry")  # noqa: E731
        store = InfluxDBStore(access=access)
        yield Own(server=old, access=access, make=make, store=store)
    store.close()


def test_only_the_points_that_conflict_with_a_field_s_type_are_refused(counted: Counted) -> None:
    counted.line(f"environment,device=x,site=y air_temperature=1i {T0}")
    far = T0 + 90 * DAY  # another shard, where nobody froze the type
    batch = [
        point(T0 + index * MINUTE, None if index % 10 else 20.0, humidity=float(index))
        for index in range(200)
    ]
    outcome = counted.store.write([*batch, point(far, 25.0), point(far + 1, 26.0, humidity=1.0)])
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == list(range(0, 200, 10))
    assert all("field type conflict" in one.reason for one in outcome.rejected)
    assert values(counted.store, selection(quantities=(HUMIDITY,))) == [
        *(float(index) for index in range(200) if index % 10),
        1.0,
    ]
    assert values(counted.store, selection(start=far)) == [25.0, 26.0]


def test_a_batch_refused_whole_is_refused_point_by_point(counted: Counted) -> None:
    counted.line(f"environment,device=x,site=y air_temperature=1i {T0}")
    outcome = counted.store.write([point(T0 + index) for index in range(37)])
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == list(range(37))
    assert len(counted.requests) <= 2 * 37


def test_two_points_with_one_key_are_refused_or_kept_together(counted: Counted) -> None:
    counted.line(f"environment,device=x,site=y air_temperature=1i {T0}")
    outcome = counted.store.write(
        [
            point(T0, None, humidity=1.0),
            point(T0 + 5, 20.0),
            point(T0, None, humidity=2.0),
            point(T0 + 9, None, humidity=9.0),
            point(T0, None, humidity=3.0),
        ]
    )
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == [1]
    assert values(counted.store, selection(quantities=(HUMIDITY,))) == [3.0, 9.0]


def test_points_older_than_the_bucket_keeps_are_refused_in_few_requests(expiring: Counted) -> None:
    now = time.time_ns()
    instants = [now - age * HOUR for age in range(1, 2001)]
    asked = selection(start=now - 3000 * HOUR, end=now)
    outcome = expiring.store.write([point(instant) for instant in instants])
    assert isinstance(outcome, Written)
    refused = [one.index for one in outcome.rejected]
    assert refused == list(range(refused[0], 2000))
    assert 46 <= refused[0] <= 48
    assert all("retention" in one.reason for one in outcome.rejected)
    assert expiring.store.count(asked) == refused[0]
    assert len(expiring.requests) < 40


def test_for_how_long_the_bucket_keeps_values_is_known(expiring: Counted) -> None:
    assert expiring.store.keeps_s() == 2 * 86_400


def test_a_server_that_is_away_is_a_reason_to_retry(own: Own) -> None:
    own.make()
    stored(own.store, [point(T0, 1.0)])
    own.server.stop()
    outcome = own.store.write([point(T0 + 1, 2.0)])
    assert isinstance(outcome, Retry)
    assert own.access.url in outcome.reason
    for ask in (
        own.store.ping,
        lambda: own.store.read(selection(), limit=1),
        lambda: own.store.count(selection()),
        lambda: own.store.latest([THERMO]),
        lambda: own.store.aggregate(selection(), windows("1 d")),
    ):
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            ask()
    own.server.start()
    own.store.ping()
    stored(own.store, [point(T0 + 1, 2.0)])
    assert values(own.store) == [1.0, 2.0]


def test_what_was_written_survives_a_server_killed_at_once(own: Own) -> None:
    own.make()
    for number in range(20):
        stored(own.store, [point(T0 + number * 100 + index) for index in range(100)])
    own.server.kill()
    own.server.start()
    assert own.store.count(selection()) == 2000


def test_a_bucket_that_is_not_there_yet_is_a_reason_to_retry(own: Own) -> None:
    outcome = own.store.write([point(T0)])
    assert isinstance(outcome, Retry)
    assert "telemetry" in outcome.reason
    with pytest.raises(StoreUnavailableError, match="telemetry"):
        own.store.ping()
    own.make()
    stored(own.store, [point(T0)])
    own.store.ping()
    assert own.store.count(selection()) == 1


@pytest.mark.influxdb
@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_refused_token_loses_nothing(
    influxdb2: InfluxDB2, influxdb2_bucket: Callable[[], str], token: str
) -> None:
    bucket = influxdb2_bucket()
    store = InfluxDBStore(access=_access(influxdb2.url, token=token, bucket=bucket))
    try:
        outcome = store.write([point(T0)])
        assert isinstance(outcome, Retry)
        assert "401" in outcome.reason
        assert "PASSERELLE_STORE__TOKEN" in outcome.reason
        with pytest.raises(StoreUnavailableError, match="401"):
            store.ping()
    finally:
        store.close()


@pytest.mark.influxdb1
def test_influxdb_1_with_a_user_and_password(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv(ORIGIN_VARIABLE, "binaries")  # its environment is that of the tests
    monkeypatch.setenv("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    server: InfluxDB1Server = request.getfixturevalue("influxdb1_server")
    url = server.access.url
    for statement, login in (
        ("CREATE USER admin WITH PASSWORD 'p:w d' WITH ALL PRIVILEGES", None),
        ("CREATE DATABASE telemetry", ("admin", "p:w d")),
    ):
        httpx.post(f"{url}/query", params={"q": statement}, auth=login).raise_for_status()
    good = InfluxDBStore(access=_access(url, username="admin", password="p:w d"))
    bad = InfluxDBStore(access=_access(url, username="admin", password="guess"))
    try:
        stored(good, [point(T0)])
        assert good.count(selection()) == 1
        assert isinstance(bad.write([point(T0)]), Retry)
        with pytest.raises(StoreUnavailableError, match="401"):
            bad.ping()
    finally:
        good.close()
        bad.close()


@pytest.mark.influxdb1
def test_a_row_limit_of_the_server_cuts_nothing_off(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv(ORIGIN_VARIABLE, "binaries")
    monkeypatch.setenv("INFLUXDB_HTTP_MAX_ROW_LIMIT", "7")
    server: InfluxDB1Server = request.getfixturevalue("influxdb1_server")
    server.access.create_database("telemetry")
    store = InfluxDBStore(access=_access(server.access.url))
    try:
        keys = [DeviceKey("s", f"d{index}") for index in range(10)]
        stored(store, [point(T0 + step * MINUTE, key=key) for step in range(100) for key in keys])
        asked = selection(*keys, start=T0, end=T0 + 100 * MINUTE)
        assert len(everything(store, asked, limit=333)) == 1000
        for aggregate in (Aggregate.COUNT, Aggregate.TIME_WEIGHTED_MEAN):
            found = store.aggregate(asked, windows("1 min", aggregate))
            assert sum(one.count for one in found) == 1000
        assert len(store.latest(keys)) == 10
        assert store.count(asked) == 1000
    finally:
        store.close()


def test_a_month_of_minutes_of_twenty_devices_is_a_handful_of_requests(counted: Counted) -> None:
    keys = tuple(DeviceKey("elgazala", f"thermo-{index}") for index in range(20))
    march = 1_772_323_200_000_000_000  # 2026-03-01: the clocks of Paris change on the 29th
    for first in range(0, 31 * 1440, 1440):
        stored(
            counted.store,
            [
                Point(
                    key.site,
                    key.device,
                    "environment",
                    march + minute * MINUTE,
                    {TEMPERATURE: float(minute % 60), HUMIDITY: 50.0},
                )
                for minute in range(first, first + 1440, 10)
                for key in keys
            ],
        )
    asked = Selection(keys, (TEMPERATURE, HUMIDITY), march, march + 31 * DAY)
    for every, aggregate, most in (
        ("1 h", Aggregate.MEAN, 1),
        ("1 d", Aggregate.MEDIAN, 1),
        ("7 h", Aggregate.MAX, 2),
        ("1 d", Aggregate.TIME_WEIGHTED_MEAN, 1),
    ):
        counted.requests.clear()
        found = counted.store.aggregate(asked, windows(every, aggregate))
        assert sum(one.count for one in found) == 20 * 2 * 31 * 144
        assert len(counted.requests) <= most
    counted.requests.clear()
    assert len(counted.store.latest(keys)) == 40
    assert len(counted.requests) == 2
