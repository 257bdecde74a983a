"""Why an alert fires, put together for one caller."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from alerts.rules.looks_at import limits_of
from alerts.rules.model import Condition, Rule
from alerts.rules.series import asked_of
from alerts.rules.words import Language, duration_in_words, in_words
from api.alerting.around import (
    around,
    counted_override,
    is_about,
    quantities_around,
    series_around,
)
from api.alerting.rights import AlertRights
from api.alerting.rule_rights import sees_all
from api.analysis.plots import Plot
from api.schemas.alert_explain import (
    AlertExplanation,
    Cause,
    EvidencePoint,
    ExplainedLimit,
    ExplainedOverride,
    ExplainedPoint,
    ExplainedRule,
    ExplainedSeries,
    Mute,
    ShortEvent,
)
from api.schemas.alerts import AlertAnswer
from api.selection import quality_names
from api.services import Services
from api.times import all_in_zone, in_zone
from core.errors import NotFoundError
from core.quantities import CATALOGUE
from core.reading import Reading
from devices.registry import Registry
from devices.registry.alert_records import AlertEvent, AlertRecord, RuleVersion

_EVENTS = 100
_PAGE = 1000
_PAGES = 50


def explanation(
    services: Services,
    rights: AlertRights,
    alert: AlertRecord,
    *,
    language: Language,
    zone: ZoneInfo,
) -> AlertExplanation:
    """Return why an alert fires.

    Args:
        services: reading no more than the caller may read of values.
        rights: of the caller.
        alert: one that they may see.
        language: of the words.
        zone: of the instants.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    shown = rights.shown(alert)
    version, rule = _rule(rights, alert)
    condition, number = _condition(rule, alert)
    where = around(services, shown, rule, now_ns=services.clock.now_ns())
    names = quantities_around(services, rights, shown, condition, where.devices)
    plots = series_around(services, services.store, where, names, zone)
    return AlertExplanation(
        alert=AlertAnswer.of(shown, zone),
        language=language,
        rule=(
            None
            if version is None
            else _told(rights, version, rule, condition, language=language, zone=zone)
        ),
        evidence=[_point(one, zone) for one in shown.evidence],
        zone=zone.key,
        start=in_zone(where.start_ns, zone),
        end=in_zone(where.end_ns, zone),
        series=[_series(one, zone) for one in plots],
        devices_left_out=where.left_out,
        limits=[] if condition is None or shown.withheld else _limits(condition),
        overrides=_overrides(rule, alert, number, language, zone),
        cause=_cause(services.registry, rights, alert, zone),
        silence=_mute(services.registry, alert, zone),
        events=[
            ShortEvent(time=in_zone(one.time_ns, zone), kind=one.kind, actor=one.actor)
            for one in _newest_events(services.registry, alert)
        ],
    )


def _rule(rights: AlertRights, alert: AlertRecord) -> tuple[RuleVersion | None, Rule | None]:
    try:
        return rights.rules.version(alert.rule, alert.version)
    except NotFoundError:
        return None, None


def _condition(rule: Rule | None, alert: AlertRecord) -> tuple[Condition | None, int | None]:
    """Return the condition that decided, and the number of the override that it comes from."""
    if rule is None:
        return None, None
    counted = counted_override(rule, alert)
    if counted is None:
        return asked_of(rule.when, alert.quantity), None
    return asked_of(counted[1].when, alert.quantity), counted[0]


def _told(
    rights: AlertRights,
    version: RuleVersion,
    rule: Rule | None,
    condition: Condition | None,
    *,
    language: Language,
    zone: ZoneInfo,
) -> ExplainedRule:
    whole = sees_all(rights, rule)
    return ExplainedRule.model_validate(
        {
            "name": version.name,
            "version": version.version,
            "author": version.author,
            "reason": version.reason if whole else "",
            "created": in_zone(version.created_ns, zone),
            "condition": "" if condition is None else in_words(condition, language),
            "for": duration_in_words(rule.for_ns if rule else 0, language),
            "clear_for": duration_in_words(rule.clear_for_ns if rule else 0, language),
            "source": version.source if whole else None,
        }
    )


def _point(reading: Reading, zone: ZoneInfo) -> EvidencePoint:
    return EvidencePoint(
        site=reading.site,
        device=reading.device,
        quantity=reading.quantity,
        unit=_unit(reading.quantity),
        time=in_zone(reading.time_ns, zone),
        value=reading.value,
        quality=quality_names(reading.quality),
    )


def _series(plot: Plot, zone: ZoneInfo) -> ExplainedSeries:
    site, device, quantity = plot.series
    times = all_in_zone([time_ns for time_ns, _, _ in plot.points], zone)
    return ExplainedSeries(
        site=site,
        device=device,
        quantity=quantity,
        unit=_unit(quantity),
        of=plot.of,
        points=[
            ExplainedPoint(time=time, value=value, quality=quality_names(quality))
            for time, (_, value, quality) in zip(times, plot.points, strict=True)
        ],
    )


def _limits(condition: Condition) -> list[ExplainedLimit]:
    return [
        ExplainedLimit.model_validate({**msgspec.structs.asdict(one), "unit": _unit(one.quantity)})
        for one in limits_of(condition)
    ]


def _overrides(
    rule: Rule | None, alert: AlertRecord, counted: int | None, language: Language, zone: ZoneInfo
) -> list[ExplainedOverride]:
    return [
        ExplainedOverride(
            number=number,
            device=one.device,
            person=one.person,
            condition=in_words(asked_of(one.when, alert.quantity), language),
            author=one.author,
            reason=one.reason,
            expires=in_zone(one.expires_ns, zone),
            counted=number == counted,
        )
        for number, one in enumerate(() if rule is None else rule.overrides, start=1)
        if is_about(one, alert)
    ]


def _cause(
    registry: Registry, rights: AlertRights, alert: AlertRecord, zone: ZoneInfo
) -> Cause | None:
    """Return the alert that explains this one, where the caller may see it."""
    if not alert.cause:
        return None
    try:
        found = registry.alerts.get(alert.cause)
    except NotFoundError:
        return None
    if not rights.lists(found):
        return None
    return Cause(
        id=found.id,
        rule=found.rule,
        title=msgspec.json.decode(found.title),
        state=found.state,
        device=found.device,
        at=in_zone(found.at_ns, zone),
    )


def _mute(registry: Registry, alert: AlertRecord, zone: ZoneInfo) -> Mute | None:
    """Return the silence: who sees the alert may know why nobody was told of it."""
    if not alert.silence:
        return None
    try:
        found = registry.silences.get(alert.silence)
    except NotFoundError:
        return None
    return Mute(
        id=found.id,
        kind=found.kind,
        by=found.by,
        reason=found.reason,
        start=in_zone(found.start_ns, zone),
        end=in_zone(found.end_ns, zone),
    )


def _newest_events(registry: Registry, alert: AlertRecord) -> list[AlertEvent]:
    found: list[AlertEvent] = []
    for _ in range(_PAGES):
        page = registry.alerts.events(alert.id, limit=_PAGE, after=found[-1].id if found else 0)
        found = [*found, *page][-_EVENTS:]
        if len(page) < _PAGE:
            break
    return found


def _unit(quantity: str) -> str:
    return CATALOGUE[quantity].unit if quantity in CATALOGUE else ""
