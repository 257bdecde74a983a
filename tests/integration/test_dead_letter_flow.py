"""A profile that maps a field wrongly, from the first dead letter to the last value in the store.

Real Mosquitto, the platform and the command line as an operator uses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.broker import BrokerAddress
from core.clock import NS_PER_S, SystemClock, iso
from devices.registry import LetterRequest, Registry
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.account import Api
from tests.support.programs import Program
from tests.support.site import Site

PROFILE = """
name: boiler
version: {version}
description: {{en: Boiler controller, fr: Régulateur de chaufferie}}
format: tasmota
topics:
  - {{template: "{{site}}/boiler/{{device}}", kind: telemetry, reader: document}}
time: {{path: [ts], format: epoch_ms}}
rules:
  - {{path: [t], quantity: air_temperature, unit: Cel, scale: {scale}}}
  - {{path: [h], quantity: relative_humidity, unit: "%"}}
"""
EACH = 300
START_MS = SystemClock().now_ns() // 1_000_000 - 3_600_000


def write_profile(site: Site, *, version: int, scale: float) -> Path:
    path = site.directory / f"boiler-{version}.yaml"
    path.write_text(PROFILE.format(version=version, scale=scale))
    return path


def publish(url: str, messages: list[tuple[str, bytes]]) -> None:
    address = BrokerAddress.parse(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.connect(address.host, address.port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1) for topic, payload in messages]
    for one in sent:
        one.wait_for_publish(30)
    client.disconnect()
    client.loop_stop()


def readings_in_tenths() -> list[tuple[str, bytes]]:
    """Tenths of a degree: with humidity from the first boiler, alone from the second one."""
    made = []
    for number in range(EACH):
        at = START_MS + number * 1000
        whole = {"ts": at, "t": 215 + number % 50, "h": 40 + number % 20}
        alone = {"ts": at, "t": 215 + number % 50}
        made.append(("elgazala/boiler/boiler-1", msgspec.json.encode(whole)))
        made.append(("elgazala/boiler/boiler-2", msgspec.json.encode(alone)))
    return made


@contextmanager
def opened(site: Site) -> Iterator[Registry]:
    url = f"sqlite:///{site.directory / 'data' / 'registry.db'}"
    registry = Registry.open(url, clock=SystemClock())
    try:
        yield registry
    finally:
        registry.close()


@contextmanager
def running(site: Site) -> Iterator[Program]:
    """Run the platform; a test may kill it."""
    up = site.program("-m", "cli", "up", "--no-simulators", "--external-broker", log="up")
    before = up.output().count("ready in")
    with up:
        wait_until(
            lambda: up.output().count("ready in") > before, what="everything started", seconds=60
        )
        yield up


def settled(api: Api, device: str) -> dict[str, int]:
    """Wait until nothing of the device is pending; return its account."""

    def account() -> dict[str, int]:
        return api.account().get(("elgazala", device), {})

    wait_until(
        lambda: account().get("received", 0) >= EACH and account()["pending"] == 0,
        what=f"{device} is settled",
        seconds=60,
    )
    row = account()
    assert row["received"] == row["stored"] + row["duplicate"] + row["dead_lettered"]
    return row


def temperatures(api: Api, device: str) -> list[float]:
    start = iso((START_MS - 1000) * 1_000_000)
    answer = api.get(
        "/v1/readings", devices=device, quantities="air_temperature", limit=10_000,
        **{"from": start, "to": iso(SystemClock().now_ns() + 3600 * NS_PER_S)},
    )  # fmt: skip
    return [one["value"] for series in answer["series"] for one in series["points"]]


def fields(printed: str, reason: str) -> list[str]:
    """Return the numbers in a printed table's row."""
    [line] = [one for one in printed.splitlines() if re.match(rf"^\W*{reason}\W", one)]
    return [cell.strip() for cell in re.split("[│|]", line) if cell.strip()][1:]


@pytest.fixture
def site(tmp_path: Path, mosquitto: MosquittoServer) -> Site:
    made = Site(
        tmp_path,
        PASSERELLE_MQTT__URL=mosquitto.url,
        PASSERELLE_REGISTRY__REFRESH_S="0.2",
        COLUMNS="200",
    )
    made.command("profiles", "put", str(write_profile(made, version=1, scale=1)))
    for name in ("boiler-1", "boiler-2"):
        made.command("devices", "add", name, "--site", "elgazala", "--profile", "boiler")
    return made


def dead_letters_are_told(api: Api) -> None:
    def told() -> bool:
        return bool(api.get("/v1/dead-letters/summary")["open"] == 2 * EACH + 1)

    wait_until(told, what="every dead letter is told", seconds=60)


def under_way(registry: Registry) -> LetterRequest | None:
    """Return the replay once it has begun and is not done."""
    [request] = registry.dead_letters.requests(limit=1)
    assert request.finished_ns is None, "the worker was to be killed in the middle"
    return request if request.replayed > 0 else None


@pytest.mark.slow
def test_a_corrected_profile_brings_back_what_the_wrong_one_could_not_use(
    site: Site, mosquitto: MosquittoServer
) -> None:
    with running(site) as up, site.api() as api:
        publish(mosquitto.url, [*readings_in_tenths(), ("elgazala/boiler/boiler-2", b"{")])
        assert settled(api, "boiler-1")["stored"] == EACH
        assert settled(api, "boiler-2")["dead_lettered"] == EACH + 1
        dead_letters_are_told(api)
        assert temperatures(api, "boiler-1") == []

        shown = site.command("dead-letters", "replay", "--reason", "out_of_range", "--dry-run")
        assert fields(shown, "out_of_range") == ["0", "0", "0", "600"]

        put = site.command("profiles", "put", str(write_profile(site, version=2, scale=0.1)))
        assert "profile boiler version 2" in put
        shown = site.command("dead-letters", "replay", "--dry-run")
        assert fields(shown, "out_of_range") == ["600", "0", "0", "0"]
        assert fields(shown, "malformed") == ["0", "0", "0", "1"]
        assert "1 stay, malformed:" in shown
        assert settled(api, "boiler-2")["dead_lettered"] == EACH + 1

        site.command("dead-letters", "replay", "--yes", "--rate", "200", "--no-wait")
        with opened(site) as registry:
            wait_until(lambda: under_way(registry), what="it has begun", seconds=30)
            up.kill()
            [request] = registry.dead_letters.requests(limit=1)
    with running(site), site.api() as api:
        done = site.command("dead-letters", "replay", "--resume", str(request.id))
        assert fields(done, "out_of_range") == ["600", "0"]
        assert fields(done, "malformed") == ["0", "1"]
        first, second = settled(api, "boiler-1"), settled(api, "boiler-2")
        assert (first["received"], first["stored"], first["dead_lettered"]) == (EACH, EACH, 0)
        assert (second["received"], second["stored"], second["dead_lettered"]) == (
            EACH + 1,
            EACH,
            1,
        )
        wanted = sorted((215 + number % 50) / 10 for number in range(EACH))
        for device in ("boiler-1", "boiler-2"):
            assert sorted(temperatures(api, device)) == pytest.approx(wanted)

        again = site.command("dead-letters", "replay", "--yes")
        assert fields(again, "malformed") == ["0", "1"]
        assert "out_of_range" not in again
        assert settled(api, "boiler-1") == first
        assert settled(api, "boiler-2") == second
        assert sorted(temperatures(api, "boiler-2")) == pytest.approx(wanted)
