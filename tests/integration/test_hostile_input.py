"""Hostile input over HTTP, on a real InfluxDB and on DuckDB: a clear 4xx, nothing changed or shown.

Every parameter of every route is sent what breaks out of InfluxQL, SQL, paths and headers in
programs that put texts together. None of it is a name here, so none of it may find anything.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING as ALL_RIGHTS
from core.clock import NS_PER_S, SystemClock
from core.metrics import Metrics
from core.reading import DeviceKey, Point
from core.settings import Settings, load_settings
from devices.registry import Device, Registry
from storage.factory import open_store
from storage.ports import Selection, Store
from tests.servers.influxdb2 import InfluxDB2

SECRET = "the-secret-one"
KEYS = (DeviceKey("elgazala", "thermo-1"), DeviceKey("diamniadio", SECRET))
EVERYTHING = Selection(KEYS, ("air_temperature",), 0, 2**62)
VALUES = 5
_WARM = {"air_temperature": 20.0}
PAYLOADS = (
    "' OR '1'='1",
    "'; DROP MEASUREMENT environment --",
    '" OR "device"=~/.*/ --',
    "elgazala' OR device = 'the-secret-one",
    "elgazala'; DELETE FROM environment; --",
    "x'; DROP TABLE devices; --",
    "1; SELECT * FROM api_keys",
    "\\'; DROP MEASUREMENT environment --",
    "$device",
    "/.*/",
    "../../../../etc/passwd",
    "..\\..\\registry.db",
    "%2e%2e%2fregistry.db",
    "file:///etc/passwd",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/x}",
    "<script>alert(1)</script>",
    "a\r\nX-Injected: 1",
    "a\x00b",
    "\u202enosrever",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "9" * 60,
    "-1e999",
    "NaN",
    "A" * 5000,
)
UNBOUNDED = {"rate_limit_per_s": 0, "wrong_keys_per_minute": 0}
"""A refusal for asking often would hide what each parameter does."""
FREE_TEXT = {
    "search", "profile", "building", "zone", "room", "worker", "device", "actor", "person",
    "rule",
}  # fmt: skip
"""Parameters that may take any text: it finds nothing."""


class Target:
    """The API over a store of its own, on a socket.

    Args:
        settings: of the store and the registry.
        store: opened.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.store = store
        self.registry = Registry.open(settings.registry_url, clock=SystemClock())
        self.registry.migrate()
        self.registry.seed([], [])
        for key in KEYS:
            self.registry.devices.add(
                Device(id=key.device, site=key.site, profile="passerelle", external_id=key.device)
            )
        now_ns = SystemClock().now_ns()
        store.write(
            [
                Point(key.site, key.device, "environment", now_ns - n * NS_PER_S, _WARM)
                for key in KEYS
                for n in range(VALUES)
            ]
        )
        app = create_app(
            settings=settings,
            registry=self.registry,
            store=store,
            metrics=Metrics(),
            clock=SystemClock(),
        )
        secret, _ = self.registry.keys.create("tests", grants=ALL_RIGHTS)
        self.paths: dict[str, Any] = app.openapi()["paths"]
        self._server = ApiServer(app, "127.0.0.1", 0)
        self.url = self._server.start()
        self.client = httpx.Client(base_url=self.url, headers={"X-API-Key": secret}, timeout=30)

    def close(self) -> None:
        self.client.close()
        self._server.stop()
        self.registry.close()

    def unchanged(self) -> bool:
        """Say whether every value, device and key is as it was."""
        names = {device.id for device in self.registry.devices.all()}
        return (
            self.store.count(EVERYTHING) == VALUES * len(KEYS)
            and names == {key.device for key in KEYS}
            and len(self.registry.keys.list()) == 1
        )

    def gets(self) -> list[tuple[str, dict[str, Any]]]:
        return [(path, methods["get"]) for path, methods in self.paths.items() if "get" in methods]


@pytest.fixture(scope="module", params=["influxdb", "duckdb"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    directory: Path = tmp_path_factory.mktemp("hostile")
    place = {"url": f"duckdb:///{directory / 'telemetry.duckdb'}"}
    bucket = ""
    if request.param == "influxdb":
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        bucket = server.create_bucket()
        place = {
            "url": f"influxdb+{server.url}",
            "token": server.token,
            "org": server.org,
            "bucket": bucket,
        }
    settings = load_settings(data_dir=directory, store=place, api=UNBOUNDED)
    store = open_store(settings)
    made = Target(settings, store)
    yield made
    made.close()
    store.close()
    if bucket:
        server.delete_bucket(bucket)


def refused(answer: httpx.Response) -> bool:
    """Say whether an answer is a problem that blames the caller."""
    return (
        400 <= answer.status_code < 500
        and answer.headers["Content-Type"] == "application/problem+json"
        and bool(answer.json()["detail"])
    )


def test_every_query_parameter_of_every_route_refuses_it(target: Target) -> None:
    asked = 0
    for path, operation in target.gets():
        plain = path.replace("{id}", "thermo-1")
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query":
                continue
            name = parameter["name"]
            for payload in PAYLOADS:
                answer = target.client.get(plain, params={name: payload})
                where = f"GET {plain}?{name}={payload[:60]!r} -> {answer.status_code}"
                if name in FREE_TEXT and answer.status_code == 200:
                    assert not any(key.device in answer.text for key in KEYS), where
                else:
                    assert refused(answer), f"{where}: {answer.text[:300]}"
                assert "X-Injected" not in answer.headers, where
                asked += 1
    assert asked > 500
    assert target.unchanged()


def test_every_name_in_a_path_refuses_it(target: Target) -> None:
    asked = 0
    for path, operation in target.gets():
        if "{" not in path:
            continue
        assert any(one["in"] == "path" for one in operation["parameters"])
        head, _, tail = path.partition("{")
        for payload in PAYLOADS:
            hidden = head + quote(payload, safe="") + tail.partition("}")[2]
            answer = target.client.get(hidden)
            assert refused(answer), f"{hidden} -> {answer.status_code}: {answer.text[:300]}"
            assert "root:" not in answer.text
            asked += 1
    assert asked > 50
    assert target.unchanged()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01", "9999-12-31"),
        ("-999999999999d", "now"),
        ("now", "-24h"),
        ("2262-04-12", "2262-04-13"),
        ("1970-01-01T00:00:00Z", "99999-01-01T00:00:00Z"),
    ],
)
def test_ranges_beyond_time_are_refused(target: Target, start: str, end: str) -> None:
    answer = target.client.get(
        "/v1/readings", params={"devices": "thermo-1", "from": start, "to": end}
    )
    assert refused(answer), answer.text


