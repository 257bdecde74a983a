"""Numbers of alarm fatigue, from what the registry counted, as far as the caller may know."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from api.alerting.rights import AlertRights
from api.parameters import UTC
from api.schemas.alert_statistics import (
    AlertStatisticsAnswer,
    Counted,
    Delays,
    Noisiest,
    RuleCount,
    SubjectCount,
    SubjectDay,
)
from api.times import in_zone
from core.clock import NS_PER_S
from devices.registry.alert_records import OPEN_STATES, AlertRecord, AlertState
from devices.registry.alert_statistics import AlarmCount, AlertStatistics

_DAY_NS = 86_400 * NS_PER_S
_TENTH = 10
_MOST_RULES = 100
_MOST_DAYS = 20
_MOST_SUBJECTS = 10
_SUBJECT = ("site", "building", "zone", "device", "quantity", "person")
Subject = tuple[str, ...]


class Asked(msgspec.Struct, frozen=True):
    """Of what the numbers are.

    Attributes:
        start_ns: first instant, inclusive.
        end_ns: last instant, exclusive.
        now_ns: the present.
        site: only of this site, or None.
        rule: only of this rule, or None.
    """

    start_ns: int
    end_ns: int
    now_ns: int
    site: str | None
    rule: str | None


def summary(
    found: AlertStatistics, open_alerts: Iterable[AlertRecord], asked: Asked, rights: AlertRights
) -> AlertStatisticsAnswer:
    """Return the numbers of a range.

    Args:
        found: what the registry counted in it.
        open_alerts: alerts that go on now.
        asked: of what the numbers are.
        rights: of the caller.
    """
    counts = [one for one in found.counts if _meant(one, asked, rights)]
    waits_ns = [one.delay_ns for one in found.acknowledged if _meant(one, asked, rights)]
    going_on = [
        one
        for one in open_alerts
        if asked.start_ns <= one.opened_ns < asked.end_ns
        and one.state in OPEN_STATES
        and _meant(one, asked, rights)
    ]
    alarms = sum(one.count for one in counts)
    waiting = sum(one.state == AlertState.FIRING for one in going_on)
    subjects: Counter[Subject] = Counter()
    for one in counts:
        subjects[_subject(one)] += one.count
    days = (min(asked.end_ns, max(asked.now_ns, asked.start_ns + 1)) - asked.start_ns) / _DAY_NS
    return AlertStatisticsAnswer(
        start=in_zone(asked.start_ns, UTC),
        end=in_zone(asked.end_ns, UTC),
        alarms=alarms,
        withdrawn=sum(one.withdrawn for one in counts),
        retroactive=sum(one.retroactive for one in counts),
        open=len(going_on),
        unattended=max(0, alarms - len(waits_ns) - waiting),
        subjects=len(subjects),
        days=days,
        alarms_per_subject_day=alarms / len(subjects) / days if subjects else None,
        by_class=_grouped(counts, lambda one: one.alarm_class, alarms),
        by_severity=_grouped(counts, lambda one: one.severity, alarms),
        by_rule=_by_rule(counts, alarms),
        busiest_days=_busiest(counts),
        noisiest=_noisiest(subjects, alarms),
        acknowledged=Delays(
            count=len(waits_ns), p50_s=_rank_s(waits_ns, 0.5), p90_s=_rank_s(waits_ns, 0.9)
        ),
    )


def _meant(one: Any, asked: Asked, rights: AlertRights) -> bool:
    """Tell whether something of an alert counts, and may be known."""
    if asked.site not in (None, one.site) or asked.rule not in (None, one.rule):
        return False
    sites = rights.access.sites
    if sites is not None and one.site not in sites:
        return False
    return rights.reads_health(one.site) or not (
        one.person or rights.rules.about_health(one.rule, 1)
    )


def _subject(one: AlarmCount) -> Subject:
    return tuple(getattr(one, name) for name in _SUBJECT)


def _named(subject: Subject) -> dict[str, str]:
    return dict(zip(_SUBJECT, subject, strict=True))


def _grouped(
    counts: Sequence[AlarmCount], key: Callable[[AlarmCount], str], alarms: int
) -> dict[str, Counted]:
    found: dict[str, list[AlarmCount]] = {}
    for one in counts:
        found.setdefault(key(one), []).append(one)
    return {name: Counted(**_numbers(rows, alarms)) for name, rows in sorted(found.items())}


def _by_rule(counts: Sequence[AlarmCount], alarms: int) -> list[RuleCount]:
    found: dict[str, list[AlarmCount]] = {}
    for one in counts:
        found.setdefault(one.rule, []).append(one)
    rows = [
        RuleCount(rule=rule, subjects=len({_subject(one) for one in its}), **_numbers(its, alarms))
        for rule, its in found.items()
    ]
    return sorted(rows, key=lambda one: (-one.alarms, one.rule))[:_MOST_RULES]


def _numbers(rows: Sequence[AlarmCount], alarms: int) -> dict[str, Any]:
    mine = sum(one.count for one in rows)
    return {
        "alarms": mine,
        "withdrawn": sum(one.withdrawn for one in rows),
        "share": mine / alarms,
    }


def _busiest(counts: Sequence[AlarmCount]) -> list[SubjectDay]:
    days: Counter[tuple[Subject, int]] = Counter()
    for one in counts:
        days[_subject(one), one.day] += one.count
    most = sorted(days.items(), key=lambda item: (-item[1], item[0]))[:_MOST_DAYS]
    return [
        SubjectDay(**_named(subject), day=in_zone(day, UTC)[:10], alarms=alarms)
        for (subject, day), alarms in most
    ]


def _noisiest(subjects: Counter[Subject], alarms: int) -> Noisiest:
    tenth = -(-len(subjects) // _TENTH)
    ordered = sorted(subjects.items(), key=lambda item: (-item[1], item[0]))
    mine = sum(count for _, count in ordered[:tenth])
    return Noisiest(
        subjects=tenth,
        alarms=mine,
        share=mine / alarms if alarms else None,
        examples=[
            SubjectCount(**_named(subject), alarms=count, share=count / alarms)
            for subject, count in ordered[: min(tenth, _MOST_SUBJECTS)]
        ],
    )


def _rank_s(waits_ns: Sequence[int], share: float) -> float | None:
    """Return a percentile by nearest rank, seconds."""
    if not waits_ns:
        return None
    return sorted(waits_ns)[math.ceil(share * len(waits_ns)) - 1] / NS_PER_S
