"""What each request leaves in the audit."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.audit import Audit
from api.access.errors import AuditUnavailableError
from api.access.requires import permission_of
from api.access.trail import Trail
from api.problems import problem_response
from core.access import Principal
from devices.registry import Actor, AuditEntry, AuditEvent, AuditOutcome

_FAILED, _FORBIDDEN = 400, 403
_AS_UNKNOWN = (404, 422)


class Audited:
    """ASGI middleware that writes down what the audit is to know of each request.

    Args:
        app: what stands behind it.
        audit: where it is written.
    """

    def __init__(self, app: ASGIApp, *, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        state = scope.setdefault("state", {})
        if scope["type"] != "http" or "principal" not in state:
            await self._app(scope, receive, send)
            return
        trail: Trail = state.setdefault("trail", Trail())
        begun: AuditEntry | None = None
        withheld = False

        async def audited_send(message: MutableMapping[str, Any]) -> None:
            nonlocal begun, withheld
            if message["type"] == "http.response.start":
                entry = _entry(scope, trail, message["status"])
                if entry is not None:
                    try:
                        await run_in_threadpool(self._audit.write, entry)
                    except AuditUnavailableError as error:
                        withheld = entry.event == AuditEvent.READ
                        if withheld:
                            response = problem_response(
                                error.code,
                                error.detail,
                                instance=scope["path"],
                                headers={"Retry-After": "5"},
                            )
                            await response(scope, receive, send)
                    if entry.outcome == AuditOutcome.BEGUN and not withheld:
                        begun = entry
            if not withheld:
                await send(message)

        outcome = AuditOutcome.FAILED
        try:
            await self._app(scope, receive, audited_send)
            outcome = AuditOutcome.COMPLETE
        finally:
            if begun is not None:
                ended = msgspec.structs.replace(
                    begun, time_ns=0, outcome=outcome, rows=max(begun.rows, trail.rows)
                )
                await run_in_threadpool(self._finish, ended)

    def _finish(self, entry: AuditEntry) -> None:
        """Write down how an answer ended; that it began is written down already."""
        try:
            self._audit.write(entry)
        except AuditUnavailableError:
            return


def actor_of(scope: Scope) -> Actor:
    """Return who makes a request."""
    who: Principal = scope["state"]["principal"]
    address = (scope.get("client") or ("",))[0]
    return Actor(who.kind, who.id, who.name, address)


def _entry(scope: Scope, trail: Trail, status: int) -> AuditEntry | None:
    """Return what is written down of an answer before it is sent, if anything."""
    if status == _FORBIDDEN or (trail.hidden and status in _AS_UNKNOWN):
        event, outcome = AuditEvent.REFUSED, AuditOutcome.REFUSED
    elif status < _FAILED and trail.reads_health:
        event = AuditEvent.READ
        outcome = AuditOutcome.BEGUN if trail.planned else AuditOutcome.ANSWERED
    else:
        return None
    route = scope.get("route")
    permission = permission_of(getattr(route, "openapi_extra", None))
    return AuditEntry(
        time_ns=0,
        event=event,
        outcome=outcome,
        actor=actor_of(scope),
        method=scope["method"],
        route=str(getattr(route, "path", scope["path"])),
        status=status,
        permission="" if permission is None else permission.value,
        sites=trail.sites,
        devices=len(trail.devices),
        quantities=tuple(sorted(trail.quantities)),
        start_ns=trail.start_ns,
        end_ns=trail.end_ns,
        rows=trail.rows,
        detail=trail.hidden,
    )
