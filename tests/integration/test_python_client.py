"""The Python client against the real API on a socket; both clients, the same tests."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib.util
import inspect
import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import pytest

import passerelle
from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING, Grant, Role
from core.clock import NS_PER_S, SystemClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from core.stream import Frame, encode
from devices.registry import Device, LedgerRow, Registry
from devices.registry.alert_records import AlertRecord
from passerelle import AsyncClient, Client, Retry
from storage.backends.memory import MemoryStore

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "python"
NO_WAIT = Retry(tries=4, first_s=0.01, most_s=0.1)
Call = Callable[..., Any]


RULE = """\
rule: hot
title: {en: Too warm, fr: Trop chaud}
select: {site: elgazala}
when: {threshold: {quantity: air_temperature, above: 27}}
"""


class Said(NamedTuple):
    """An answer: a status (0: the connection is closed), and what is announced and never sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    missing: int = 0


@contextmanager
def scripted(
    answer: Callable[[str, str, Mapping[str, str]], Said],
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Run a server that answers as told; yield its address, and what it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            asked.append((self.command, self.path))
            said = answer(self.command, self.path, dict(self.headers.items()))
            self.close_connection = said.status == 0 or bool(said.missing)
            if said.status == 0:
                return
            self.send_response_only(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body) + said.missing))
            self.end_headers()
            self.wfile.write(said.body)

        do_POST = do_GET  # noqa: N815 - the name that the library calls

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Place:
    """The API with a day of minutes of two devices, one at each site."""

    def __init__(self, directory: Path) -> None:
        clock = SystemClock()
        self.settings = load_settings(data_dir=directory, live={"enabled": False})
        self.registry = Registry.open(self.settings.registry_url, clock=clock)
        self.registry.migrate()
        self.registry.seed([], [])
        self.store = MemoryStore()
        self.now_ns = clock.now_ns() // NS_PER_S * NS_PER_S
        for site in ("elgazala", "diamniadio"):
            device = f"{site}-1"
            self.registry.devices.add(
                Device(id=device, site=site, profile="p", external_id=device, zone="hall")
            )
            self.store.write(
                [
                    Point(
                        site,
                        device,
                        "environment",
                        self.now_ns - minute * 60 * NS_PER_S,
                        {"air_temperature": 20.0 + minute % 10, "relative_humidity": 50.0},
                        8 if minute == 5 else 0,
                    )
                    for minute in range(1, 1441)
                    if not 100 <= minute < 230
                ]
            )
        self.registry.ledger.publish(
            [
                LedgerRow("w", "elgazala", "elgazala-1", self.now_ns // NS_PER_S // 3600 * 3600,
                          received=10, stored=8, duplicate=1, dead_lettered=1, pending=0)
            ]
        )  # fmt: skip
        self.registry.rules.put("hot", RULE, author="tests", reason="a test")
        self.number = itertools.count()
        self.key, _ = self.registry.keys.create("tests", grants=EVERYTHING)
        self.viewer, _ = self.registry.keys.create("v", grants=[Grant(Role.VIEWER, "elgazala")])
        self.app = create_app(
            settings=self.settings,
            registry=self.registry,
            store=self.store,
            metrics=Metrics(),
            clock=clock,
        )
        self.server = ApiServer(self.app, "127.0.0.1", 0)
        self.url = self.server.start()

    def alert(self) -> str:
        """Return an alert that fires, a new one each time."""
        record = AlertRecord(
            id=f"alert{next(self.number)}", rule="hot", version=1,
            title='{"en": "Too warm", "fr": "Trop chaud"}', severity="warning",
            alarm_class="measured", site="elgazala", device="elgazala-1", state="firing",
            at_ns=self.now_ns - 300 * NS_PER_S, since_ns=self.now_ns - 300 * NS_PER_S,
            opened_ns=self.now_ns, value=28.0, unit="Cel",
        )  # fmt: skip
        with self.registry.alerts.work() as work:
            work.put(record)
        return record.id

    def close(self) -> None:
        self.server.stop()
        self.store.close()
        self.registry.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("client"))
    yield made
    made.close()


