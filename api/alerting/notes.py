"""What the audit is told of changes to alerts, silences, rules and channels."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from api.access.giving import note_change
from api.access.visibility import Access
from api.services import Services
from devices.registry import AuditEvent


def note_alert_change(
    request: Request,
    services: Services,
    access: Access,
    detail: str,
    *,
    status: int = 200,
    sites: Iterable[str] = (),
) -> None:
    """Write down what somebody did about alerts, with their reason.

    Raises:
        AuditUnavailableError: it cannot be written; the change stands.
    """
    note_change(
        request,
        services,
        detail,
        status=status,
        event=AuditEvent.ALERT,
        permission=access.permission,
        sites=[site for site in sites if site],
    )


def caller_name(access: Access) -> str:
    """Return what is written down as the author of a change."""
    who = access.principal
    return who.name or who.id
