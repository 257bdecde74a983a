"""The application: routes, errors, keys and metrics put together, without any global state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Lifespan

from api.conditional import ConditionalRequests
from api.dashboard.routes import dashboard_router
from api.documentation import DESCRIPTION, TAGS, DocumentedApi
from api.exports.orders import Orders
from api.exports.response import FilesAsTheyAre
from api.exports.streams import Streams
from api.idempotency import HEADER, REPLAYED, Idempotency
from api.middleware import BodyBound, Observation
from api.newest import NewestValues
from api.parameters import query_parameters, strict_query
from api.problems import on_http_exception, on_passerelle_error, on_validation_error
from api.rate_limits import POLICY_HEADER, STATE_HEADER, Buckets, RateLimits
from api.readiness import Readiness
from api.routes import (
    completeness,
    dead_letters,
    devices,
    export_jobs,
    exports,
    health,
    joined,
    latest,
    letter_requests,
    quantities,
    readings,
    sites,
    snapshots,
    value_counts,
)
from api.routes import (
    metrics as metrics_route,
)
from api.security import Authentication, KeyVerifier, key_schemes
from api.services import Services
from api.watched_store import WatchedStore
from core.clock import Clock
from core.errors import PasserelleError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import ApiSettings, Settings
from devices.registry import Registry
from storage.ports import PointReader
from storage.rolled_reader import RolledReader

_COMPRESSED_FROM_BYTES = 2048
_COMPRESSION = 4
"""Of 9: the levels above save a twentieth of the size for twice the time."""
_PREFLIGHT_S = 3600
_WITH_KEY = (
    sites,
    quantities,
    devices,
    latest,
    readings,
    joined,
    export_jobs,
    exports,
    snapshots,
    completeness,
    value_counts,
    letter_requests,
    dead_letters,
    metrics_route,
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
    watched = WatchedStore(store, outage=Outage(log, "store"))
    orders = Orders(
        settings=settings, registry=registry, store=watched, metrics=metrics, clock=clock
    )
    app = DocumentedApi(
        title="Passerelle",
        lifespan=_while_served(orders),
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
    )
    _include_routes(app)
    app.include_router(dashboard_router())
    app.state.query_parameters = _query_parameters()
    app.add_exception_handler(PasserelleError, on_passerelle_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    # the last one added stands outermost
    app.add_middleware(Idempotency, registry=registry)
    app.add_middleware(BodyBound)
    bounds = settings.api
    if bounds.rate_limit_per_s:
        buckets = Buckets(per_s=bounds.rate_limit_per_s, burst=bounds.rate_limit_burst, clock=clock)
        app.add_middleware(RateLimits, buckets=buckets, metrics=metrics)
    wrong = bounds.wrong_keys_per_minute
    app.add_middleware(
        Authentication,
        verifier=KeyVerifier(registry=registry, clock=clock),
        registry_outage=Outage(log, "registry"),
        guesses=Buckets(per_s=wrong / 60, burst=wrong, clock=clock) if wrong else None,
        metrics=metrics,
    )
    app.add_middleware(Observation, metrics=metrics, clock=clock)
    _add_transport(app, settings.api)
    return app


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
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=["X-API-Key", "Authorization", "Content-Type", "If-None-Match", HEADER],
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


def _while_served(orders: Orders) -> Lifespan[FastAPI]:
    """Carry out orders from the start of the server to its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        orders.runner.start()
        try:
            yield
        finally:
            await run_in_threadpool(orders.runner.stop)

    return lifespan


def _include_routes(app: DocumentedApi) -> None:
    app.include_router(health.ROUTER)
    for resource in _WITH_KEY:
        app.include_router(
            resource.ROUTER, dependencies=[Depends(key_schemes), Depends(strict_query)]
        )


@lru_cache(maxsize=1)
def _query_parameters() -> Mapping[tuple[str, str], Mapping[str, bool]]:
    """Return what every route takes: the same for every application, and slow to find out."""
    described = DocumentedApi(title="routes")
    _include_routes(described)
    return query_parameters(described.openapi())
