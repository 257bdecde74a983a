"""What routes work with, handed to them by the application they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.exports.orders import Orders
from api.exports.streams import Streams
from api.newest import NewestValues
from api.readiness import Readiness
from core.clock import Clock
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import Registry
from storage.ports import PointReader
from storage.rolled_reader import RolledReader


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts of one application.

    Attributes:
        settings: the effective settings.
        registry: sites, devices, ledger, dead letters, keys.
        store: telemetry, read only.
        rolled: the same telemetry, in windows, from roll-ups where there are some.
        newest: the newest value of every series.
        metrics: this process's metrics.
        clock: where now comes from.
        readiness: which part is down, and since when.
        streams: the exports that are streamed.
        orders: export jobs and snapshots; carried out while the application is served.
    """

    settings: Settings
    registry: Registry
    store: PointReader
    rolled: RolledReader
    newest: NewestValues
    metrics: Metrics
    clock: Clock
    readiness: Readiness
    streams: Streams
    orders: Orders


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]
"""The services of the application that serves the request."""
