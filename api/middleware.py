"""What stands around every route: metrics, the last resort for failures, the bound on bodies."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem_response
from core.clock import Clock
from core.logs import logger
from core.metrics import Metrics

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body, bytes: ten thousand dead-letter identifiers fit."""

_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())


class Observation:
    """ASGI middleware: counts and times each request, and answers a failure with a reference.

    A failure is logged once, with its traceback and a reference; the caller gets the reference
    and nothing else. Routes are counted by their template (`/v1/devices/{id}`), paths that match
    none as `unmatched`, so that a caller cannot make new time series.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._log = logger("api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def watched_send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = self._clock.monotonic_s()
        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            reference = secrets.token_hex(6)
            self._log.exception(
                "request_failed",
                reference=reference,
                method=scope["method"],
                path=scope["path"],
                error=type(error).__name__,
            )
            if status:
                raise
            response = problem_response(
                "internal_error",
                f"the program failed; its log says why, under the reference {reference}",
                instance=scope["path"],
                reference=reference,
            )
            await response(scope, receive, watched_send)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._metrics.http_requests.labels(method, route, str(status)).inc()
            self._metrics.http_seconds.labels(route).observe(self._clock.monotonic_s() - started)


class BodyBound:
    """ASGI middleware: refuses a request body of more than `max_bytes`, declared or sent."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        detail = f"a request body is at most {self._max_bytes} bytes"
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > self._max_bytes:
            response = problem_response("body_too_large", detail, instance=scope["path"])
            await response(scope, receive, send)
            return
        seen = 0

        async def bounded_receive() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(413, detail)
            return message

        await self._app(scope, bounded_receive, send)
