"""The real application on a SQLite registry and the memory store, called without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from api.app import create_app
from api.documentation import DocumentedApi
from core.clock import ManualClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import Settings, load_settings
from devices.registry import Device, Registry
from storage.backends.memory import MemoryStore
from storage.ports import PointReader

NOW_NS = 1_795_428_000_000_000_000
"""2026-11-23T10:00:00Z."""
PROFILE = "passerelle-json"


class Caller:
    """A client without a socket: each call runs the application to its answer."""

    def __init__(self, app: DocumentedApi, *, key: str | None) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://passerelle.test",
            headers={} if key is None else {"X-API-Key": key},
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """GET with query parameters; `from_` stands for `from`."""
        query = {name.rstrip("_"): value for name, value in parameters.items()}
        return self.request("GET", path, params=query or None)

    def post(self, path: str, body: object = None) -> httpx.Response:
        return self.request("POST", path, json=body)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


@dataclass(frozen=True)
class World:
    """The application and what it stands on."""

    app: DocumentedApi
    registry: Registry
    store: MemoryStore
    clock: ManualClock
    metrics: Metrics
    settings: Settings
    key: str
    caller: Callable[..., Caller]

    @property
    def client(self) -> Caller:
        return self.caller(self.app, key=self.key)

    def device(self, device: str, *, site: str = "elgazala", **more: Any) -> Device:
        return self.registry.devices.add(
            Device(id=device, site=site, profile=PROFILE, external_id=device, **more)
        )

    def store_value(self, device: str, time_ns: int, value: float, **more: Any) -> None:
        point = Point(
            site=more.get("site", "elgazala"),
            device=device,
            category=more.get("category", "environment"),
            time_ns=time_ns,
            values={more.get("quantity", "air_temperature"): value},
            quality=more.get("quality", 0),
        )
        self.store.write([point])

    def app_with(
        self,
        *,
        store: PointReader | None = None,
        registry: Registry | None = None,
        **api: Any,
    ) -> Caller:
        """Return a client of another application that differs in the given parts."""
        settings = load_settings(data_dir=self.settings.data_dir, api=api)
        app = create_app(
            settings=settings,
            registry=registry or self.registry,
            store=store or self.store,
            metrics=self.metrics,
            clock=self.clock,
        )
        return self.caller(app, key=self.key)
