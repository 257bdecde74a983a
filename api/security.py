"""API keys: every path needs one but the public ones, decided before anything else is read.

`Authentication` stands in front of the routes, so a path is closed unless it is listed in
`PUBLIC_PATHS`: a new route cannot be left open by forgetting something. `key_schemes` only tells
OpenAPI about it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Annotated

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dashboard.routes import PATHS as DASHBOARD
from api.problems import on_passerelle_error, problem_response
from api.rate_limits import Buckets, too_often
from core.clock import Clock
from core.logs import Outage
from core.metrics import Metrics
from devices.registry import ApiKey, Registry
from devices.registry.errors import RegistryUnavailableError

PUBLIC_PATHS = frozenset({"/health/live", "/health/ready", "/openapi.json", "/docs"}) | DASHBOARD
"""Paths that answer without a key: health, and what holds no data: the description of the API and
the files of the dashboard."""

CACHE_S = 2.0
"""How long a verified key is believed without asking the registry, seconds: a revoked key works
for at most this long."""
_CACHE_KEYS = 1024
_LONGEST_KEY = 256
_KEY_PREFIX = "psl_"

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="passerelle"'}


class KeyVerifier:
    """Asks the registry whether a key is good, and remembers a yes for `CACHE_S`.

    A no is never remembered, so a new key works at once. Only digests of keys are kept. Used from
    many threads.
    """

    def __init__(self, *, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._lock = Lock()
        self._good: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()

    def remembered(self, plain: str) -> ApiKey | None:
        """Return the key when it was found good less than `CACHE_S` ago. Does not block."""
        with self._lock:
            found = self._good.get(_digest(plain))
        if found is None or self._clock.monotonic_s() - found[1] >= CACHE_S:
            return None
        return found[0]

    def was_good(self, plain: str) -> bool:
        """Tell whether the key was found good some time ago. Does not block."""
        with self._lock:
            return _digest(plain) in self._good

    def verify(self, plain: str) -> ApiKey | None:
        """Return the key when the registry says that it is good, else None. Blocks.

        Raises:
            RegistryUnavailableError: the registry cannot be asked.
        """
        asked_at = self._clock.monotonic_s()
        key = self._registry.keys.verify(plain)
        digest = _digest(plain)
        with self._lock:
            self._good.pop(digest, None)
            if key is not None:
                self._good[digest] = (key, asked_at)
            while len(self._good) > _CACHE_KEYS:
                self._good.popitem(last=False)
        return key


class Authentication:
    """ASGI middleware that lets a request through with a good key, or to a public path.

    The name of the key is left in `request.state.api_key` for the routes. An address that tried
    too many wrong keys is only believed keys that were good before.

    Args:
        app: what stands behind it.
        verifier: knows the keys.
        registry_outage: noted when the registry goes away.
        guesses: wrong keys of each address; None: no bound.
        metrics: counts those that are refused for guessing.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: KeyVerifier,
        registry_outage: Outage,
        guesses: Buckets | None,
        metrics: Metrics,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._outage = registry_outage
        self._guesses = guesses
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        plain = _presented(Headers(scope=scope))
        if plain is None:
            await self._refuse(
                "send an API key in the header X-API-Key, or as Authorization: Bearer KEY; "
                "`passerelle keys create NAME` makes one",
                scope,
                receive,
                send,
            )
            return
        address = (scope.get("client") or ("",))[0]
        wait_s = 0.0 if self._guesses is None else self._guesses.wait_s(address)
        if wait_s and not self._verifier.was_good(plain):
            self._metrics.rate_limited.labels("address").inc()
            slow = too_often(
                "too many wrong keys came from this address", wait_s=wait_s, instance=scope["path"]
            )
            await slow(scope, receive, send)
            return
        try:
            key = self._verifier.remembered(plain)
            if key is None and _plausible(plain):
                key = await run_in_threadpool(self._verifier.verify, plain)
                self._outage.up()
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            response = await on_passerelle_error(Request(scope), error)
            await response(scope, receive, send)
            return
        if key is None:
            if self._guesses is not None:
                self._guesses.take(address)
            await self._refuse("the API key is not known, or it was revoked", scope, receive, send)
            return
        scope.setdefault("state", {})["api_key"] = key
        await self._app(scope, receive, send)

    async def _refuse(self, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
        response = problem_response(
            "unauthorized", detail, instance=scope["path"], headers=_CHALLENGE
        )
        await response(scope, receive, send)


async def key_schemes(
    _header: Annotated[
        str | None,
        Security(
            APIKeyHeader(
                name="X-API-Key",
                scheme_name="ApiKeyHeader",
                description="An API key, as `passerelle keys create` prints it.",
                auto_error=False,
            )
        ),
    ],
    _bearer: Annotated[
        HTTPAuthorizationCredentials | None,
        Security(
            HTTPBearer(
                scheme_name="ApiKeyBearer",
                description="The same API key as a bearer token.",
                auto_error=False,
            )
        ),
    ],
) -> None:
    """Declare in OpenAPI how a key is sent; `Authentication` has checked it already."""


def _presented(headers: Headers) -> str | None:
    plain = headers.get("x-api-key")
    if plain is not None:
        return plain.strip()
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _plausible(plain: str) -> bool:
    """Tell nonsense from a key before the registry is troubled with it."""
    return plain.startswith(_KEY_PREFIX) and plain.isascii() and len(plain) <= _LONGEST_KEY


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()