class Clients:
    """Makes clients of one kind, and calls their methods to the end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._runner = asyncio.Runner()
        self._open: list[Any] = []

    def new(self, url: str, key: str, retry: Retry = NO_WAIT) -> Call:
        """Return what calls a method by its name."""
        made: Any = (Client if self.kind == "sync" else AsyncClient)(url, key=key, retry=retry)
        self._open.append(made)

        def call(method: str, *arguments: Any, **named: Any) -> Any:
            found = getattr(made, method)(*arguments, **named)
            if method == "live":
                return self._listed(found)
            return found if self.kind == "sync" else self._runner.run(found)

        return call

    def _listed(self, found: Any) -> list[dict[str, Any]]:
        if self.kind == "sync":
            return list(found)

        async def collected() -> list[dict[str, Any]]:
            return [event async for event in found]

        return self._runner.run(collected())

    def close(self) -> None:
        for one in self._open:
            if self.kind == "sync":
                one.close()
            else:
                self._runner.run(one.aclose())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    made = Clients(request.param)
    yield made
    made.close()


@pytest.fixture
def ask(clients: Clients, place: Place) -> Call:
    return clients.new(place.url, place.key)


def test_readings_come_whole_with_zone_units_and_query(ask: Call) -> None:
    frame = ask("readings", site="elgazala", start="-25h")
    assert len(frame) == 2 * (1440 - 130)
    assert list(frame.columns) == ["time", "site", "device", "quantity", "value", "quality"]
    assert str(frame["time"].dtype) == "datetime64[ns, Africa/Tunis]"
    assert frame["time"].is_monotonic_increasing
    assert frame["value"].dtype == "float64"
    assert frame.attrs["units"] == {"air_temperature": "Cel", "relative_humidity": "%"}
    assert frame.attrs["zone"] == "Africa/Tunis"
    assert frame.attrs["query"]["site"] == "elgazala"
    assert set(frame["quality"]) == {"", "late"}


def test_many_pages_are_one_frame(ask: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passerelle._asking._PAGE", 100)
    names = ["elgazala-1", "diamniadio-1"]
    frame = ask("readings", devices=names, quantities="air_temperature", start="-25h")
    assert len(frame) == 2 * (1440 - 130)
    assert not frame.duplicated(["time", "device"]).any()
    assert frame.attrs["zone"] == "UTC"


def test_instants_may_be_datetimes_with_a_zone(ask: Call, place: Place) -> None:
    end = datetime.fromtimestamp(place.now_ns / NS_PER_S, tz=UTC)
    frame = ask(
        "readings", devices="elgazala-1", quantities="air_temperature",
        start=end - timedelta(minutes=10), end=end, quality="good",
    )  # fmt: skip
    assert len(frame) == 9
    with pytest.raises(ValueError, match="has no time zone"):
        ask("readings", devices="elgazala-1", start=datetime(2026, 1, 1))  # noqa: DTZ001


def test_nothing_is_an_empty_frame_of_the_same_form(ask: Call) -> None:
    frame = ask("readings", devices="elgazala-1", start="2020-01-01", end="2020-01-02")
    assert frame.empty
    assert str(frame["time"].dtype) == "datetime64[ns, Africa/Tunis]"
    assert frame["value"].dtype == "float64"


def test_windows_have_gaps_as_gaps(ask: Call) -> None:
    frame = ask("windows", "15min", devices="elgazala-1", quantities="air_temperature")
    assert frame["value"].isna().sum() >= 7
    assert (frame["count"][frame["value"].isna()] == 0).all()
    assert ((frame["end"] - frame["time"]) == pd.Timedelta(minutes=15)).all()
    assert frame.attrs["aggregate"] == "mean"
    filled = ask(
        "windows", "15min", devices="elgazala-1", quantities="air_temperature", fill="none"
    )
    assert not filled.empty
    assert "filled" in filled


def test_windows_have_several_aggregates_and_gaps_are_filled_so_far(ask: Call) -> None:
    frame = ask(
        "windows", "15min", devices="elgazala-1", quantities="air_temperature",
        aggregate=["min", "max", "mean"], fill="linear", fill_limit=1, quality="good",
    )  # fmt: skip
    assert {"min", "max", "mean", "count", "filled"} <= set(frame.columns)
    assert "value" not in frame
    there = frame.dropna(subset=["min", "max"])
    assert (there["min"] <= there["max"]).all()
    assert frame["min"].isna().sum() >= 5
    assert frame.attrs["aggregates"] == ["min", "max", "mean"]


def test_windows_are_of_groups_of_devices(ask: Call) -> None:
    frame = ask(
        "windows", "1h", devices=["elgazala-1", "diamniadio-1"], quantities="air_temperature",
        group_by=["site", "quantity"],
    )  # fmt: skip
    assert set(frame["site"]) == {"elgazala", "diamniadio"}
    assert (frame["devices"] == 1).all()
    assert "device" not in frame
    assert frame["value"].notna().any()


def test_a_plot_has_the_whole_range_in_few_values(ask: Call) -> None:
    frame = ask(
        "plot", 50, devices="elgazala-1", quantities="air_temperature", start="-25h",
        downsample="m4",
    )  # fmt: skip
    assert 0 < len(frame) <= 50
    whole = ask("readings", devices="elgazala-1", quantities="air_temperature", start="-25h")
    assert frame["value"].max() == whole["value"].max()
    [of] = frame.attrs["of"]
    assert (of["device"], of["of"]) == ("elgazala-1", len(whole))


def test_values_are_joined_with_the_nearest_of_others(ask: Call) -> None:
    frame = ask("joined", "air_temperature", "relative_humidity", site="elgazala", start="-1h")
    assert (frame["relative_humidity"] == 50.0).all()
    assert (frame["relative_humidity_distance_s"] == 0.0).all()
    assert frame.attrs["units"]["relative_humidity"] == "%"


def test_what_there_is_and_the_newest_of_it(ask: Call) -> None:
    assert set(ask("sites")["id"]) == {"elgazala", "diamniadio"}
    assert set(ask("devices", site="elgazala")["id"]) == {"elgazala-1"}
    assert "air_temperature" in set(ask("quantities")["name"])
    frame = ask("latest", quantities="air_temperature")
    assert len(frame) == 2
    assert (frame["age_s"] >= 60).all()
    assert ask("me")["kind"] == "key"


def test_the_account_and_what_could_not_be_stored(ask: Call) -> None:
    frame = ask("completeness", group="site")
    assert frame.attrs["totals"]["received"] == 10
    assert frame["stored"].tolist() == [8]
    assert ask("dead_letters").empty


def test_alerts_are_a_table_and_are_explained_and_taken_on(ask: Call, place: Place) -> None:
    alert = place.alert()
    frame = ask("alerts", site="elgazala", state=["firing", "pending"])
    row = frame[frame["id"] == alert].iloc[0]
    assert (row["title_fr"], row["severity"], row["value"]) == ("Trop chaud", "warning", 28.0)
    assert str(frame["at"].dtype) == "datetime64[ns, UTC]"
    assert pd.isna(row["acknowledged"])
    found = ask("explain", alert, language="fr")
    assert found["rule"]["condition"] == "température de l'air au-dessus de 27 °C"
    assert list(found["series"].columns) == [
        "time", "site", "device", "quantity", "value", "quality",
    ]  # fmt: skip
    assert len(found["series"]) > 20
    assert found["series"].attrs["units"] == {"air_temperature": "Cel"}
    taken = ask("acknowledge", alert, "on my way")
    assert taken["acknowledged"]["note"] == "on my way"
    with pytest.raises(passerelle.ConflictError, match="looks after"):
        ask("acknowledge", alert)
    assert ask("alert", alert)["state"] == "acknowledged"
    assert ask("alert_history", alert)["kind"].tolist() == ["acknowledged"]
    row = ask("alerts", state="acknowledged").set_index("id").loc[alert]
    assert (row["acknowledged_by"], row["acknowledged_note"]) == ("tests", "on my way")
    assert row["acknowledged"] >= row["at"]


def test_alerts_are_silenced(ask: Call, place: Place) -> None:
    made = ask("silence_alert", place.alert(), "2h", "serviced")
    assert made["match"]["device"] == ["elgazala-1"]
    end = datetime.now(tz=UTC) + timedelta(days=1)
    made = ask("silence", "wiring", end=end, site="elgazala", alarm_class=["no_data"],
               kind="maintenance")  # fmt: skip
    assert (made["kind"], made["match"]["class"]) == ("maintenance", ["no_data"])
    with pytest.raises(passerelle.InvalidError, match="90 days"):
        ask("silence", "for ever", end="now+91d", rule="hot")


def test_rules_are_written_version_by_version(ask: Call) -> None:
    name = f"rule-{secrets.token_hex(4)}"
    made = ask("put_alert_rule", name, RULE.replace("hot", name), "needed", version=0)
    assert made["version"] == 1
    again = RULE.replace("hot", name) + "severity: critical\n"
    assert ask("put_alert_rule", name, again, "graver", version=1)["version"] == 2
    with pytest.raises(passerelle.ConflictError, match="version 1 was expected"):
        ask("put_alert_rule", name, again, "graver", version=1)
    with pytest.raises(passerelle.InvalidError) as refused:
        ask("put_alert_rule", name, again + "sevrity: info\n", "typo")
    assert refused.value.errors == [
        {"line": 6, "field": "sevrity", "detail": "unknown key; did you mean severity?"}
    ]
    assert ask("alert_rule", name)["source"] == again
    frame = ask("alert_rules").set_index("name")
    assert frame.loc[name, "version"] == 2
    assert ask("alert_rules", state="disabled").empty


@pytest.mark.parametrize(
    ("method", "arguments", "error", "words"),
    [
        ("readings", {"site": "mars"}, passerelle.InvalidError, "no site 'mars'"),
        ("readings", {"site": "elgazala", "zone": "Mars/Base"}, passerelle.InvalidError, "zone"),
        ("readings", {"devices": "nobody"}, passerelle.ApiError, "nobody"),
        ("fetch_snapshot", {"snapshot": "none", "path": "x"}, passerelle.NotFoundError, "none"),
    ],
)
def test_a_refusal_says_what_the_platform_said(
    ask: Call,
    method: str,
    arguments: dict[str, Any],
    error: type[passerelle.ApiError],
    words: str,
) -> None:
    with pytest.raises(error, match=words) as refused:
        ask(method, **arguments)
    assert refused.value.type.startswith("urn:passerelle:problem:")


def test_a_key_may_be_wrong_or_too_little(clients: Clients, place: Place) -> None:
    wrong = clients.new(place.url, "psl_0123456789ab_" + "0" * 64)
    with pytest.raises(passerelle.UnauthorizedError):
        wrong("sites")
    with pytest.raises(passerelle.ForbiddenError, match="export"):
        clients.new(place.url, place.viewer)("export", "x.csv", site="elgazala")


def test_there_is_no_client_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSERELLE_KEY", raising=False)
    for kind in (Client, AsyncClient):
        with pytest.raises(passerelle.PasserelleClientError, match="PASSERELLE_KEY"):
            kind("http://127.0.0.1:1")


def test_an_export_is_fetched_and_checked(ask: Call, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = ask(
        "export", tmp_path / "day.csv", site="elgazala", quantities=["air_temperature"],
        start="-25h", progress=lambda done, size: told.append((done, size)),
    )  # fmt: skip
    frame = pd.read_csv(path, comment="#")
    assert len(frame) == 1440 - 130
    assert told[-1][0] == told[-1][1] == path.stat().st_size
    assert not list(tmp_path.glob("*.part"))


JOB = {
    "id": "1",
    "state": "done",
    "size": 6,
    "sha256": hashlib.sha256(b"abcdef").hexdigest(),
    "error": None,
    "file": "/file",
}


def test_an_export_goes_on_where_the_line_broke(clients: Clients, tmp_path: Path) -> None:
    def answer(method: str, _path: str, headers: Mapping[str, str]) -> Said:
        if method == "POST":
            return Said(202, json.dumps(JOB).encode())
        if headers.get("Range") == "bytes=2-":
            assert headers["If-Range"] == f'"{JOB["sha256"]}"'
            return Said(206, b"cdef")
        return Said(200, b"ab", missing=4)

    with scripted(answer) as (url, asked):
        path = clients.new(url, "k")("export", tmp_path / "x.csv", site="s", progress=True)
    assert path.read_bytes() == b"abcdef"
    assert [method for method, _ in asked] == ["POST", "GET", "GET"]


def test_a_file_that_is_not_what_was_sent_is_refused(clients: Clients, tmp_path: Path) -> None:
    def answer(method: str, _path: str, _headers: Mapping[str, str]) -> Said:
        return Said(202, json.dumps(JOB).encode()) if method == "POST" else Said(200, b"abcdeX")

    with scripted(answer) as (url, _), pytest.raises(passerelle.ChecksumError):
        clients.new(url, "k")("export", tmp_path / "x.csv", site="s")
    assert list(tmp_path.iterdir()) == []


def test_what_may_be_asked_twice_is_asked_again(clients: Clients) -> None:
    said = iter(
        [
            Said(503, b"{}", {"Retry-After": "0"}),
            Said(0),
            Said(429, b"{}"),
            Said(200, b'{"sites": []}'),
        ]
    )
    with scripted(lambda *_: next(said)) as (url, asked):
        assert clients.new(url, "k")("sites").empty
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(503, b"{}"), passerelle.UnavailableError),
        (Said(500, b"<html>"), passerelle.UnavailableError),
        (Said(0), passerelle.UnavailableError),
        (Said(429, b"{}"), passerelle.RateLimitedError),
    ],
)
def test_patience_has_an_end(
    clients: Clients, said: Said, error: type[passerelle.PasserelleClientError]
) -> None:
    with scripted(lambda *_: said) as (url, asked), pytest.raises(error):
        clients.new(url, "k")("sites")
    assert len(asked) == NO_WAIT.tries


def test_a_long_wait_is_not_waited_for(clients: Clients) -> None:
    busy = Said(503, b"{}", {"Retry-After": "3600"})
    with scripted(lambda *_: busy) as (url, asked), pytest.raises(passerelle.UnavailableError):
        clients.new(url, "k")("sites")
    assert len(asked) == 1


def test_an_order_that_was_lost_is_one_order(clients: Clients, tmp_path: Path) -> None:
    said = iter([Said(0), Said(202, json.dumps(JOB).encode()), Said(200, b"abcdef")])
    keys: list[str | None] = []

    def answer(method: str, _path: str, headers: Mapping[str, str]) -> Said:
        if method == "POST":
            keys.append(headers.get("Idempotency-Key"))
        return next(said)

    with scripted(answer) as (url, _):
        clients.new(url, "k")("export", tmp_path / "x.csv", site="s")
    assert len(keys) == 2
    assert keys[0] == keys[1] is not None


def test_a_snapshot_is_made_and_fetched(ask: Call, tmp_path: Path) -> None:
    made = ask("snapshot", "a study", site="elgazala", quantities="air_temperature", start="-25h")
    assert made["citation"]
    path = ask("fetch_snapshot", made["id"], tmp_path / "study.parquet")
    assert len(pd.read_parquet(path)) == 1440 - 130


def test_values_are_yielded_as_they_arrive(clients: Clients, place: Place) -> None:
    hub = place.app.state.services.live
    frames = iter(range(1, 100))

    def tell() -> None:
        point = (
            b"environment,device=elgazala-1,site=elgazala air_temperature=21.5 1790000000000000000"
        )
        frame = encode(Frame(7, next(frames), time.time_ns(), point))
        hub._loop.call_soon_threadsafe(hub.take, frame)

    timer = threading.Timer(0.3, tell)
    timer.start()
    found = clients.new(place.url, place.key)("live", site="elgazala", seconds=1.5)
    timer.join()
    assert [event["type"] for event in found] == ["hello", "points"]
    assert found[1]["points"][0]["values"] == {"air_temperature": 21.5}


def test_a_live_stream_goes_on_after_a_broken_line(clients: Clients) -> None:
    first = b'id: a-1\nevent: hello\ndata: {}\n\nid: a-2\nevent: points\ndata: {"points":[]}\n\n'
    last = b'event: points\ndata: {"points":[1]}\n\nevent: end\ndata: {"reason":"time"}\n\n'
    seen: list[str | None] = []

    def answer(_method: str, _path: str, headers: Mapping[str, str]) -> Said:
        seen.append(headers.get("Last-Event-ID"))
        return Said(200, last if len(seen) > 1 else first, missing=0 if len(seen) > 1 else 5)

    with scripted(answer) as (url, _):
        found = clients.new(url, "k")("live")
    assert [event["type"] for event in found] == ["hello", "points", "points"]
    assert seen == [None, "a-2"]


def test_a_live_stream_that_went_on_for_long_goes_on_after_a_broken_line(clients: Clients) -> None:
    """Patience counts from the last sign of life, not from when the stream began."""
    told = b"id: a-1\nevent: hello\ndata: {}\n\n"
    end = b'event: end\ndata: {"reason":"time"}\n\n'
    asked: list[str] = []
    broken = threading.Event()

    def answer(_method: str, path: str, _headers: Mapping[str, str]) -> Said:
        asked.append(path)
        if len(asked) == 1:
            return Said(200, told, missing=5)
        broken.wait(0.5)  # longer than anybody is patient
        return Said(200, told, missing=5) if len(asked) < 4 else Said(200, end)

    retry = Retry(tries=3, first_s=0.001, most_s=0.01, deadline_s=0.4)
    with scripted(answer) as (url, _):
        found = clients.new(url, "k", retry)("live", seconds=3000)
    assert [event["type"] for event in found] == ["hello"] * 3
    left = [float(path.partition("seconds=")[2]) for path in asked]
    assert left == sorted(left, reverse=True)
    assert 2990 < left[-1] < left[0] <= 3000


def test_a_live_stream_says_that_its_key_is_good_no_more(clients: Clients) -> None:
    said = b'event: hello\ndata: {}\n\nevent: end\ndata: {"reason":"refused"}\n\n'
    with (
        scripted(lambda *_: Said(200, said)) as (url, _),
        pytest.raises(passerelle.UnauthorizedError),
    ):
        clients.new(url, "k")("live")


def test_both_clients_are_the_same() -> None:
    spec = importlib.util.spec_from_file_location("unasync", CLIENT / "unasync.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert ast.dump(ast.parse(module.made())) == ast.dump(ast.parse(module.TARGET.read_text()))


def test_every_method_is_in_the_readme_and_documented() -> None:
    readme = (CLIENT / "README.md").read_text()
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_") and name != "close":
            assert f"`{name}(" in readme or f", `{name}(" in readme, name
            assert inspect.getdoc(method), name


def test_the_readme_s_example_runs(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (CLIENT / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    code = code.replace("http://127.0.0.1:8000", place.url).replace("psl_...", place.key)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - it is ours
    assert "Africa/Tunis" in capsys.readouterr().out
