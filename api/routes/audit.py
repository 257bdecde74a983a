"""`/v1/audit`. For administrators of the whole platform."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import (
    UTC,
    CursorParameter,
    LimitParameter,
    SiteFilter,
    existing_site,
    instant_range,
    next_link,
)
from api.schemas.access import AUDIT_EXAMPLE, AuditAnswer, AuditRow
from api.services import ServicesDep
from core.access import Permission
from devices.registry import AuditEvent, AuditFilter

ROUTER = APIRouter(prefix="/v1/audit", tags=["access"])


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_AUDIT),
    summary="Show who read, was refused, or changed what",
    responses=answers(AUDIT_EXAMPLE),
)
def list_audit(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    event: Annotated[
        AuditEvent | None,
        Query(description="Only this event: read, refused, access or alert.", examples=["read"]),
    ] = None,
    actor: Annotated[
        str | None,
        Query(
            description="Only this actor, by identifier or name.",
            max_length=500,
            examples=["ward display"],
        ),
    ] = None,
    site: SiteFilter = None,
    start: Annotated[
        str,
        Query(
            alias="from",
            description="First instant, inclusive.",
            max_length=64,
            examples=["-7d"],
        ),
    ] = "-7d",
    end: Annotated[
        str,
        Query(alias="to", description="Last instant, exclusive.", max_length=64, examples=["now"]),
    ] = "now+1min",
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> AuditAnswer:
    """Return rows of the audit, the newest first."""
    if site is not None:
        existing_site(access, services.registry, site)
    services.audit.flush()
    asked: tuple[object, ...] = ("audit", event, actor, site, start, end)
    start_ns, end_ns = instant_range(
        start, end, now_ns=services.clock.now_ns(), zone=UTC, names=("from", "to")
    )
    rows = limit or services.settings.api.page_size
    found = services.registry.audit.list(
        AuditFilter(event=event, actor=actor, site=site, since_ns=start_ns, until_ns=end_ns),
        before=None if cursor is None else decode_cursor(cursor, int, query=asked),
        limit=rows + 1,
    )
    more = encode_cursor(found[rows - 1].id, query=asked) if len(found) > rows else None
    return AuditAnswer(
        rows=[AuditRow.of(one) for one in found[:rows]], next=next_link(request, more)
    )
