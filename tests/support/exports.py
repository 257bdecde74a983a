"""The API on a socket over any store, with a few devices and what the ledger says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING
from core.clock import NS_PER_S, ManualClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from devices.registry import Device, LedgerRow, Registry
from storage.ports import Store, Written

T0_NS = 1_795_392_000 * NS_PER_S
"""2026-11-23T00:00:00Z."""
NOW_NS = T0_NS + 36 * 3600 * NS_PER_S
MINUTES = 500
DAY = {"site": "elgazala", "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
DEVICES = ("elg-env-001", "elg-env-002")


@dataclass(frozen=True)
class Served:
    """The API, and what it stands on."""

    client: httpx.Client
    url: str
    key: str
    registry: Registry
    store: Store
    clock: ManualClock
    metrics: Metrics
    directory: Path

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.client.get(path, params=parameters)


@contextmanager
def served(directory: Path, store: Store, **sections: Any) -> Iterator[Served]:
    """Serve the API; `sections` are settings."""
    settings = load_settings(data_dir=directory, **sections)
    clock = ManualClock(NOW_NS)
    registry = Registry.open(settings.registry_url, clock=clock)
    registry.migrate()
    registry.seed([], [])
    metrics = Metrics()
    app = create_app(
        settings=settings, registry=registry, store=store, metrics=metrics, clock=clock
    )
    key, _ = registry.keys.create("exports", grants=EVERYTHING)
    server = ApiServer(app, "127.0.0.1", 0)
    url = server.start()
    try:
        with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60) as client:
            yield Served(client, url, key, registry, store, clock, metrics, directory)
    finally:
        server.stop()
        registry.close()


def fill(place: Served, *, minutes: int = MINUTES) -> int:
    """Register two devices and store two values a minute of each; return how many values."""
    for name in DEVICES:
        place.registry.devices.add(
            Device(id=name, site="elgazala", profile="p", external_id=name, name="Chez Amina")
        )
    points = [
        Point(
            "elgazala",
            name,
            "environment",
            T0_NS + minute * 60 * NS_PER_S + 1,
            {"air_temperature": 20 + minute / 7, "relative_humidity": 50.0},
            16 if minute % 10 == 0 else 0,
        )
        for minute in range(minutes)
        for name in DEVICES
    ]
    assert place.store.write(points) == Written()
    place.registry.ledger.publish(
        [
            LedgerRow("w", "elgazala", name, T0_NS // NS_PER_S, minutes, minutes - 3, 1, 2, 0)
            for name in DEVICES
        ]
    )
    return 4 * minutes
