"""Passerelle as a contender: `python -m ingest` with the defaults that a user gets.

Acknowledgement after fsync, validation, duplicates and ledger are on; nothing is set but addresses.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from benchmarks.child import Child
from benchmarks.ingest.contender import Stage
from benchmarks.workload import QUANTITIES
from core.clock import SystemClock
from core.reading import DeviceKey
from core.settings import Settings, load_settings
from devices.registry import Registry
from devices.seeding import prepare
from storage.factory import open_store
from storage.ports import Selection

_ROOT = Path(__file__).parents[2]
_COUNTS = ("received", "stored", "duplicate", "dead_lettered", "pending", "redelivered")
_NONE: Mapping[str, str] = MappingProxyType({})
_MAX_NS = 2**63 - 1


class Passerelle:
    """One worker, or several that share the subscription.

    Args:
        name: as it is printed.
        workers: how many processes.
        store: where they write. DuckDB's file belongs to the worker alone.
        count: who says how many messages are stored by now: the store, or the worker's ledger on
            disk, the only one to ask while a worker holds a DuckDB file.
        settings: further settings, as environment variables.
    """

    def __init__(
        self,
        *,
        name: str = "Passerelle",
        workers: int = 1,
        store: Literal["influxdb", "duckdb"] = "influxdb",
        count: Literal["store", "ledger"] = "store",
        settings: Mapping[str, str] = _NONE,
    ) -> None:
        self.name = name
        self._workers = workers
        self._store = store
        self._count = count
        self._settings = dict(settings)

    def client_ids(self, stage: Stage) -> list[str]:
        """See `Contender.client_ids`."""
        return [f"passerelle-{worker}" for worker in self._names(stage)]

    def children(self, stage: Stage) -> list[Child]:
        """See `Contender.children`: the devices are registered in a registry of the run's own.

        The program is imported once before, so that no start has to compile it.
        """
        subprocess.run([sys.executable, "-c", "import ingest.__main__"], cwd=_ROOT, check=True)
        registry = open_registry(stage)
        try:
            prepare(registry, self._loaded(stage))
            registry.devices.add_many(stage.devices)
        finally:
            registry.close()
        return [
            Child.python(
                "-m", "ingest",
                name=worker,
                environment=self.environment(stage) | {"PASSERELLE_INGEST__WORKER": worker},
                log=stage.directory / f"{worker}.log",
            )
            for worker in self._names(stage)
        ]  # fmt: skip

    def environment(self, stage: Stage) -> dict[str, str]:
        """Return the settings that all programs of a run share, as environment variables."""
        return {
            "PASSERELLE_CONFIG": "/nonexistent",
            "PASSERELLE_DATA_DIR": str(stage.directory),
            "PASSERELLE_MQTT__URL": f"mqtt://127.0.0.1:{stage.broker_port}",
            **{f"PASSERELLE_STORE__{name.upper()}": v for name, v in self._place(stage).items()},
            **({"PASSERELLE_REGISTRY__URL": stage.registry_url} if stage.registry_url else {}),
            **self._settings,
        }

    def stored(self, stage: Stage) -> int:
        """See `Contender.stored`."""
        if self._count == "store":
            return stage.bucket.points()
        return sum(ledger_sum(stage, worker, "stored") for worker in self._names(stage))

    def received(self, stage: Stage) -> int:
        """Return how many messages are on the workers' disks by now."""
        return sum(ledger_sum(stage, worker, "received") for worker in self._names(stage))

    def values(self, stage: Stage) -> dict[str, int]:
        """See `Contender.values`."""
        if self._store == "influxdb":
            return stage.bucket.values()
        store = open_store(self._loaded(stage))
        keys = tuple(DeviceKey(device.site, device.id) for device in stage.devices)
        try:
            return {name: store.count(Selection(keys, (name,), 0, _MAX_NS)) for name in QUANTITIES}
        finally:
            store.close()

    def account(self, stage: Stage) -> dict[str, int]:
        """Return the sums of the ledger that the workers published to the registry."""
        registry = open_registry(stage)
        try:
            totals = registry.ledger.totals()
        finally:
            registry.close()
        return {column: getattr(totals, column) for column in _COUNTS}

    def _names(self, stage: Stage) -> list[str]:
        return [f"{stage.name}-w{number + 1}" for number in range(self._workers)]

    def _place(self, stage: Stage) -> dict[str, str]:
        if self._store == "duckdb":
            return {"url": f"duckdb:///{stage.directory / 'telemetry.duckdb'}"}
        access = stage.bucket.access
        return {
            "url": f"influxdb+{access.url}",
            "token": access.token,
            "org": access.org,
            "bucket": stage.bucket.name,
        }

    def _loaded(self, stage: Stage) -> Settings:
        return load_settings(data_dir=stage.directory, store=self._place(stage))


def open_registry(stage: Stage) -> Registry:
    """Open the registry of a run; the caller closes it."""
    url = stage.registry_url or load_settings(data_dir=stage.directory).registry_url
    return Registry.open(url, clock=SystemClock())


def ledger_sum(stage: Stage, worker: str, column: str) -> int:
    """Return the sum of a column of a worker's ledger, as it is on disk now."""
    spool = sqlite3.connect(f"file:{stage.directory / f'spool-{worker}.db'}?mode=ro", uri=True)
    try:
        return int(spool.execute(f"SELECT coalesce(sum({column}), 0) FROM ledger").fetchone()[0])  # noqa: S608 - own names
    finally:
        spool.close()
