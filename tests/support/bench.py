"""A whole worker on a registry and a store of its own, fed by hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import msgspec

from core.clock import NS_PER_S, SystemClock, iso
from core.metrics import Metrics
from core.reading import DeviceKey, Reading
from core.settings import Settings
from devices.registry import DeadLetter, Device, Registry
from ingest.memory_source import MemorySource
from ingest.worker import Worker, first_snapshot
from storage.backends.memory import MemoryStore
from storage.ports import PointWriter, Selection
from tests.servers.waiting import wait_until

TOPIC = "passerelle/v1/elgazala/thermo-1/telemetry"
KEY = DeviceKey("elgazala", "thermo-1")
NOW = SystemClock().now_ns()


class Bench:
    """The worker, and what a test looks at.

    Args:
        settings: of the worker; its registry and spool are made anew, or found again.
        store: where points go, in front of the in-memory store.
        source: the broker's session; None for a new one.
        sinks: the further sinks of the settings by name; None: the worker opens them.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: PointWriter | None = None,
        source: MemorySource | None = None,
        sinks: Mapping[str, PointWriter] | None = None,
    ) -> None:
        clock = SystemClock()
        self.registry = Registry.open(settings.registry_url, clock=clock)
        self.store = MemoryStore()
        self.source = source or MemorySource(clock=clock)
        snapshot = first_snapshot(self.registry, settings, stopping=threading.Event())
        assert snapshot is not None
        self.registry.devices.add_many(
            [Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")]
        )
        snapshot = first_snapshot(self.registry, settings, stopping=threading.Event())
        assert snapshot is not None
        self.worker = Worker(
            settings=settings,
            registry=self.registry,
            store=store or self.store,
            snapshot=snapshot,
            clock=clock,
            metrics=Metrics(),
            source=self.source,
            sinks=sinks,
        )
        self.sent = 0
        self.key = KEY

    def start(self) -> None:
        """Start the worker."""
        self.worker.start()

    def stop(self) -> None:
        """Stop the worker and close the registry."""
        self.worker.stop(drain_s=0.5)
        self.registry.close()

    def publish(self, payload: bytes, topic: str | bytes = TOPIC) -> None:
        """Publish one message at QoS 1."""
        self.sent += 1
        self.source.publish(topic, payload)

    def settle(self) -> None:
        """Wait until everything published is stored, and the registry knows it."""
        wait_until(
            lambda: self.worker.totals()["received"] >= self.sent, what="received", seconds=20
        )
        assert self.worker.settle(timeout_s=20)
        wait_until(self.told, what="the registry knows it", seconds=20)

    def told(self) -> bool:
        """Say whether the registry's ledger is the worker's, and has heard of the worker."""
        if not self.registry.workers.list():  # what it holds is told after what it counted
            return False
        known = self.registry.ledger.totals()
        return all(
            getattr(known, column) == count for column, count in self.worker.totals().items()
        )

    def letters(self) -> list[DeadLetter]:
        """Return the dead letters that the registry knows."""
        return self.registry.dead_letters.list()

    def readings(self) -> list[Reading]:
        """Return the stored readings of the device."""
        selection = Selection(
            (KEY,), ("air_temperature", "relative_humidity"), 0, NOW + 3600 * NS_PER_S
        )
        return list(self.store.read(selection, limit=1000).readings)


def message(seq: int, values: object, *, t: object = None) -> bytes:
    """Return a message of the device, in Passerelle's JSON."""
    at = iso(NOW - 60 * NS_PER_S + seq) if t is None else t
    return msgspec.json.encode({"seq": seq, "boot": 1, "t": at, "v": values})
