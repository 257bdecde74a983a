"""The live stream over a real broker and real sockets: order, filters, resuming, slowness, ends."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from api.app import create_app
from api.live import reader as readers
from api.live import websocket
from api.live.looking import Looking
from api.live.shown import Shown
from api.server import ApiServer
from core.access import EVERYTHING, Domain, Grant, Role
from core.clock import NS_PER_S, SystemClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import Settings, load_settings
from core.stream import TOPIC
from devices.registry import AuditFilter, Device, Registry
from ingest.announcer import Announcer
from storage.backends.memory import MemoryStore
from storage.line_protocol import lines_of
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.programs import Program
from tests.support.site import Site

T0 = 1_790_000_000 * NS_PER_S
SITES = ("elgazala", "diamniadio")


class Place:
    """The API on a socket, a worker's announcer, and keys."""

    def __init__(self, directory: Path, broker_url: str, **live: Any) -> None:
        self.clock = SystemClock()
        self.metrics = Metrics()
        self.settings: Settings = load_settings(
            data_dir=directory, mqtt={"url": broker_url, "reconnect_max_s": 1}, live=live
        )
        self.registry = Registry.open(self.settings.registry_url, clock=self.clock)
        self.registry.migrate()
        self.registry.seed([], [])
        for site in SITES:
            if not self.registry.devices.list(site=site):
                self.registry.devices.add(
                    Device(id=f"{site}-1", site=site, profile="p", external_id="1")
                )
        self.store = MemoryStore()
        self.key = self.new_key(*EVERYTHING)
        self.worker = self.new_worker()
        self.start()

    def start(self) -> None:
        self.app = create_app(
            settings=self.settings,
            registry=self.registry,
            store=self.store,
            metrics=self.metrics,
            clock=self.clock,
        )
        self.server = ApiServer(self.app, "127.0.0.1", 0)
        self.url = self.server.start()
        self.hub = self.app.state.services.live
        self.heard()

    def heard(self) -> None:
        """Wait until what the worker tells is heard."""

        def hears() -> bool:
            before = self.hub.newest
            self.worker.offer(lines(point("elgazala", 0)))
            return bool(wait_true(lambda: self.hub.newest > before))

        wait_until(hears, seconds=30, what="the API hears the worker")

    def new_worker(self) -> Announcer:
        made = Announcer(
            mqtt_settings=self.settings.mqtt,
            settings=self.settings.live,
            worker="w1",
            clock=self.clock,
            metrics=self.metrics,
        )
        made.start()
        return made

    def new_key(self, *grants: Grant, **more: Any) -> str:
        return self.registry.keys.create("a reader", grants=grants, **more)[0]

    @contextmanager
    def events(
        self, query: str = "", *, key: str | None = None, last: str | None = None
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """Read server-sent events; the first one, `hello`, is read already when this returns."""
        headers = {"X-API-Key": key or self.key}
        if last is not None:
            headers["Last-Event-ID"] = last
        with (
            httpx.Client(timeout=20) as client,
            client.stream("GET", f"{self.url}/v1/live?{query}", headers=headers) as answer,
        ):
            assert answer.status_code == 200, answer.read()
            found = _events(answer)
            hello = next(found)
            assert hello["type"] == "hello"
            yield found

    def socket(self, *, key: str | None = None, query: str = "") -> ClientConnection:
        headers = {} if key is None else {"X-API-Key": key}
        address = self.url.replace("http://", "ws://")
        return connect(f"{address}/v1/live/ws{query}", additional_headers=headers)

    def close(self) -> None:
        self.worker.stop()
        self.server.stop()
        self.store.close()
        self.registry.close()


def wait_true(condition: Callable[[], bool]) -> bool:
    try:
        wait_until(condition, seconds=0.5, what="it")
    except TimeoutError:
        return False
    return True


def point(site: str, number: int, value: float = 20.0, **values: float) -> Point:
    named = values or {"air_temperature": value}
    category = "vital_signs" if "heart_rate" in named else "environment"
    return Point(site, f"{site}-1", category, T0 + number * NS_PER_S, named)


def lines(*points: Point) -> bytes:
    return lines_of(points)


def _events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    for line in answer.iter_lines():
        if not line:
            if "type" in found:
                yield found
            found = {}
        elif line.startswith("event: "):
            found["type"] = line[7:]
        elif line.startswith("id: "):
            found["id"] = line[4:]
        elif line.startswith("data: "):
            found |= json.loads(line[6:])


def closed_with(socket: Connection) -> tuple[int, str]:
    """Read until a connection is closed; return the code and the reason."""
    try:
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed as closed:
        received = closed.rcvd
    return (received.code, received.reason) if received is not None else (0, "")


def values_of(events: Iterator[dict[str, Any]], count: int) -> list[float]:
    """Return the first temperatures that come."""
    found: list[float] = []
    while len(found) < count:
        event = next(events)
        assert event["type"] == "points", event
        found += [one["values"]["air_temperature"] for one in event["points"]]
    return found


def dropped(place: Place) -> float:
    return place.metrics.registry.get_sample_value("passerelle_live_dropped_total") or 0.0


@pytest.fixture
def place(mosquitto: MosquittoServer, tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, mosquitto.url)
    yield made
    made.close()


def test_values_come_in_order_with_their_units(place: Place) -> None:
    headers = {"X-API-Key": place.key}
    with (
        httpx.Client(timeout=20) as client,
        client.stream(
            "GET", f"{place.url}/v1/live?zone=Africa/Tunis&quantities=air_temperature",
            headers=headers,
        ) as answer,
    ):  # fmt: skip
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        events = _events(answer)
        hello = next(events)
        assert hello["units"] == {"air_temperature": "Cel"}
        for number in range(50):
            place.worker.offer(lines(point("elgazala", number, float(number))))
        first = next(events)
        assert first["points"][0] == {
            "site": "elgazala",
            "device": "elgazala-1",
            "time": "2026-09-21T15:13:20+01:00",
            "values": {"air_temperature": 0.0},
            "quality": [],
        }
        found = [one["values"]["air_temperature"] for one in first["points"]]
        while len(found) < 50:
            found += [one["values"]["air_temperature"] for one in next(events)["points"]]
        assert found == [float(number) for number in range(50)]


def test_readers_get_what_they_asked_for(place: Place) -> None:
    with place.events("site=diamniadio&quantities=air_temperature") as events:
        place.worker.offer(
            lines(
                point("elgazala", 1, 1.0),
                point("diamniadio", 2, relative_humidity=50.0),
                point("diamniadio", 3, 3.0),
            )
        )
        event = next(events)
        assert [one["values"] for one in event["points"]] == [{"air_temperature": 3.0}]


def test_a_reader_sees_only_what_was_granted(place: Place) -> None:
    key = place.new_key(Grant(Role.VIEWER, "elgazala"))
    with place.events(key=key) as events:
        place.worker.offer(
            lines(
                point("diamniadio", 1, 1.0),
                point("elgazala", 2, heart_rate=70.0),
                point("elgazala", 3, 3.0),
            )
        )
        event = next(events)
        assert [(one["site"], one["values"]) for one in event["points"]] == [
            ("elgazala", {"air_temperature": 3.0})
        ]
    for query, status in (("site=diamniadio", 422), ("quantities=heart_rate", 403)):
        answer = httpx.get(f"{place.url}/v1/live?{query}", headers={"X-API-Key": key})
        assert answer.status_code == status


def test_who_looks_on_vital_signs_is_written_down(place: Place) -> None:
    key = place.new_key(Grant(Role.VIEWER, "elgazala", Domain.HEALTH))
    with place.events("site=elgazala", key=key) as events:
        place.worker.offer(lines(point("elgazala", 2, heart_rate=70.0)))
        assert next(events)["points"][0]["values"] == {"heart_rate": 70.0}
    with place.socket(key=key) as socket:
        assert json.loads(socket.recv())["type"] == "hello"

    def outcomes() -> list[str]:
        return [row.outcome for row in reversed(place.registry.audit.list(AuditFilter()))]

    wait_until(lambda: len(outcomes()) == 4, seconds=20, what="both ended")
    assert sorted(outcomes())[:2] == ["begun", "begun"]


def rows(place: Place) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return what the audit says, the oldest first: outcome, sites, quantities."""
    found = place.registry.audit.list(AuditFilter())
    return [(row.outcome, row.sites, row.quantities) for row in reversed(found)]


def test_a_new_question_about_vital_signs_is_written_down(place: Place) -> None:
    key = place.new_key(
        Grant(Role.VIEWER, "elgazala"), Grant(Role.VIEWER, "elgazala", Domain.HEALTH)
    )
    with place.socket() as socket:
        socket.send(json.dumps({"key": key, "want": {"quantities": ["air_temperature"]}}))
        assert json.loads(socket.recv())["type"] == "hello"
        assert rows(place) == []
        for _ in range(2):
            socket.send(json.dumps({"want": {"quantities": ["heart_rate"]}}))
            assert json.loads(socket.recv(timeout=10))["units"] == {"heart_rate": "/min"}
        assert rows(place) == [("begun", ("elgazala",), ("heart_rate",))]
    wait_until(lambda: len(rows(place)) == 2, seconds=20, what="its end is written down")
    assert rows(place)[1] == ("complete", ("elgazala",), ("heart_rate",))


def test_rights_that_grow_are_written_down_before_they_are_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "RENEW_S", 0.1)
    monkeypatch.setattr(readers, "BEAT_S", 0.1)
    little = Grant(Role.VIEWER, "elgazala")
    place.registry.users.create("amina", name="Amina", grants=[little])
    key = place.registry.keys.create("hers", grants=[], user="amina")[0]
    with place.events("site=elgazala", key=key) as events, place.socket(key=key):
        grants = [little, Grant(Role.VIEWER, "elgazala", Domain.HEALTH)]
        place.registry.users.change("amina", grants=grants)
        wait_until(lambda: len(rows(place)) == 2, seconds=20, what="both see more")
        place.worker.offer(lines(point("elgazala", 2, heart_rate=70.0)))
        assert next(events)["points"][0]["values"] == {"heart_rate": 70.0}
    wait_until(lambda: len(rows(place)) == 4, seconds=20, what="both ended")
    assert [outcome for outcome, _, _ in rows(place)] == ["begun"] * 2 + ["complete"] * 2


def test_rights_that_shrink_end_with_the_next_question(place: Place) -> None:
    both = [Grant(Role.VIEWER, "elgazala"), Grant(Role.VIEWER, "elgazala", Domain.HEALTH)]
    place.registry.users.create("amina", name="Amina", grants=both)
    key = place.registry.keys.create("hers", grants=[], user="amina")[0]
    with place.socket(key=key) as socket:
        assert json.loads(socket.recv())["type"] == "hello"
        place.registry.users.change("amina", grants=both[:1])
        socket.send(json.dumps({"want": {"site": "elgazala"}}))
        assert json.loads(socket.recv(timeout=10))["type"] == "hello"
        place.worker.offer(lines(point("elgazala", 2, heart_rate=70.0), point("elgazala", 3, 3.0)))
        told = json.loads(socket.recv(timeout=10))["points"]
        assert [one["values"] for one in told] == [{"air_temperature": 3.0}]
        socket.send(json.dumps({"want": {"quantities": ["heart_rate"]}}))
        assert closed_with(socket)[0] == 4403


@pytest.mark.parametrize(
    ("want", "code", "status", "detail"),
    [
        ({"quantities": ["heart_rate"]}, 4403, 403, ""),
        ({"site": "diamniadio"}, 4400, 422, "site diamniadio"),
        ({"devices": ["diamniadio-1"]}, 4400, 422, "site diamniadio"),
    ],
)
def test_a_refusal_of_a_socket_is_written_down(
    place: Place, want: dict[str, Any], code: int, status: int, detail: str
) -> None:
    key = place.new_key(Grant(Role.VIEWER, "elgazala"))
    with place.socket() as socket:
        socket.send(json.dumps({"key": key, "want": want}))
        assert closed_with(socket)[0] == code
    [row] = place.registry.audit.list(AuditFilter())
    assert (row.outcome, row.status, row.route, row.detail) == (
        "refused",
        status,
        "/v1/live/ws",
        detail,
    )
    assert row.actor.id == key.split("_")[1]


def test_a_reader_goes_on_where_it_left_off(place: Place) -> None:
    with place.events() as events:
        place.worker.offer(lines(point("elgazala", 1, 1.0)))
        place.worker.offer(lines(point("elgazala", 2, 2.0)))
        seen = next(events)
        while seen["points"][-1]["values"]["air_temperature"] != 2.0:
            seen = next(events)
    before = place.hub.newest
    for number in (3, 4, 5):
        place.worker.offer(lines(point("elgazala", number, float(number))))
    wait_until(lambda: place.hub.newest == before + 3, seconds=10, what="they arrived")
    with place.events(last=seen["id"]) as events:
        assert values_of(events, 3) == [3.0, 4.0, 5.0]


def test_a_reader_is_told_that_the_api_was_started_anew(place: Place) -> None:
    with place.events() as events:
        place.worker.offer(lines(point("elgazala", 1, 1.0)))
        last = next(events)["id"]
    place.server.stop()
    place.start()
    with place.events(last=last) as events:
        missed = next(events)
        assert (missed["type"], missed["reason"]) == ("missed", "restarted")
        assert missed["since"] is not None
        place.worker.offer(lines(point("elgazala", 2, 2.0)))
        assert values_of(events, 1) == [2.0]


def test_what_is_not_kept_any_more_is_told(mosquitto: MosquittoServer, tmp_path: Path) -> None:
    place = Place(tmp_path, mosquitto.url, keep_mb=1)
    try:
        with place.events() as events:
            place.worker.offer(lines(point("elgazala", 1, 1.0)))
            last = next(events)["id"]
        many = lines(*(point("elgazala", number) for number in range(1500)))
        before = place.hub.newest
        for _ in range(3):
            place.worker.offer(many)
        wait_until(lambda: place.hub.newest >= before + 3, seconds=10, what="they arrived")
        with place.events(last=last) as events:
            missed = next(events)
            assert (missed["type"], missed["reason"]) == ("missed", "too_long_ago")
            assert missed["batches"] >= 1
    finally:
        place.close()


def test_a_slow_reader_is_told_what_it_missed_and_slows_nobody(
    mosquitto: MosquittoServer, tmp_path: Path
) -> None:
    place = Place(tmp_path, mosquitto.url, keep_mb=2)
    try:
        many = [point("elgazala", number, float(number)) for number in range(1000)]
        with place.socket(key=place.key) as quick, place.events() as slow:
            assert json.loads(quick.recv())["type"] == "hello"
            batches, seen = 120, 0
            for _ in range(batches):  # about 14 MB of text: more than any buffer on the way
                place.worker.offer(lines(*many))
                while seen < 1000:
                    told = json.loads(quick.recv(timeout=20))
                    assert told["type"] == "points"
                    seen += len(told["points"])
                seen -= 1000
            kinds = []
            for event in slow:
                kinds.append((event["type"], event.get("reason")))
                if event["type"] == "missed":
                    assert event["batches"] >= 1
                    break
            assert kinds[-1] == ("missed", "too_slow")
    finally:
        place.close()


def test_what_is_lost_on_the_way_is_told(place: Place, mosquitto: MosquittoServer) -> None:
    with place.events() as events:
        mosquitto.kill()
        for number in range(5):
            place.worker.offer(lines(point("elgazala", number, -1.0)))
        mosquitto.start()
        place.heard()
        kinds = []
        for event in events:
            kinds.append(event["type"])
            if event["type"] == "missed":
                assert event["reason"] == "lost_on_the_way"
                assert event["batches"] >= 1
                break
        assert kinds[-1] == "missed"


class _Behind(SystemClock):
    def now_ns(self) -> int:
        return super().now_ns() - 600 * NS_PER_S


def test_a_worker_whose_clock_is_wrong_is_heard_and_stops_nobody(place: Place) -> None:
    place.worker.stop()
    place.worker = Announcer(
        mqtt_settings=place.settings.mqtt,
        settings=place.settings.live,
        worker="w1",
        clock=_Behind(),
        metrics=place.metrics,
    )
    place.worker.start()
    with place.events() as events, place.socket(key=place.key) as socket:
        assert json.loads(socket.recv(timeout=10))["type"] == "hello"
        place.heard()
        assert next(events)["type"] == "points"
        assert json.loads(socket.recv(timeout=10))["type"] == "points"
        assert httpx.get(f"{place.url}/health/live", timeout=10).status_code == 200


@pytest.mark.parametrize("last", ["0123456789ab-1-9999999999999999", "0123456789ab-1-1"])
def test_a_place_that_was_never_given_is_refused(place: Place, last: str) -> None:
    headers = {"X-API-Key": place.key, "Last-Event-ID": last}
    answer = httpx.get(f"{place.url}/v1/live?seconds=0", headers=headers, timeout=10)
    expected = (422, b"no identifier") if last.endswith("9") else (200, b"restarted")
    assert (answer.status_code, expected[1] in answer.content) == (expected[0], True)


def test_an_announcer_outlives_a_client_that_refuses(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks the connection may go: paho then answers that there is none."""
    refused = mqtt.MQTTMessageInfo(1)
    refused.rc = mqtt.MQTT_ERR_NO_CONN
    before = dropped(place)
    with place.events() as events:
        with monkeypatch.context() as patch:
            patch.setattr(mqtt.Client, "publish", lambda *_, **__: refused)
            place.worker.offer(lines(point("elgazala", 1)))
            wait_until(lambda: dropped(place) > before, seconds=10, what="it was dropped")
        place.worker.offer(lines(point("elgazala", 2, 2.0)))
        assert next(events)["reason"] == "lost_on_the_way"
        assert values_of(events, 1) == [2.0]


def test_a_worker_that_starts_anew_is_heard(place: Place) -> None:
    with place.events() as events:
        place.worker.stop()
        place.worker = place.new_worker()
        place.heard()
        assert next(events)["type"] == "points"


def test_what_is_no_frame_is_passed_over(place: Place) -> None:
    client = place.worker._client
    with place.events() as events:
        for payload in (b"", b"nonsense", b"PSL1", b"PSL1" + bytes(24) + b"no line protocol"):
            client.publish(f"{TOPIC}/w2", payload).wait_for_publish(5)
        place.worker.offer(lines(point("elgazala", 1, 1.0)))
        assert values_of(events, 1) == [1.0]


def test_a_socket_takes_its_key_in_the_first_message_and_new_questions(place: Place) -> None:
    with place.socket() as socket:
        socket.send(json.dumps({"key": place.key, "want": {"site": "elgazala"}}))
        assert json.loads(socket.recv())["type"] == "hello"
        place.worker.offer(lines(point("diamniadio", 1, 1.0), point("elgazala", 2, 2.0)))
        told = json.loads(socket.recv(timeout=10))
        assert [one["site"] for one in told["points"]] == ["elgazala"]
        socket.send(json.dumps({"want": {"site": "diamniadio", "zone": "Africa/Dakar"}}))
        assert json.loads(socket.recv(timeout=10))["zone"] == "Africa/Dakar"
        place.worker.offer(lines(point("diamniadio", 3, 3.0)))
        told = json.loads(socket.recv(timeout=10))
        assert [one["site"] for one in told["points"]] == ["diamniadio"]
        last = told["id"]
    with place.socket() as socket:
        socket.send(json.dumps({"key": place.key, "last": last}))
        assert json.loads(socket.recv())["type"] == "hello"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"key": "psl_0123456789ab_" + "0" * 64}, 4401),
        ({"want": {}}, 4401),
        ({"nonsense": 1}, 4400),
        ({"key": "KEY", "want": {"site": "mars"}}, 4400),
        ({"key": "KEY", "want": {"zone": "Mars/Base"}}, 4400),
        ({"key": "KEY", "last": "nonsense"}, 4400),
        ({"key": "WARD", "want": {"quantities": ["air_temperature"]}}, 4403),
    ],
)
def test_a_socket_is_closed_with_a_code_that_says_why(
    place: Place, first: dict[str, Any], code: int
) -> None:
    ward = place.new_key(Grant(Role.VIEWER, "elgazala", Domain.HEALTH))
    text = json.dumps(first).replace("KEY", place.key).replace("WARD", ward)
    with place.socket() as socket:
        socket.send(text)
        found, reason = closed_with(socket)
    assert (found, bool(reason)) == (code, True)


