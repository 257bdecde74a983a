"""The account recomputed: each kind of tampering is named, and nothing is while messages flow.

A real Mosquitto, a real InfluxDB, the worker's real files.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from core.clock import NS_PER_HOUR, NS_PER_S, SystemClock, hour_of, iso
from core.metrics import Metrics
from core.reading import Point
from core.settings import Settings, load_settings
from devices.registry import Device, Registry
from ingest.verification.difference import Difference, Kind
from ingest.verification.evidence import Sources
from ingest.verification.verify import Outcome, Wanted, verify
from ingest.worker import Worker, first_snapshot
from storage.factory import open_store
from storage.ports import LineWriter, Retry, Store, Written
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import MosquittoServer
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.publishing import publish
from tests.support.site import Site

SINCE_HALF_PAST_NS = (SystemClock().now_ns() - NS_PER_HOUR // 2) % NS_PER_HOUR
NOW = SystemClock().now_ns() - SINCE_HALF_PAST_NS
START = NOW - 600 * NS_PER_S
BOOTS, EACH, WAITING, BAD = 2, 20, 10, 3
VALUES = {"air_temperature": 21.5, "relative_humidity": 40.0}


def messages(first: int, count: int, *, boot: int = 1) -> list[bytes]:
    return [
        msgspec.json.encode(
            {"seq": seq, "boot": boot, "t": iso(START + (boot * 1000 + seq) * 10**6), "v": VALUES}
        )
        for seq in range(first, first + count)
    ]


class HalfPast(SystemClock):
    """The machine's clock, set back to half past an hour, so that no hour ends within a test."""

    def now_ns(self) -> int:
        return super().now_ns() - SINCE_HALF_PAST_NS


