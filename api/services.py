"""What routes work with, handed to them by the application they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from api.access.audit import Audit
from api.access.store import Newest, PermittedNewest, PermittedStore
from api.access.visibility import Access, access_of
from api.alerting.rule_book import RuleBook
from api.exports.orders import Orders
from api.exports.streams import Streams
from api.live.hub import Hub
from api.readiness import Readiness
from api.security import Callers
from api.watched_store import WatchedStore
from core.clock import Clock
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import Registry
from storage.rolled_reader import RolledReader


@dataclass(frozen=True, kw_only=True)
class Services:
    """The parts of one application.

    Attributes:
        settings: the effective settings.
        registry: sites, devices, ledger, dead letters, keys.
        store: telemetry, read only; in a request: as far as its caller may read it.
        rolled: the same telemetry, in windows, from roll-ups where there are some.
        newest: the newest value of every series; in a request: that its caller may read.
        metrics: this process's metrics.
        clock: where now comes from.
        readiness: which part is down, and since when.
        streams: the exports that are streamed.
        orders: export jobs and snapshots; carried out while the application is served.
        live: what arrives, for readers of the live stream.
        callers: who a credential stands for.
        audit: what is written down of who read, was refused, or changed something.
        rules: alert rules as they were parsed.
    """

    settings: Settings
    registry: Registry
    store: WatchedStore | PermittedStore
    rolled: RolledReader
    newest: Newest
    metrics: Metrics
    clock: Clock
    readiness: Readiness
    streams: Streams
    orders: Orders
    live: Hub
    callers: Callers
    audit: Audit
    rules: RuleBook

    def for_caller(self, access: Access) -> Services:
        """Return the same parts, reading no more than a caller may."""
        if not isinstance(self.store, WatchedStore):
            raise TypeError("these services are a caller's already")
        store = PermittedStore(self.store, access)
        return replace(
            self,
            store=store,
            rolled=RolledReader(
                store=store, rollups=store.rollups, hours=self.registry.kept, clock=self.clock
            ),
            newest=PermittedNewest(self.newest, access),
        )


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services.for_caller(access_of(request))


ServicesDep = Annotated[Services, Depends(_services)]
"""The services of the application that serves the request, as its caller may use them."""