def test_questions_are_heard_one_at_a_time_and_not_too_often(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "QUESTION_S", 3600.0)
    monkeypatch.setattr(readers, "RENEW_S", 3600.0)  # whoever looks on for long is asked anew too
    asked: list[Looking] = []
    shown = Looking.shown

    def counted(looking: Looking) -> Shown:
        asked.append(looking)
        return shown(looking)

    monkeypatch.setattr(Looking, "shown", counted)
    with place.socket(key=place.key) as socket:
        for _ in range(20):
            socket.send(json.dumps({"want": {"site": "elgazala"}}))
        hellos = 0
        while hellos < 2:  # values that were on their way may come between
            hellos += json.loads(socket.recv(timeout=10))["type"] == "hello"

    def gone() -> bool:
        place.worker.offer(lines(point("elgazala", 1)))
        return bool(place.hub.readers == 0)

    wait_until(gone, seconds=20, what="the reader is gone")
    assert len(asked) == 2


def test_no_other_path_is_a_socket(place: Place) -> None:
    address = place.url.replace("http://", "ws://")
    with pytest.raises(InvalidStatus):
        connect(f"{address}/v1/readings", additional_headers={"X-API-Key": place.key})


def test_readers_without_a_key_are_refused(place: Place) -> None:
    assert httpx.get(f"{place.url}/v1/live").status_code == 401


