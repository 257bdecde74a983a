"""A profile that was wrong, corrected: what was received is decoded again, from the raw archive.

Real Mosquitto, real InfluxDB, the worker and the command line as an operator uses them.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.redecode import redecode
from core.clock import NS_PER_S, SystemClock, iso
from core.errors import ConfigurationError
from core.reading import DeviceKey
from core.settings import Settings
from devices.registry import Device, Registry
from ingest.archive_blocks import Archived
from ingest.archive_segments import Damaged, read_archive
from ingest.ledger import Fate
from ingest.redecode_journal import lines_of
from storage.backends.duckdb.store import DuckDBStore
from storage.factory import open_store
from storage.ports import Selection, Store
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.programs import Program
from tests.support.publishing import publish
from tests.support.site import Site

PROFILE = """
name: boiler
version: 1
description: {{en: Boiler controller, fr: Régulateur de chaufferie}}
format: tasmota
topics:
  - {{template: "{{site}}/boiler/{{device}}", kind: telemetry, reader: document}}
time: {{path: [ts], format: epoch_ms}}
rules:
  - {{path: [t], quantity: air_temperature, unit: Cel, scale: {scale}}}
  - {{path: [h], quantity: {second}, unit: "%"}}
"""
WRONG = {"scale": 0.2, "second": "battery_level"}
RIGHT = {"scale": 0.1, "second": "relative_humidity"}
DEVICES = ("boiler-1", "boiler-2")
EACH = 600
NOW = SystemClock().now_ns()
START_MS = NOW // 1_000_000 - 3_600_000
TEMPERATURES = [(215 + number % 50) / 10 for number in range(EACH)]
HUMIDITIES = [40.0 + number % 20 for number in range(EACH)]


@pytest.fixture
def site(
    tmp_path: Path,
    mosquitto: MosquittoServer,
    influxdb2: InfluxDB2,
    influxdb2_bucket: Callable[[], str],
) -> Site:
    made = Site(
        tmp_path,
        PASSERELLE_MQTT__URL=mosquitto.url,
        **influxdb2.settings(influxdb2_bucket()),
        PASSERELLE_SPOOL__BATCH_MESSAGES="100",
        PASSERELLE_ARCHIVE__ENABLED="true",
        COLUMNS="200",
    )
    put(made, WRONG)
    with opened_registry(made) as registry:
        registry.devices.add_many(
            [Device(id=one, site="elgazala", profile="boiler", external_id=one) for one in DEVICES]
        )
    return made


def put(site: Site, rules: dict[str, Any]) -> str:
    file = site.directory / "boiler.yaml"
    file.write_text(PROFILE.format(**rules))
    return site.command("profiles", "put", str(file))


def archive_of(site: Site) -> Path:
    return site.directory / "data" / "archive-worker-1"


@contextmanager
def opened_registry(site: Site) -> Iterator[Registry]:
    url = f"sqlite:///{site.directory / 'data' / 'registry.db'}"
    with closing(Registry.open(url, clock=SystemClock())) as registry:
        yield registry


@contextmanager
def opened_store(site: Site) -> Iterator[Store]:
    store = {
        name.removeprefix("PASSERELLE_STORE__").lower(): value
        for name, value in site.environment.items()
        if name.startswith("PASSERELLE_STORE__")
    }
    with closing(open_store(Settings.model_validate({"store": store}))) as opened:
        yield opened


def values(store: Store, device: str, quantity: str) -> list[float]:
    selection = Selection((DeviceKey("elgazala", device),), (quantity,), 0, NOW + NS_PER_S)
    return [one.value for one in store.read(selection, limit=10_000).readings]


def wait_for_session(registry: Registry) -> None:
    wait_until(
        lambda: any(one.connected for one in registry.workers.list()),
        what="the worker has its session",
        seconds=60,
    )


def publish_all(url: str) -> list[bytes]:
    bodies = [
        msgspec.json.encode(
            {
                "ts": START_MS + number * 1000,
                "t": round(TEMPERATURES[number] * 10),
                "h": HUMIDITIES[number],
            }
        )
        for number in range(EACH)
    ]
    for device in DEVICES:
        publish(url, bodies, topic=f"elgazala/boiler/{device}")
    return bodies


def settled(registry: Registry) -> bool:
    totals = registry.ledger.totals()
    return totals.received >= EACH * len(DEVICES) and totals.pending == 0


def redecoding(*more: str) -> tuple[str, ...]:
    begin = iso(NOW - 60 * NS_PER_S)
    return ("redecode", "--profile", "boiler", "--from", begin, "--json", *more)


def report(site: Site, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(site.command(*redecoding(*more)))
    return found


def counts(told: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    return {
        (one["device"], one["quantity"]): (
            one["added"], one["changed"], one["removed"], one["same"],
        )
        for one in told["values"]
    }  # fmt: skip


def kept(site: Site) -> list[Archived]:
    found = list(read_archive(archive_of(site), start_ns=0, end_ns=2**62))
    assert not any(isinstance(one, Damaged) for one in found)
    return [message for one in found if not isinstance(one, Damaged) for message in one[1].messages]


def corrected(store: Store) -> int:
    return sum(value < 30 for value in values(store, "boiler-1", "air_temperature"))


@pytest.mark.slow
def test_a_corrected_profile_corrects_what_is_stored_through_a_kill_in_the_middle(
    site: Site, mosquitto: MosquittoServer
) -> None:
    with opened_registry(site) as registry, site.program("-m", "ingest", log="ingest"):
        wait_for_session(registry)
        publish_all(mosquitto.url)
        wait_until(lambda: settled(registry), what="everything is stored", seconds=60)
    with opened_store(site) as store:
        wrong = [value * 2 for value in TEMPERATURES]
        assert values(store, "boiler-1", "air_temperature") == pytest.approx(wrong)

        assert "profile boiler version 2" in put(site, RIGHT)
        dry = report(site, "--dry-run")
        assert (dry["messages"], dry["points"], dry["version"]) == (EACH * 2, 0, 2)
        for device in DEVICES:
            assert counts(dry)[device, "air_temperature"] == (0, EACH, 0, 0)
            assert counts(dry)[device, "relative_humidity"] == (EACH, 0, 0, 0)
            assert counts(dry)[device, "battery_level"] == (0, 0, EACH, 0)
        assert values(store, "boiler-1", "air_temperature") == pytest.approx(wrong)
        assert lines_of(archive_of(site)) == []

        doomed = site.program("-m", "cli", *redecoding("--rate", "100"), log="doomed")
        doomed.start()
        wait_until(lambda: corrected(store) > 0, what="it has begun", seconds=60)
        doomed.kill()
        done_then = corrected(store)
        assert 0 < done_then < EACH

        done = report(site)
        changed = counts(done)["boiler-1", "air_temperature"]
        assert changed == (0, EACH - done_then, 0, done_then)
        for device in DEVICES:
            assert values(store, device, "air_temperature") == pytest.approx(TEMPERATURES)
            assert values(store, device, "relative_humidity") == HUMIDITIES
            assert values(store, device, "battery_level") == HUMIDITIES
        code, said = failing(site.program("-m", "cli", *redecoding("--remove"), log="redecode"))
        assert code == 2
        assert "--remove: values of single quantities cannot be deleted" in said
    begun_and_done = [(line.event, line.version) for line in lines_of(archive_of(site))]
    assert begun_and_done == [("begun", 2), ("begun", 2), ("done", 2)]
    with opened_registry(site) as registry:
        totals = registry.ledger.totals()
    assert (totals.received, totals.stored) == (EACH * 2, EACH * 2)


@pytest.mark.slow
def test_a_worker_killed_before_it_commits_keeps_every_message_in_its_archive_once(
    site: Site, mosquitto: MosquittoServer
) -> None:
    with opened_registry(site) as registry:
        with site.program("-m", "ingest", log="first"):
            wait_for_session(registry)
        bodies = publish_all(mosquitto.url)
        site.environment["PASSERELLE_TEST_CRASH_AT"] = "archived:3"
        doomed = site.program("-m", "tests.support.faulty_worker", log="doomed").start()
        assert doomed.process is not None
        assert doomed.process.wait(timeout=60) == -signal.SIGKILL, doomed.output()
        del site.environment["PASSERELLE_TEST_CRASH_AT"]
        with site.program("-m", "ingest", log="second"):
            wait_until(lambda: settled(registry), what="everything is stored", seconds=90)
    counted = [one for one in kept(site) if one.fate is Fate.PENDING]
    assert {one.fate for one in kept(site)} <= {Fate.PENDING, Fate.REDELIVERED}
    assert sorted((one.device, one.arrival.payload) for one in counted) == sorted(
        (device, body) for device in DEVICES for body in bodies
    )
    put(site, RIGHT)
    done = report(site)
    assert done["messages"] == EACH * 2
    with opened_store(site) as store:
        for device in DEVICES:
            assert values(store, device, "air_temperature") == pytest.approx(TEMPERATURES)


def failing(program: Program) -> tuple[int, str]:
    done = subprocess.run(
        program.command, env=program.environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_what_prevents_it_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, PASSERELLE_STORE__URL=f"duckdb:///{tmp_path / 'points.duckdb'}")
    put(site, WRONG)
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def refused(until: str | None = None) -> str:
        with pytest.raises(ConfigurationError) as error:
            redecode(profile="boiler", since="2026-11-01", until=until)
        return error.value.detail

    assert "there is no archive" in (said := refused())
    assert "PASSERELLE_ARCHIVE__ENABLED=true" in said
    archive_of(site).mkdir()
    with closing(DuckDBStore(path=tmp_path / "points.duckdb")):
        code, said = failing(site.program("-m", "cli", *redecoding(), log="redecode"))
    assert code == 2
    assert "is open in another process, such as `passerelle up`" in said
    assert "Stop it" in said
    assert "there is no spool" in refused()
    assert "is not before --to" in refused(until="2020-01-01T00:00:00Z")
