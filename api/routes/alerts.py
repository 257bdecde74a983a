"""`/v1/alerts`: what is wrong, what happened, who was told; and looking after it."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Body, Query, Request

from alerts.lifecycle import people
from alerts.model import AlarmClass, Severity
from alerts.rules.reading import RuleProblem, duration_ns
from api.access.giving import in_body
from api.access.requires import requires
from api.access.visibility import AccessDep
from api.alerting.notes import caller_name, note_alert_change
from api.alerting.pages import visible_page
from api.alerting.parameters import (
    SEVERAL,
    AlertPath,
    AlertsLimit,
    InstantFilter,
    RuleFilter,
    optional_range,
    page_rows,
)
from api.alerting.rights import AlertRights
from api.alerting.silencing import check_time
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import UTC, CursorParameter, DeviceFilter, SiteFilter, existing_site, next_link
from api.problems import InvalidParameterError
from api.schemas.alerts import (
    ACKNOWLEDGE_EXAMPLE,
    ALERT_EXAMPLE,
    ALERTS_EXAMPLE,
    HISTORY_EXAMPLE,
    NOTICES_EXAMPLE,
    SILENCE_ORDER_EXAMPLE,
    AcknowledgeOrder,
    AlertAnswer,
    AlertEventAnswer,
    AlertHistory,
    AlertNotices,
    AlertsAnswer,
    NoticeAnswer,
    SilenceOrder,
)
from api.schemas.silences import SILENCE_EXAMPLE, SilenceAnswer
from api.services import Services, ServicesDep
from core.access import Permission
from devices.registry.alert_records import AlertRecord, AlertState, SilenceKind
from devices.registry.alerts import AlertFilter
from devices.registry.notices import NoticeFilter

ROUTER = APIRouter(prefix="/v1/alerts", tags=["alerts"])

NOT_OVER = (
    AlertState.PENDING,
    AlertState.INCOMPLETE,
    AlertState.FIRING,
    AlertState.ACKNOWLEDGED,
)
"""What a list holds when no state is asked for."""
_MOST_NOTICES = 100
_CHANGED = ("bad_request", "not_found", "conflict", "body_too_large")


class _After(msgspec.Struct, frozen=True, array_like=True):
    time_ns: int
    id: str


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="List alerts",
    responses=answers(ALERTS_EXAMPLE),
)
def list_alerts(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    state: Annotated[
        list[AlertState] | None,
        Query(
            description="Only these states, repeated or comma-separated; default: all that is not "
            "over.",
            max_length=20,
            examples=[["firing", "acknowledged"]],
        ),
        SEVERAL,
    ] = None,
    rule: RuleFilter = None,
    site: SiteFilter = None,
    building: Annotated[
        str | None,
        Query(description="Only of this building.", max_length=200, examples=["A"]),
    ] = None,
    zone: Annotated[
        str | None,
        Query(description="Only of this room or area.", max_length=200, examples=["A-101"]),
    ] = None,
    device: DeviceFilter = None,
    person: Annotated[
        str | None,
        Query(description="Only of this person (a pseudonym).", max_length=64, examples=["p-17"]),
    ] = None,
    severity: Annotated[
        Severity | None, Query(description="Only of this severity.", examples=["critical"])
    ] = None,
    alarm_class: Annotated[
        AlarmClass | None,
        Query(alias="class", description="Only of this class.", examples=["measured"]),
    ] = None,
    since: Annotated[InstantFilter, Query(description="Opened at or after this instant.")] = None,
    until: Annotated[InstantFilter, Query(description="Opened before this instant.")] = None,
    limit: AlertsLimit = None,
    cursor: CursorParameter = None,
) -> AlertsAnswer:
    """Return alerts, the newest first; every filter that is given must match."""
    if site is not None:
        existing_site(access, services.registry, site)
    rights = AlertRights(access, services.rules)
    states = tuple(sorted(set(state or NOT_OVER)))
    since_ns, until_ns = optional_range(services, since, until)
    query = ("alerts", states, rule, site, building, zone, device, person, severity, alarm_class,
             since, until)  # fmt: skip
    wanted = AlertFilter(
        states=states,
        rule=rule,
        site=site,
        sites=access.sites,
        building=building,
        zone=zone,
        device=device,
        person=person,
        severity=severity,
        alarm_class=alarm_class,
        since_ns=since_ns,
        until_ns=until_ns,
    )
    begin = None if cursor is None else decode_cursor(cursor, _After, query=query)
    page, after = visible_page(
        lambda most, position: services.registry.alerts.list(wanted, limit=most, after=position),
        rights.lists,
        rows=page_rows(services, limit),
        after=None if begin is None else (begin.time_ns, begin.id),
        position=lambda one: (one.opened_ns, one.id),
    )
    following = None if after is None else encode_cursor(_After(*after), query=query)
    zones = site_zones(services)
    return AlertsAnswer(
        alerts=[AlertAnswer.of(rights.shown(one), zones.get(one.site, UTC)) for one in page],
        next=next_link(request, following),
    )


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show an alert",
    responses=answers(ALERT_EXAMPLE, "not_found"),
)
def show_alert(
    services: ServicesDep,
    access: AccessDep,
    id: AlertPath,  # noqa: A002 - the name in the path
) -> AlertAnswer:
    """Return one alert, as it stands."""
    rights = AlertRights(access, services.rules)
    return _answer(services, rights, existing_alert(services, rights, id))


@ROUTER.get(
    "/{id}/history",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show what happened to an alert",
    responses=answers(HISTORY_EXAMPLE, "not_found"),
)
def show_history(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    id: AlertPath,  # noqa: A002 - the name in the path
    limit: AlertsLimit = None,
    cursor: CursorParameter = None,
) -> AlertHistory:
    """Return everything that happened to an alert, the oldest first, and who did it."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    zone = site_zones(services).get(alert.site, UTC)
    withheld = rights.shown(alert).withheld
    query = ("history", id)
    rows = page_rows(services, limit)
    found = services.registry.alerts.events(
        alert.id,
        limit=rows + 1,
        after=0 if cursor is None else decode_cursor(cursor, int, query=query),
    )
    more = encode_cursor(found[rows - 1].id, query=query) if len(found) > rows else None
    return AlertHistory(
        alert=alert.id,
        events=[AlertEventAnswer.of(one, zone, withheld=withheld) for one in found[:rows]],
        next=next_link(request, more),
    )