def test_a_stream_ends_when_its_key_does(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "RENEW_S", 0.1)
    monkeypatch.setattr(readers, "BEAT_S", 0.1)
    key = place.new_key(*EVERYTHING)
    with place.events(key=key) as events, place.socket(key=key) as socket:
        place.registry.keys.revoke(key.split("_")[1])
        for event in events:
            if event["type"] == "end":
                break
        assert event["reason"] == "refused"
        assert closed_with(socket)[0] == 4401


def test_there_is_room_for_so_many_readers(mosquitto: MosquittoServer, tmp_path: Path) -> None:
    place = Place(tmp_path, mosquitto.url, max_readers=1)
    try:
        with place.events():
            answer = httpx.get(f"{place.url}/v1/live", headers={"X-API-Key": place.key})
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:passerelle:problem:live_busy"
            assert "Retry-After" in answer.headers
        wait_until(lambda: place.hub.readers == 0, seconds=10, what="the reader is gone")
        with place.events():
            pass
    finally:
        place.close()


def test_readers_are_told_that_the_api_stops_and_do_not_hold_it_up(place: Place) -> None:
    with place.events() as events, place.socket(key=place.key) as socket:
        stopping = threading.Thread(target=place.server.stop)
        stopping.start()
        assert [event["type"] for event in events][-1:] == ["end"]
        assert closed_with(socket)[0] == 1001
        stopping.join(4)  # uvicorn would wait five seconds for who stays
        assert not stopping.is_alive()


