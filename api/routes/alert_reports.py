"""`/v1/alerts/late` and `/v1/alerts/statistics`: what was not judged, and how much was told."""

from __future__ import annotations

from fastapi import APIRouter, Request

from api.access.requires import requires
from api.access.store import note_readings
from api.access.visibility import AccessDep
from api.alerting.pages import visible_page
from api.alerting.parameters import AlertsLimit, RuleFilter, page_rows
from api.alerting.rights import AlertRights
from api.alerting.statistics import Asked, summary
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import (
    UTC,
    CursorParameter,
    SinceParameter,
    SiteFilter,
    UntilParameter,
    existing_site,
    instant_range,
    next_link,
)
from api.routes.alerts import site_zones
from api.schemas.alert_statistics import STATISTICS_EXAMPLE, AlertStatisticsAnswer
from api.schemas.alerts import LATE_EXAMPLE, LateAnswer, LateValuesAnswer
from api.services import ServicesDep
from core.access import Permission
from core.quantities import CATALOGUE
from core.reading import Reading
from devices.registry.alert_telling import LateValue

ROUTER = APIRouter(prefix="/v1/alerts", tags=["alerts"])


@ROUTER.get(
    "/late",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="List values that came too late to be judged",
    responses=answers(LATE_EXAMPLE),
)
def list_late(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    site: SiteFilter = None,
    rule: RuleFilter = None,
    limit: AlertsLimit = None,
    cursor: CursorParameter = None,
) -> LateValuesAnswer:
    """Return values that came later than their rule's `lateness`; the newest ten thousand stay."""
    if site is not None:
        existing_site(access, services.registry, site)
    rights = AlertRights(access, services.rules)
    sites = access.sites if site is None else frozenset({site})
    query = ("late", site, rule)

    def shows(late: LateValue) -> bool:
        if late.person and not rights.reads_health(late.site):
            return False
        return rights.reads(late.site, late.quantity) and (
            rights.reads_health(late.site) or not rights.rules.about_health(late.rule, 1)
        )

    page, after = visible_page(
        lambda most, before: services.registry.alerts.late(
            limit=most, before=before, sites=sites, rule=rule
        ),
        shows,
        rows=page_rows(services, limit),
        after=None if cursor is None else decode_cursor(cursor, int, query=query),
        position=lambda one: one.id,
    )
    note_readings(
        access,
        [Reading(one.site, one.device, one.quantity, one.time_ns, one.value) for one in page],
    )
    zones = site_zones(services)
    return LateValuesAnswer(
        values=[
            LateAnswer.of(
                one,
                unit=CATALOGUE[one.quantity].unit if one.quantity in CATALOGUE else "",
                zone=zones.get(one.site, UTC),
            )
            for one in page
        ],
        next=next_link(request, None if after is None else encode_cursor(after, query=query)),
    )


@ROUTER.get(
    "/statistics",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show how many alarms there were",
    responses=answers(STATISTICS_EXAMPLE),
)
def show_statistics(
    services: ServicesDep,
    access: AccessDep,
    *,
    site: SiteFilter = None,
    rule: RuleFilter = None,
    start: SinceParameter = "-7d",
    end: UntilParameter = "now",
) -> AlertStatisticsAnswer:
    """Count alarms by subject, day, rule and class; how noisy, and how soon acknowledged."""
    if site is not None:
        existing_site(access, services.registry, site)
    now_ns = services.clock.now_ns()
    start_ns, end_ns = instant_range(start, end, now_ns=now_ns, zone=UTC, names=("from", "to"))
    sites = access.sites if site is None else frozenset({site})
    registry = services.registry
    return summary(
        registry.alerts.statistics(start_ns, end_ns, sites=sites),
        registry.alerts.open_alerts(),
        Asked(start_ns, end_ns, now_ns, site, rule),
        AlertRights(access, services.rules),
    )
