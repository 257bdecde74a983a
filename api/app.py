"""The application: routes, errors, keys and metrics put together, without any global state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute
from starlette.types import Lifespan

from api.access.audit import Audit
from api.access.audited import Audited
from api.access.requires import authorized
from api.alerting.rule_book import RuleBook
from api.conditional import ConditionalRequests
from api.dashboard.routes import dashboard_router
from api.documentation import DESCRIPTION, TAGS, DocumentedApi
from api.exports.orders import Orders
from api.exports.response import FilesAsTheyAre
from api.exports.streams import Streams
from api.idempotency import HEADER, REPLAYED, Idempotency
from api.live.hub import Hub
from api.live.websocket import ROUTE as LIVE_SOCKET
from api.middleware import BodyBound, Observation
from api.newest import NewestValues
from api.oidc import OidcVerifier, Provider
from api.parameters import query_parameters, strict_query
from api.problems import on_http_exception, on_passerelle_error, on_validation_error
from api.rate_limits import POLICY_HEADER, STATE_HEADER, Buckets, RateLimits
from api.readiness import Readiness
from api.routes import (
    alert_channels,
    alert_explain,
    alert_overrides,
    alert_reports,
    alert_rules,
    alerts,
    assignments,
    completeness,
    dead_letters,
    devices,
    export_jobs,
    exports,
    health,
    joined,
    keys,
    latest,
    letter_requests,
    live,
    me,
    quantities,
    readings,
    silences,
    sites,
    snapshots,
    users,
    value_counts,
)
from api.routes import (
    audit as audit_route,
)
from api.routes import (
    metrics as metrics_route,
)
from api.security import Authentication, Callers, KeyVerifier, Tokens
from api.services import Services
from api.watched_store import WatchedStore
from core.clock import Clock
from core.errors import PasserelleError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.oidc import OidcSettings
from core.settings import ApiSettings, Settings
from devices.registry import Registry
from storage.ports import PointReader
from storage.rolled_reader import RolledReader
from storage.settled import SettledColumns

_COMPRESSED_FROM_BYTES = 2048
_COMPRESSION = 4
"""Of 9: the levels above save a twentieth of the size for twice the time."""
_PREFLIGHT_S = 3600
_OF_EVERY_ROUTE = (Depends(authorized),)
"""Dependencies that no route escapes."""
_WITH_KEY = (
    sites,
    quantities,
    devices,
    assignments,
    latest,
    readings,
    joined,
    live,
    export_jobs,
    exports,
    snapshots,
    completeness,
    value_counts,
    letter_requests,
    dead_letters,
    alert_reports,
    alerts,
    alert_explain,
    silences,
    alert_rules,
    alert_overrides,
    alert_channels,
    metrics_route,
    me,
    users,
    keys,
    audit_route,
)


def create_app(
    *,
    settings: Settings,
    registry: Registry,
    store: PointReader,
    metrics: Metrics,
    clock: Clock,
) -> DocumentedApi:
    """Return the API over the given parts.

    It owns none of them: whoever opened the registry and the store closes them, after the server
    has stopped. The dashboard stands at `/`.

    Args:
        settings: the section `api` bounds queries and pages.
        registry: migrated.
        store: what readings are read from.
        metrics: where requests are counted, and what `/metrics` shows.
        clock: where now comes from.
    """
    log = logger("api")
    watched = WatchedStore(
        store,
        outage=Outage(log, "store"),
        columns=SettledColumns(
            reader=store,
            changes=registry.kept,
            clock=clock,
            most_bytes=settings.api.kept_hours_mb * 1_000_000,
        ),
    )
    audit = Audit(registry=registry, metrics=metrics, clock=clock)
    verifier = KeyVerifier(registry=registry, clock=clock)
    tokens = _tokens(settings.oidc, registry, clock)
    wrong = settings.api.wrong_keys_per_minute
    guesses = Buckets(per_s=wrong / 60, burst=wrong, clock=clock) if wrong else None
    hub = Hub(mqtt_settings=settings.mqtt, settings=settings.live, clock=clock, metrics=metrics)
    orders = Orders(
        settings=settings, registry=registry, store=watched, metrics=metrics, clock=clock
    )
    app = DocumentedApi(
        title="Passerelle",
        lifespan=_while_served(orders, audit, hub),
        dependencies=list(_OF_EVERY_ROUTE),
        version=version("passerelle"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},
    )
    app.state.services = Services(
        settings=settings,
        registry=registry,
        store=watched,
        rolled=RolledReader(
            store=watched, rollups=watched.rollups, hours=registry.kept, clock=clock
        ),
        newest=NewestValues(registry=registry, store=watched, clock=clock),
        metrics=metrics,
        clock=clock,
        readiness=Readiness(registry=registry, store=watched, clock=clock),
        streams=Streams(
            settings=settings, registry=registry, store=watched, metrics=metrics, clock=clock
        ),
        orders=orders,
        live=hub,
        callers=Callers(verifier=verifier, tokens=tokens, guesses=guesses, audit=audit),
        audit=audit,
        rules=RuleBook(registry),
    )
    app.router.routes.append(LIVE_SOCKET)
    _, routes = _described()
    app.router.routes.extend(routes)
    app.include_router(dashboard_router())
    app.state.query_parameters = _query_parameters()
    app.add_exception_handler(PasserelleError, on_passerelle_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    # the last one added stands outermost
    app.add_middleware(Idempotency, registry=registry)
    app.add_middleware(BodyBound)
    app.add_middleware(Audited, audit=audit)
    bounds = settings.api
    if bounds.rate_limit_per_s:
        buckets = Buckets(per_s=bounds.rate_limit_per_s, burst=bounds.rate_limit_burst, clock=clock)
        app.add_middleware(RateLimits, buckets=buckets, metrics=metrics)
    app.add_middleware(
        Authentication,
        verifier=verifier,
        registry_outage=Outage(log, "registry"),
        guesses=guesses,
        metrics=metrics,
        audit=audit,
        tokens=tokens,
    )
    app.add_middleware(Observation, metrics=metrics, clock=clock)
    _add_transport(app, settings.api)
    return app


def _tokens(settings: OidcSettings, registry: Registry, clock: Clock) -> Tokens | None:
    """Return what knows good bearer tokens, or None when only keys are accepted."""
    if settings.issuer is None:
        return None
    outage = Outage(logger("api"), "identity_provider")
    provider = Provider(settings=settings, clock=clock, outage=outage)
    verifier = OidcVerifier(settings=settings, provider=provider, clock=clock)
    return Tokens(verifier=verifier, issuer=settings.issuer, registry=registry)


def _add_transport(app: DocumentedApi, settings: ApiSettings) -> None:
    """Add what concerns how answers travel, not what they say."""
    app.add_middleware(ConditionalRequests)
    if settings.compression:
        app.add_middleware(
            GZipMiddleware, minimum_size=_COMPRESSED_FROM_BYTES, compresslevel=_COMPRESSION
        )
        app.add_middleware(FilesAsTheyAre)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "X-API-Key",
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                HEADER,
            ],
            expose_headers=[
                "ETag",
                "Link",
                "Location",
                "Retry-After",
                POLICY_HEADER,
                STATE_HEADER,
                REPLAYED,
            ],
            max_age=_PREFLIGHT_S,
        )


def _while_served(orders: Orders, audit: Audit, hub: Hub) -> Lifespan[FastAPI]:
    """Carry out orders, and listen to the live stream, while the server runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        orders.runner.start()
        hub.start()
        try:
            yield
        finally:
            await run_in_threadpool(hub.stop)
            await run_in_threadpool(orders.runner.stop)
            await run_in_threadpool(audit.flush)

    return lifespan


@lru_cache(maxsize=1)
def _described() -> tuple[DocumentedApi, tuple[BaseRoute, ...]]:
    """Return an application that only describes, and its routes.

    They are the same for every application, and what they take is slow to find out.
    """
    described = DocumentedApi(title="routes", dependencies=list(_OF_EVERY_ROUTE))
    own = len(described.router.routes)
    described.include_router(health.ROUTER)
    for resource in _WITH_KEY:
        described.include_router(resource.ROUTER, dependencies=[Depends(strict_query)])
    return described, tuple(described.router.routes[own:])


def described_routes() -> list[tuple[str, str, dict[str, Any]]]:
    """Return every route of the API as OpenAPI describes it: method, path template, operation."""
    described, _ = _described()
    return [
        (method.upper(), path, operation)
        for path, operations in described.openapi()["paths"].items()
        for method, operation in operations.items()
    ]


@lru_cache(maxsize=1)
def _query_parameters() -> Mapping[tuple[str, str], Mapping[str, bool]]:
    """Return what every route takes."""
    described, _ = _described()
    return query_parameters(described.openapi())
