"""Wherever a worker dies, nothing that the broker delivered is lost or stored twice."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from core.clock import NS_PER_S, SystemClock, iso
from devices.registry import Device, Registry
from devices.registry.records import LedgerRow
from ingest.checkpoint import Checkpoint
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.publishing import publish
from tests.support.site import Site

MESSAGES = 3000
BATCH = 500
DEVICE = "thermo-1"


def messages() -> list[bytes]:
    """Return messages of one device, each with an instant of its own."""
    first = SystemClock().now_ns() - 2 * MESSAGES * NS_PER_S
    return [
        msgspec.json.encode(
            {
                "seq": seq,
                "boot": 1,
                "t": iso(first + seq * NS_PER_S),
                "v": {"air_temperature": 20 + seq / MESSAGES},
            }
        )
        for seq in range(MESSAGES)
    ]


def stored(store: InfluxDB2, bucket: str) -> int:
    answer = httpx.get(
        f"{store.url}/query",
        params={"db": bucket, "q": 'SELECT count("air_temperature") FROM "environment"'},
        headers={"Authorization": f"Token {store.token}"},
        timeout=30,
    )
    series = answer.raise_for_status().json()["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


@pytest.mark.slow
@pytest.mark.mosquitto
@pytest.mark.influxdb
@pytest.mark.parametrize("checkpoint", list(Checkpoint))
def test_a_worker_killed_there_loses_nothing(
    checkpoint: Checkpoint,
    tmp_path: Path,
    mosquitto: MosquittoServer,
    influxdb2: InfluxDB2,
    influxdb2_bucket: Callable[[], str],
) -> None:
    bucket = influxdb2_bucket()
    site = Site(
        tmp_path,
        PASSERELLE_MQTT__URL=mosquitto.url,
        PASSERELLE_STORE__URL=influxdb2.url.replace("http://", "influxdb+http://"),
        PASSERELLE_STORE__TOKEN=influxdb2.token,
        PASSERELLE_STORE__ORG=influxdb2.org,
        PASSERELLE_STORE__BUCKET=bucket,
        PASSERELLE_STORE__BATCH_POINTS=str(BATCH),
        PASSERELLE_SPOOL__BATCH_MESSAGES=str(BATCH),
        PASSERELLE_INGEST__WORKER=f"crash-{checkpoint.value}",
    )
    registry = registry_of(site)
    with site.program("-m", "ingest", log="first"):
        wait_until(lambda: connected(registry), what="the session is made", seconds=60)
    publish(
        mosquitto.url,
        messages(),
        topic=f"passerelle/v1/elgazala/{DEVICE}/telemetry",
    )
    site.environment["PASSERELLE_TEST_CRASH_AT"] = f"{checkpoint.value}:2"
    doomed = site.program("-m", "tests.support.crashing_worker", log="doomed").start()
    assert doomed.process is not None
    assert doomed.process.wait(timeout=60) == -signal.SIGKILL, doomed.output()
    del site.environment["PASSERELLE_TEST_CRASH_AT"]
    with site.program("-m", "ingest", log="second"):
        wait_until(lambda: account(registry).stored == MESSAGES, what="stored", seconds=90)
    counted = account(registry)
    registry.close()
    assert (counted.received, counted.duplicate, counted.dead_lettered) == (MESSAGES, 0, 0)
    assert (counted.pending, counted.missing) == (0, 0)
    assert counted.values_new == MESSAGES
    assert stored(influxdb2, bucket) == MESSAGES


def registry_of(site: Site) -> Registry:
    """Return the registry of a site, with its one device."""
    site.command("keys", "create", "made-with-the-registry")
    address = f"sqlite:///{Path(site.environment['PASSERELLE_DATA_DIR']) / 'registry.db'}"
    registry = Registry.open(address, clock=SystemClock())
    registry.devices.add_many(
        [Device(id=DEVICE, site="elgazala", profile="passerelle", external_id=DEVICE)]
    )
    return registry


def connected(registry: Registry) -> bool:
    return any(worker.connected for worker in registry.workers.list())


def account(registry: Registry) -> LedgerRow:
    return registry.ledger.totals(site="elgazala", device=DEVICE)