@ROUTER.get(
    "/{id}/notices",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show who was told of an alert",
    responses=answers(NOTICES_EXAMPLE, "not_found"),
)
def show_notices(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    id: AlertPath,  # noqa: A002 - the name in the path
    limit: Annotated[
        int, Query(description="Notices of a page.", ge=1, le=_MOST_NOTICES, examples=[20])
    ] = _MOST_NOTICES,
    cursor: CursorParameter = None,
) -> AlertNotices:
    """Return the notices about an alert, the newest first, with every attempt to deliver them."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    zone = site_zones(services).get(alert.site, UTC)
    query = ("notices", id)
    begin = None if cursor is None else decode_cursor(cursor, _After, query=query)
    notices = services.registry.notices
    found = notices.list(
        NoticeFilter(alert=alert.id),
        limit=limit + 1,
        after=None if begin is None else (begin.time_ns, begin.id),
    )
    page = found[:limit]
    more = None
    if len(found) > limit:
        more = encode_cursor(_After(page[-1].created_ns, page[-1].id), query=query)
    return AlertNotices(
        alert=alert.id,
        notices=[NoticeAnswer.of(one, notices.attempts(one.id), zone) for one in page],
        next=next_link(request, more),
    )


@ROUTER.post(
    "/{id}/acknowledge",
    openapi_extra=requires(Permission.ACKNOWLEDGE),
    summary="Take an alert on",
    responses=answers(ALERT_EXAMPLE, *_CHANGED),
)
def acknowledge_alert(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    id: AlertPath,  # noqa: A002 - the name in the path
    order: Annotated[AcknowledgeOrder, Body(examples=[ACKNOWLEDGE_EXAMPLE])],
) -> AlertAnswer:
    """Say that somebody looks after an alert: nobody is reminded, it does not go further up."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    with in_body("note"):
        changed = people.acknowledge(
            services.registry,
            alert.id,
            by=caller_name(access),
            note=order.note,
            now_ns=services.clock.now_ns(),
        )
    detail = f"alert {alert.id} of rule {alert.rule} acknowledged: {order.note or 'no note'}"
    note_alert_change(request, services, access, detail, sites=[alert.site])
    return _answer(services, rights, changed)


@ROUTER.post(
    "/{id}/unacknowledge",
    openapi_extra=requires(Permission.ACKNOWLEDGE),
    summary="Give an alert back",
    responses=answers(ALERT_EXAMPLE, *_CHANGED),
)
def unacknowledge_alert(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    id: AlertPath,  # noqa: A002 - the name in the path
) -> AlertAnswer:
    """Say that nobody looks after an alert any more: people are reminded again."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    changed = people.unacknowledge(
        services.registry, alert.id, by=caller_name(access), now_ns=services.clock.now_ns()
    )
    detail = f"alert {alert.id} of rule {alert.rule} given back"
    note_alert_change(request, services, access, detail, sites=[alert.site])
    return _answer(services, rights, changed)


@ROUTER.post(
    "/{id}/silence",
    status_code=201,
    openapi_extra=requires(Permission.SILENCE),
    summary="Silence an alert for a while",
    responses=answers(SILENCE_EXAMPLE, "bad_request", "not_found", "conflict", "body_too_large",
                      status=201),
)  # fmt: skip
def silence_alert(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    id: AlertPath,  # noqa: A002 - the name in the path
    order: Annotated[SilenceOrder, Body(examples=[SILENCE_ORDER_EXAMPLE])],
) -> SilenceAnswer:
    """Make a silence that fits this alert's rule and subject, from now on."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    try:
        lasts_ns = duration_ns(order.duration, ("for",))
    except RuleProblem as problem:
        raise InvalidParameterError("for", problem.detail, location="body") from None
    now_ns = services.clock.now_ns()
    check_time(SilenceKind.SILENCE, now_ns, now_ns + lasts_ns, now_ns=now_ns)
    with in_body("reason"):
        silence = people.silence_alert(
            services.registry,
            alert.id,
            by=caller_name(access),
            reason=order.reason,
            until_ns=now_ns + lasts_ns,
            now_ns=now_ns,
        )
    detail = f"silence {silence.id} on alert {alert.id} of rule {alert.rule}: {silence.reason}"
    note_alert_change(request, services, access, detail, status=201, sites=[alert.site])
    return SilenceAnswer.of(silence, now_ns=now_ns)


def existing_alert(services: Services, rights: AlertRights, alert: str) -> AlertRecord:
    """Return an alert that the route may answer with.

    Raises:
        NotFoundError: there is none that the caller may know of.
        ForbiddenError: they know its site, and have not the right there.
    """
    return rights.require(services.registry.alerts.get(alert))


def site_zones(services: Services) -> dict[str, ZoneInfo]:
    """Return the zone of each site; the platform itself has none of its own."""
    return {site.id: ZoneInfo(site.zone) for site in services.registry.sites.list()}


def _answer(services: Services, rights: AlertRights, alert: AlertRecord) -> AlertAnswer:
    zone = site_zones(services).get(alert.site, UTC)
    return AlertAnswer.of(rights.shown(alert), zone)
