"""The promise, from outside: what devices published is what the API accounts for, one by one.

A fleet of 200 devices publishes with every fault that the simulators know, through a real broker,
to programs started as a user starts them, and the worker is killed with SIGKILL eight times at
random moments; at named ones the fault suite kills it (`tests/reliability`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import MosquittoServer
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.account import Api, assert_everything_accounted_for, published
from tests.support.programs import Program
from tests.support.site import Site, finish

DEVICES = 200
KILLS = 8
SCENARIO = "rough-day"


def kill_again_and_again(program: Program, *, seed: int) -> None:
    """Start the program and kill it with SIGKILL at a random moment, `KILLS` times."""
    moments = random.Random(seed)
    pause = threading.Event()
    for _ in range(KILLS):
        program.start()
        pause.wait(moments.uniform(0.8, 3.5))
        program.kill()


def totals(rows: dict[tuple[str, str], dict[str, int]], column: str) -> int:
    return sum(row[column] for row in rows.values())


def assert_faults_were_seen(rows: dict[tuple[str, str], dict[str, int]], report: Path) -> None:
    """The run would prove little if nothing had gone wrong in it."""
    assert totals(rows, "duplicate") > 0
    assert totals(rows, "dead_lettered") > 0
    content = msgspec.json.decode(report.read_bytes())
    assert totals(rows, "duplicate") <= content["totals"]["published"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_embedded_parts_account_for_every_message(tmp_path: Path) -> None:
    site = Site(tmp_path)
    mqtt_port = free_port()
    site.register_fleet(SCENARIO, DEVICES)
    up = site.program("-m", "cli", "up", "--no-simulators", "--mqtt-port", str(mqtt_port), log="up")
    with up, site.api() as api:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        simulator, report = site.simulate(
            SCENARIO,
            DEVICES,
            broker=f"mqtt://127.0.0.1:{mqtt_port}",
            speed="60x",
            duration="10m",
        )
        simulator.start()
        finish(simulator, seconds=120)
        rows = assert_everything_accounted_for(api, published(report))
        assert_faults_were_seen(rows, report)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_real_servers_account_for_every_message_while_the_worker_is_killed(
    tmp_path: Path,
    mosquitto: MosquittoServer,
    influxdb2: InfluxDB2,
    influxdb2_bucket: Callable[[], str],
) -> None:
    site = Site(
        tmp_path,
        PASSERELLE_MQTT__URL=mosquitto.url,
        **influxdb2.settings(influxdb2_bucket()),
    )
    site.register_fleet(SCENARIO, DEVICES)
    with site.program("-m", "api", log="api"), site.api() as api:
        worker = site.program("-m", "ingest", log="worker").start()
        wait_until(lambda: connected(api), what="the worker is connected", seconds=60)
        simulator, report = site.simulate(
            SCENARIO, DEVICES, broker=mosquitto.url, speed="10x", duration="9m"
        )
        simulator.start()
        worker.kill()
        kill_again_and_again(worker, seed=1)
        assert simulator.process is not None
        assert simulator.process.poll() is None, "the worker was killed after the fleet had ended"
        with worker:
            finish(simulator, seconds=180)
            rows = assert_everything_accounted_for(api, published(report))
        assert_faults_were_seen(rows, report)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_laptop_accounts_for_every_message_while_it_is_killed(
    tmp_path: Path, mosquitto: MosquittoServer
) -> None:
    site = Site(tmp_path, PASSERELLE_MQTT__URL=mosquitto.url)
    site.register_fleet(SCENARIO, DEVICES)
    up = site.program("-m", "cli", "up", "--no-simulators", "--external-broker", log="up")
    up.start()
    wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
    simulator, report = site.simulate(
        SCENARIO, DEVICES, broker=mosquitto.url, speed="10x", duration="9m"
    )
    simulator.start()
    up.kill()
    kill_again_and_again(up, seed=2)
    assert simulator.process is not None
    assert simulator.process.poll() is None, "the platform was killed after the fleet had ended"
    with up, site.api() as api:
        finish(simulator, seconds=180)
        rows = assert_everything_accounted_for(api, published(report))
    assert_faults_were_seen(rows, report)


def connected(api: Api) -> bool:
    answer = api.client.get("/health/ready")
    return answer.status_code == 200
