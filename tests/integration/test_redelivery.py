"""A worker that dies between its commit and its PUBACK, against a real Mosquitto."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import Settings, load_settings
from devices.registry import Device, Registry
from ingest.arrival import Arrival
from ingest.bulk_source import BulkSource
from ingest.paho_source import PahoSource
from ingest.worker import Worker, first_snapshot
from storage.backends.memory import MemoryStore
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.bench import message
from tests.support.publishing import publish

COUNT = 300


class MutePahoSource(PahoSource):
    """The real source, whose PUBACKs never leave: what a crash after the commit looks like."""

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        del arrivals
        return 0


class MuteBulkSource(BulkSource):
    """Likewise."""

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        del arrivals
        return 0


class Kind(NamedTuple):
    """A source, and the same without PUBACKs."""

    source: type[PahoSource | BulkSource]
    mute: type[PahoSource | BulkSource]


KINDS = {
    "paho": Kind(PahoSource, MutePahoSource),
    "bulk": Kind(BulkSource, MuteBulkSource),
}


@pytest.fixture
def settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mosquitto: MosquittoServer, protocol: str
) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(
        data_dir=tmp_path,
        mqtt={"url": mosquitto.url, "protocol": protocol, "reconnect_min_s": 0.1},
    )


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def worker_on(
    settings: Settings, registry: Registry, store: MemoryStore, kind: type[PahoSource | BulkSource]
) -> Worker:
    snapshot = first_snapshot(registry, settings, stopping=threading.Event())
    assert snapshot is not None
    registry.devices.add_many(
        [Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")]
    )
    snapshot = first_snapshot(registry, settings, stopping=threading.Event())
    assert snapshot is not None
    clock, metrics = SystemClock(), Metrics()
    source = kind(
        settings=settings.mqtt,
        client_id=settings.client_id,
        filters=snapshot.decoder.filters,
        fact_filters=snapshot.decoder.metadata_filters,
        clock=clock,
        metrics=metrics,
    )
    return Worker(
        settings=settings,
        registry=registry,
        store=store,
        snapshot=snapshot,
        clock=clock,
        metrics=metrics,
        source=source,
    )


def telemetry() -> list[bytes]:
    return [message(n, {"air_temperature": 20}) for n in range(COUNT)]


@pytest.mark.parametrize("broker_restarts", [False, True], ids=["", "broker restarted"])
def test_what_was_committed_and_not_acknowledged_is_not_received_twice(
    settings: Settings, mosquitto: MosquittoServer, kind: Kind, *, broker_restarts: bool
) -> None:
    registry, store = Registry.open(settings.registry_url, clock=SystemClock()), MemoryStore()
    first = worker_on(settings, registry, store, kind.mute)
    first.start()
    wait_until(lambda: first.ready, what="subscribed")
    publish(mosquitto.url, telemetry())
    wait_until(lambda: first.totals()["received"] == COUNT, what="all committed")
    first.stop()
    if broker_restarts:
        mosquitto.restart()

    second = worker_on(settings, registry, store, kind.source)
    second.start()
    wait_until(lambda: second.totals()["redelivered"] == COUNT, what="all sent again")
    totals = second.totals()
    assert (totals["received"], totals["stored"], totals["duplicate"]) == (COUNT, COUNT, 0)
    second.stop()
    registry.close()


def test_two_workers_share_the_work_and_nothing_is_counted_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mosquitto_factory: Callable[[MosquittoOptions], MosquittoServer],
    kind: Kind,
) -> None:
    monkeypatch.chdir(tmp_path)
    broker = mosquitto_factory(MosquittoOptions())
    both = [
        load_settings(
            data_dir=tmp_path,
            mqtt={"url": broker.url, "shared_group": "workers"},
            ingest={"worker": name},
        )
        for name in ("worker-1", "worker-2")
    ]
    registry, store = Registry.open(both[0].registry_url, clock=SystemClock()), MemoryStore()
    workers = [worker_on(settings, registry, store, kind.source) for settings in both]
    for worker in workers:
        worker.start()
    wait_until(lambda: all(worker.ready for worker in workers), what="both subscribed")
    publish(broker.url, telemetry())

    def stored() -> int:
        return sum(worker.totals()["stored"] for worker in workers)

    wait_until(lambda: stored() == COUNT, what="all stored")
    assert all(worker.totals()["stored"] > 0 for worker in workers)
    assert sum(worker.totals()["received"] for worker in workers) == COUNT
    wait_until(lambda: registry.ledger.totals().stored == COUNT, what="both accounts are told")
    for worker in workers:
        worker.stop()
    registry.close()