def test_a_stream_may_be_asked_for_a_while(place: Place) -> None:
    answer = httpx.get(f"{place.url}/v1/live?seconds=0", headers={"X-API-Key": place.key})
    assert "event: hello" in answer.text
    assert answer.text.endswith('event: end\ndata: {"reason":"time"}\n\n')


def test_the_command_shows_values_and_says_what_was_missed(place: Place, tmp_path: Path) -> None:
    program = Program(
        ("-m", "cli", "watch", "--site", "elgazala", "--url", place.url, "--key", place.key),
        environment={"PYTHONUNBUFFERED": "1"},
        log=tmp_path / "watch.log",
    )
    program.start()
    try:
        wait_until(lambda: place.hub.readers == 1, seconds=30, what="it looks on")
        place.worker.offer(lines(point("elgazala", 1, 21.5)))
        wait_until(
            lambda: "elgazala-1 air_temperature 21.5 Cel" in program.log.read_text(),
            seconds=20,
            what="the value is shown",
        )
        place.server.stop()
        wait_until(lambda: place.hub.readers == 0, seconds=20, what="the reader is gone")
    finally:
        program.stop()


def test_a_worker_tells_what_it_committed(mosquitto: MosquittoServer, tmp_path: Path) -> None:
    site = Site(tmp_path, PASSERELLE_MQTT__URL=mosquitto.url, PASSERELLE_STORE__URL="memory:")
    site.register_fleet("two-parks", 20)
    key = site.command("keys", "create", "tests", "--role", "administrator", "--health").strip()
    worker = site.program("-m", "ingest", log="ingest")
    api = site.program("-m", "api", log="api")
    for program in (worker, api):
        program.start()
    simulator, _ = site.simulate("two-parks", 20, broker=mosquitto.url, speed="60", duration="30m")
    try:
        url = f"http://127.0.0.1:{site.port}"

        def serves() -> bool:
            try:
                return httpx.get(f"{url}/health/live").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(serves, seconds=30, what="the API serves")
        with (
            httpx.Client(timeout=60) as client,
            client.stream("GET", f"{url}/v1/live", headers={"X-API-Key": key}) as answer,
        ):
            simulator.start()
            kinds = list(itertools.islice(_events(answer), 3))
            assert [one["type"] for one in kinds] == ["hello", "points", "points"]
            assert kinds[1]["points"]
    finally:
        for program in (simulator, api, worker):
            program.stop()
