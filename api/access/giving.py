"""Giving rights away: checked against what the giver holds, and written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from starlette.requests import Request

from api.access.audited import actor_of
from api.access.errors import ForbiddenError
from api.access.visibility import Access
from api.problems import InvalidParameterError
from api.services import Services
from core.access import Grant, Permission
from core.errors import ConfigurationError
from devices.registry import AuditEntry, AuditEvent, AuditOutcome


def check_giving(
    access: Access, grants: Iterable[Grant], scopes: frozenset[Permission] | None = None
) -> None:
    """Refuse to give what the caller does not hold.

    Raises:
        ForbiddenError: names the grant.
    """
    for grant in grants:
        if not access.principal.holds(grant, scopes):
            where = "at every site" if grant.site is None else f"at site {grant.site!r}"
            domain = "" if grant.domain is None else f" in the domain {grant.domain.value}"
            raise ForbiddenError(
                f"nobody gives more than they hold: you may not do all that the role "
                f"{grant.role.value} {where}{domain} may"
            )


@contextmanager
def in_body(parameter: str) -> Iterator[None]:
    """Say of what the registry refuses which field of the body caused it.

    Raises:
        InvalidParameterError: in the place of `ConfigurationError`.
    """
    try:
        yield
    except ConfigurationError as error:
        raise InvalidParameterError(parameter, error.detail, location="body") from None


def note_change(
    request: Request,
    services: Services,
    detail: str,
    *,
    status: int = 200,
    event: AuditEvent = AuditEvent.ACCESS,
    permission: Permission = Permission.MANAGE_ACCESS,
    sites: Iterable[str] = (),
) -> None:
    """Write down that something was changed.

    Args:
        request: that changed it.
        services: where it is written.
        detail: what, and why, one sentence.
        status: of the answer.
        event: what kind of change it is.
        permission: what it needed.
        sites: what it concerns.

    Raises:
        AuditUnavailableError: it cannot be written; the change stands.
    """
    services.audit.write(
        AuditEntry(
            time_ns=0,
            event=event,
            outcome=AuditOutcome.DONE,
            actor=actor_of(request.scope),
            method=request.method,
            route=getattr(request.scope.get("route"), "path", request.url.path),
            status=status,
            permission=permission.value,
            sites=tuple(sorted(sites)),
            detail=detail,
        )
    )


def shown(grants: Iterable[Grant]) -> str:
    """Return grants as one writes them, such as `researcher@elgazala/health`; `none` of none."""
    texts = [
        f"{one.role.value}@{one.site or '*'}{'' if one.domain is None else f'/{one.domain.value}'}"
        for one in grants
    ]
    return ", ".join(texts) or "none"
