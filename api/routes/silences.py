"""`/v1/silences`: what nobody is told of for a while, and maintenance windows."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Query, Request, Response

from alerts.lifecycle import people
from api.access.giving import in_body
from api.access.requires import requires
from api.access.visibility import AccessDep
from api.alerting.notes import caller_name, note_alert_change
from api.alerting.pages import visible_page
from api.alerting.parameters import AlertsLimit, page_rows
from api.alerting.rights import AlertRights
from api.alerting.silencing import check_match, check_time, shows_silence
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import UTC, CursorParameter, IdPath, next_link
from api.problems import InvalidParameterError
from api.schemas.silences import (
    NEW_SILENCE_EXAMPLE,
    SILENCE_EXAMPLE,
    SILENCES_EXAMPLE,
    NewSilence,
    SilenceAnswer,
    SilencesAnswer,
)
from api.services import Services, ServicesDep
from api.times import parse_instant
from core.access import Permission
from devices.registry.alert_records import Silence, SilenceKind
from devices.registry.silences import read_match, unknown_silence

ROUTER = APIRouter(prefix="/v1/silences", tags=["alerts"])


class _After(msgspec.Struct, frozen=True, array_like=True):
    time_ns: int
    id: str


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="List silences and maintenance windows",
    responses=answers(SILENCES_EXAMPLE),
)
def list_silences(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    kind: Annotated[
        SilenceKind | None, Query(description="Only this kind.", examples=["maintenance"])
    ] = None,
    over: Annotated[
        bool, Query(description="Also those that are over.", examples=["false"])
    ] = False,
    limit: AlertsLimit = None,
    cursor: CursorParameter = None,
) -> SilencesAnswer:
    """Return silences that are not over, those made last first: what counts, and what will."""
    rights = AlertRights(access, services.rules)
    now_ns = services.clock.now_ns()
    query = ("silences", kind, over)
    begin = None if cursor is None else decode_cursor(cursor, _After, query=query)
    page, after = visible_page(
        lambda most, position: services.registry.silences.list(
            active_ns=None if over else now_ns, kind=kind, limit=most, after=position
        ),
        lambda one: shows_silence(rights, one),
        rows=page_rows(services, limit),
        after=None if begin is None else (begin.time_ns, begin.id),
        position=lambda one: (one.created_ns, one.id),
    )
    following = None if after is None else encode_cursor(_After(*after), query=query)
    return SilencesAnswer(
        silences=[SilenceAnswer.of(one, now_ns=now_ns) for one in page],
        next=next_link(request, following),
    )


@ROUTER.post(
    "",
    status_code=201,
    openapi_extra=requires(Permission.SILENCE),
    summary="Silence alerts for a while",
    responses=answers(SILENCE_EXAMPLE, "bad_request", "conflict", "body_too_large", status=201),
)
def make_silence(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    response: Response,
    order: Annotated[NewSilence, Body(examples=[NEW_SILENCE_EXAMPLE])],
) -> SilenceAnswer:
    """Have nobody told of alerts that fit, for a while; they are listed all the same."""
    rights = AlertRights(access, services.rules)
    match = order.match.patterns()
    check_match(services, rights, match)
    now_ns = services.clock.now_ns()
    start_ns, end_ns = (
        _instant(text, name, now_ns=now_ns)
        for text, name in ((order.start, "start"), (order.end, "end"))
    )
    check_time(order.kind, start_ns, end_ns, now_ns=now_ns)
    with in_body("reason"):
        made = people.silence(
            services.registry,
            match,
            by=caller_name(access),
            reason=order.reason,
            from_ns=start_ns,
            until_ns=end_ns,
            now_ns=now_ns,
            kind=order.kind,
        )
    response.headers["Location"] = f"/v1/silences/{made.id}"
    detail = f"{made.kind} {made.id} made, {made.match}: {made.reason}"
    note_alert_change(request, services, access, detail, status=201, sites=match.get("site", ()))
    return SilenceAnswer.of(made, now_ns=now_ns)


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show a silence",
    responses=answers(SILENCE_EXAMPLE, "not_found"),
)
def show_silence(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> SilenceAnswer:
    """Return one silence, also one that is over."""
    found = _existing(services, AlertRights(access, services.rules), id)
    return SilenceAnswer.of(found, now_ns=services.clock.now_ns())


@ROUTER.post(
    "/{id}/end",
    openapi_extra=requires(Permission.SILENCE),
    summary="End a silence before its time",
    responses=answers(SILENCE_EXAMPLE, "bad_request", "not_found", "conflict", "body_too_large"),
)
def end_silence(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> SilenceAnswer:
    """Have people told again of what it muted."""
    rights = AlertRights(access, services.rules)
    found = _existing(services, rights, id)
    match = read_match(found.match)
    check_match(services, rights, match)
    now_ns = services.clock.now_ns()
    ended = people.end_silence(services.registry, found.id, by=caller_name(access), now_ns=now_ns)
    detail = f"{ended.kind} {ended.id} ended before its time"
    note_alert_change(request, services, access, detail, sites=match.get("site", ()))
    return SilenceAnswer.of(ended, now_ns=now_ns)


def _existing(services: Services, rights: AlertRights, silence: str) -> Silence:
    found = services.registry.silences.get(silence)
    if shows_silence(rights, found):
        return found
    rights.access.trail.hidden = f"silence {found.id}"
    raise unknown_silence(silence)


def _instant(text: str, parameter: str, *, now_ns: int) -> int:
    try:
        return parse_instant(text, parameter=parameter, now_ns=now_ns, zone=UTC)
    except InvalidParameterError as error:
        raise error.in_body() from None