def test_a_window_for_every_second_since_1970_is_refused_at_once(target: Target) -> None:
    answer = target.client.get(
        "/v1/readings",
        params={"devices": "thermo-1", "from": "1970-01-02", "to": "now", "every": "1s"},
    )
    assert refused(answer)
    assert "would fit" in answer.json()["hint"]


BODIES: tuple[tuple[str, bytes], ...] = (
    ("nested", b"[" * 100_000 + b"]" * 100_000),
    ("nested-objects", b'{"ids":' * 50_000 + b"1" + b"}" * 50_000),
    ("a-number-of-a-hundred-thousand-digits", b'{"ids": [' + b"9" * 100_000 + b"]}"),
    ("infinity", b'{"ids": [], "rate": 1e999}'),
    ("nan", b'{"ids": ["worker-1-1"], "rate": NaN}'),
    ("not-utf-8", b'{"ids": ["\xff\xfe"]}'),
    ("cut-short", b'{"ids": ["worker-1-1"'),
    ("too-long", b'{"ids": ["' + b"x" * (1024 * 1024) + b'"]}'),
    ("a-list-of-hostile-names", b'{"ids": ["\'; DROP TABLE dead_letters; --"]}'),
    ("prototype", b'{"__proto__": {"ids": []}}'),
)


@pytest.mark.parametrize(("name", "body"), BODIES, ids=[name for name, _ in BODIES])
def test_hostile_bodies_are_refused(target: Target, name: str, body: bytes) -> None:
    answer = target.client.post(
        "/v1/dead-letters/replays", content=body, headers={"Content-Type": "application/json"}
    )
    assert refused(answer), f"{name}: {answer.status_code} {answer.text[:300]}"
    assert target.unchanged()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_device_with_a_hostile_name_is_not_registered(target: Target, payload: str) -> None:
    body = {"id": payload, "site": "elgazala", "profile": "passerelle"}
    assert refused(target.client.post("/v1/devices", json=body))
    assert target.unchanged()


REQUESTS: tuple[tuple[str, bytes], ...] = (
    ("two-lengths", (b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
     b"Content-Length: 6\r\n\r\n{}")),
    ("length-and-chunks", (b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/sites HTTP/1.1\r\nHost: x\r\n\r\n")),
    ("negative-length", b"POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
    ("a-line-feed-in-a-header", b"GET /v1/sites HTTP/1.1\r\nHost: x\r\nX-API-Key: a\nb: c\r\n\r\n"),
    ("nul-in-a-header", b"GET /v1/sites HTTP/1.1\r\nHost: x\r\nX-API-Key: a\x00b\r\n\r\n"),
    ("a-header-without-end", b"GET /v1/sites HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000),
    ("ten-thousand-headers", b"GET /v1/sites HTTP/1.1\r\nHost: x\r\n" + b"".join(
        b"X-%d: a\r\n" % n for n in range(10_000)) + b"\r\n"),
    ("no-http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
)  # fmt: skip


@pytest.mark.parametrize(("name", "request_"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_requests_that_are_no_http_get_no_data(target: Target, name: str, request_: bytes) -> None:
    port = httpx.URL(target.url).port
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        with suppress(OSError):  # it may have seen enough before the end
            link.sendall(request_)
            link.shutdown(socket.SHUT_WR)
        said = _all(link.recv)
    statuses = [line.split()[1] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert all(status.startswith(b"4") for status in statuses), f"{name}: {said[:300]!r}"
    assert b"elgazala" not in said
    assert target.client.get("/v1/sites").status_code == 200


def test_a_forwarded_host_is_not_believed(target: Target) -> None:
    answer = target.client.get(
        "/v1/devices",
        params={"limit": 1},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert "evil.example" not in str(answer.json()["next"])


def _all(receive: Callable[[int], bytes]) -> bytes:
    parts = []
    with suppress(ConnectionError, TimeoutError):
        while part := receive(65_536):
            parts.append(part)
    return b"".join(parts)