class Switched:
    """A store that can be out of reach."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = threading.Event()

    def write(self, points: Sequence[Point]) -> Written | Retry:
        return Retry("switched off") if self.away.is_set() else self.store.write(points)

    def write_lines(self, lines: bytes) -> bool | Retry:
        assert isinstance(self.store, LineWriter)
        return Retry("switched off") if self.away.is_set() else self.store.write_lines(lines)

    def close(self) -> None:
        """The store belongs to whoever opened it."""


class Stage:
    """A worker on real servers, and what verifies it."""

    def __init__(self, settings: Settings, broker: str) -> None:
        self.settings = settings
        self.broker = broker
        self.clock = HalfPast()
        self.store = open_store(settings)
        self.switched = Switched(self.store)
        self.registry = Registry.open(settings.registry_url, clock=self.clock)
        assert first_snapshot(self.registry, settings, stopping=threading.Event())
        self.registry.devices.add_many(
            [Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")]
        )
        snapshot = first_snapshot(self.registry, settings, stopping=threading.Event())
        assert snapshot is not None
        self._snapshot = snapshot
        self.worker = self.new_worker()

    def new_worker(self) -> Worker:
        return Worker(
            settings=self.settings,
            registry=self.registry,
            store=self.switched,
            snapshot=self._snapshot,
            clock=self.clock,
            metrics=Metrics(),
        )

    def fill(self) -> None:
        """Two boots stored, some dead letters, some messages that wait for the store; then end."""
        self.worker.start()
        wait_until(lambda: self.worker.ready, what="connected")
        for boot in range(1, BOOTS + 1):
            publish(self.broker, messages(0, EACH, boot=boot))
        publish(self.broker, [b"{%d" % number for number in range(BAD)])
        self.received(BOOTS * EACH + BAD)
        assert self.worker.settle(timeout_s=20)
        self.switched.away.set()
        publish(self.broker, messages(EACH, WAITING, boot=BOOTS))
        self.received(BOOTS * EACH + BAD + WAITING)
        self.worker.stop(drain_s=0.1)

    def received(self, count: int) -> None:
        wait_until(lambda: self.worker.totals()["received"] >= count, what="received", seconds=30)

    def verify(self, wanted: Wanted | None = None) -> Outcome:
        waiting = threading.Event()

        def pause(seconds: float) -> None:
            waiting.wait(min(seconds, 0.4))

        return verify(
            Sources({"worker-1": self.settings.spool_path}, self.registry, self.store),
            wanted or Wanted(),
            ahead_s=self.settings.ingest.clock_ahead_s,
            clock=self.clock,
            pause=pause,
        )

    def spool(self, statement: str) -> int:
        return execute(self.settings.spool_path, statement)

    def tamper_registry(self, statement: str) -> int:
        return execute(self.settings.data_dir / "registry.db", statement)

    def close(self) -> None:
        self.registry.close()
        self.store.close()


def execute(path: Path, statement: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        changed = db.execute(statement).rowcount
        db.commit()
    return changed


@pytest.fixture
def bucket(influxdb2_bucket: Callable[[], str]) -> str:
    return influxdb2_bucket()


@pytest.fixture
def stage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mosquitto: MosquittoServer,
    influxdb2: InfluxDB2,
    bucket: str,
) -> Iterator[Stage]:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        data_dir=tmp_path,
        mqtt={"url": mosquitto.url},
        store={
            "url": f"influxdb+{influxdb2.url}",
            "token": influxdb2.token,
            "org": influxdb2.org,
            "bucket": bucket,
        },
    )
    made = Stage(settings, mosquitto.url)
    try:
        yield made
    finally:
        made.close()


def figures(one: Difference) -> tuple[int | str, int | str]:
    return one.one.says, one.other.says


def test_nothing_differs_while_messages_flow(stage: Stage) -> None:
    stage.worker.start()
    wait_until(lambda: stage.worker.ready, what="connected")
    publish(stage.broker, [b"{"])
    ending = threading.Event()

    def go_on() -> None:
        first = 0
        while not ending.is_set():
            publish(stage.broker, messages(first, 50))
            first += 50

    publisher = threading.Thread(target=go_on)
    publisher.start()
    try:
        for round_ in range(3):
            stage.received(100 * (round_ + 1))
            outcome = stage.verify()
            assert (outcome.code, outcome.differences, outcome.obstacles) == (0, [], [])
            assert outcome.values
    finally:
        ending.set()
        publisher.join()
        stage.worker.stop(drain_s=10)
    outcome = stage.verify()
    assert (outcome.code, outcome.notes, outcome.letters) == (0, [], 1)
    assert outcome.values == 2 * (stage.registry.ledger.totals().stored)


def test_an_untouched_account_agrees_though_messages_wait(stage: Stage) -> None:
    stage.fill()
    outcome = stage.verify()
    assert (outcome.code, outcome.differences, outcome.notes) == (0, [], [])
    assert (outcome.letters, outcome.devices, outcome.values) == (BAD, 1, 2 * BOOTS * EACH)


def test_a_value_deleted_from_the_store_is_named(
    stage: Stage, influxdb2: InfluxDB2, bucket: str
) -> None:
    stage.fill()
    at = START + 1005 * 10**6
    answer = httpx.post(
        f"{influxdb2.url}/api/v2/delete",
        params={"org": influxdb2.org, "bucket": bucket},
        headers={"Authorization": f"Token {influxdb2.token}"},
        json={"start": iso(at), "stop": iso(at + 1), "predicate": 'device="thermo-1"'},
    )
    assert answer.status_code == 204, answer.text
    [one] = stage.verify().differences
    assert (one.kind, one.site, one.device) == (Kind.VALUES_MISSING, "elgazala", "thermo-1")
    assert (one.hour, one.what) == (hour_of(NOW), "2 values")
    assert figures(one) == (2 * BOOTS * EACH, 2 * BOOTS * EACH - 2)


def test_values_written_past_the_account_are_named(stage: Stage) -> None:
    stage.fill()
    # As many as wait for the store could be those; one more cannot.
    extra = [
        Point("elgazala", "thermo-1", "environment", START + number, VALUES)
        for number in range(WAITING + 1)
    ]
    stage.store.write([*extra, Point("elgazala", "ghost", "environment", START, VALUES)])
    ghost, one = sorted(stage.verify().differences, key=lambda one: one.device)
    assert (ghost.kind, ghost.device, figures(ghost)) == (Kind.VALUES_EXTRA, "ghost", (2, 0))
    assert (one.kind, one.device, one.what) == (Kind.VALUES_EXTRA, "thermo-1", "2 values")
    assert stage.verify(Wanted(device="ghost")).differences == [ghost]


def test_a_batch_deleted_from_the_spool_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.spool("DELETE FROM batch")
    gone, pending, missing = stage.verify().differences[:3]
    found = {one.kind: one for one in (gone, pending, missing)}
    assert set(found) == {Kind.BATCH_GONE, Kind.PENDING, Kind.VALUES_MISSING}
    assert figures(found[Kind.PENDING]) == (WAITING, 0)
    assert found[Kind.PENDING].boot == BOOTS
    assert found[Kind.BATCH_GONE].what.startswith("batch ")


def test_a_count_changed_in_the_spool_is_named(stage: Stage) -> None:
    stage.fill()
    changed = "UPDATE ledger SET stored = stored + 1, received = received + 1 WHERE boot = 1"
    assert stage.spool(changed) == 1
    [one] = stage.verify().differences
    assert (one.kind, one.device, one.boot) == (Kind.REGISTRY_ROW, "thermo-1", 1)
    assert figures(one) == ("received 21, stored 21", "received 20, stored 20")


def test_pending_changed_to_stored_in_the_spool_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.spool("UPDATE ledger SET stored = stored + pending, pending = 0 WHERE boot = 2")
    kinds = {one.kind: figures(one) for one in stage.verify().differences}
    assert kinds[Kind.PENDING] == (0, WAITING)
    assert Kind.REGISTRY_ROW in kinds


def test_a_count_changed_in_the_registry_is_named(stage: Stage) -> None:
    stage.fill()
    changed = "UPDATE ledger SET duplicate = 5, stored = stored - 5 WHERE boot = 1"
    assert stage.tamper_registry(changed) == 1
    [one] = stage.verify().differences
    assert (one.kind, one.boot) == (Kind.REGISTRY_ROW, 1)
    assert figures(one) == ("stored 20, duplicate 0", "stored 15, duplicate 5")


def test_a_row_deleted_from_either_ledger_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.tamper_registry("DELETE FROM ledger WHERE boot = 1") == 1
    [one] = stage.verify().differences
    assert (one.kind, figures(one)) == (Kind.REGISTRY_LACKS_ROW, (EACH, "no such row"))
    # The advice that is given: the worker tells everything again.
    assert stage.spool("UPDATE cursor SET value = 0 WHERE name LIKE 'report_%'") == 2
    again = stage.new_worker()
    again.start()
    again.stop(drain_s=0.1)
    assert stage.verify().code == 0
    assert stage.tamper_registry("DELETE FROM ledger WHERE boot = 1") == 1
    assert stage.spool("DELETE FROM ledger WHERE boot = 1") == 1
    kinds = {one.kind for one in stage.verify().differences}
    assert kinds == {Kind.VALUES_EXTRA}


def test_a_dead_letter_deleted_from_the_spool_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.spool("DELETE FROM dead_letter WHERE id = 2") == 1
    kinds = {one.kind: one for one in stage.verify().differences}
    assert set(kinds) == {Kind.DEAD_LETTERED, Kind.LETTERS_OPEN, Kind.SPOOL_LACKS_LETTER}
    assert figures(kinds[Kind.DEAD_LETTERED]) == (BAD, BAD - 1)
    assert kinds[Kind.SPOOL_LACKS_LETTER].what == "dead letter worker-1-2"


def test_a_dead_letter_deleted_from_the_registry_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.tamper_registry("DELETE FROM dead_letters WHERE id = 'worker-1-3'") == 1
    [one] = stage.verify().differences
    assert (one.kind, one.what) == (Kind.REGISTRY_LACKS_LETTER, "dead letter worker-1-3")


def test_only_what_is_asked_for_is_named(stage: Stage) -> None:
    stage.fill()
    assert stage.tamper_registry("UPDATE ledger SET redelivered = 7 WHERE boot = 1") == 1
    hour = hour_of(NOW)
    assert stage.verify(Wanted(site="elgazala", device="thermo-1")).code == 1
    assert stage.verify(Wanted(site="diamniadio")).code == 0
    assert stage.verify(Wanted(end_hour=hour - 3600)).code == 0


def test_what_cannot_be_asked_is_said(stage: Stage) -> None:
    stage.fill()
    execute(stage.settings.spool_path, "PRAGMA user_version = 99")
    outcome = stage.verify()
    assert outcome.code == 2
    assert "format 99" in outcome.obstacles[0]


def test_the_command_says_what_differs_and_asks_the_api_where_the_store_is_held(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path, COLUMNS="200")
    up = site.program(
        "-m", "cli", "up", "--scenario", "two-parks", "--mqtt-port", str(free_port()), log="up"
    )  # fmt: skip
    with up:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        told = msgspec.json.decode(site.command("verify", "--json"))
        assert (told["code"], told["differences"], told["obstacles"]) == (0, [], [])
    data = tmp_path / "data"
    assert "everything agrees" in site.command("verify")
    rows = [
        msgspec.json.decode(line)
        for line in site.command("completeness", "--by", "boot", "--json").splitlines()
    ]
    assert sum(row["received"] for row in rows) > 0
    assert all(row["balanced"] and row["missing"] == 0 for row in rows)
    execute(data / "registry.db", "UPDATE ledger SET redelivered = redelivered + 1")
    code, said = site.failing("verify")
    assert code == 1
    assert "registry_row" in said
    (data / "telemetry.duckdb").rename(data / "elsewhere")
    execute(data / "registry.db", "UPDATE ledger SET redelivered = redelivered - 1")
    code, said = site.failing("verify")
    assert code == 2
    assert "there is no store" in said
    assert not (data / "telemetry.duckdb").exists()
