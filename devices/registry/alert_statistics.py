"""How many alarms there were, of what, and how soon somebody looked after them."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from core.clock import NS_PER_S
from devices.registry.alert_records import AlertState
from devices.registry.alert_tables import alerts
from devices.registry.text import storable

DAY_NS = 86_400 * NS_PER_S
_OVER = (AlertState.RESOLVED, AlertState.WITHDRAWN)
_WATCH = ("rule", "alarm_class", "severity", "site", "building", "zone", "device", "quantity",
          "person")  # fmt: skip


class AlarmCount(msgspec.Struct, frozen=True, kw_only=True):
    """Alarms that a rule raised about a subject on a day.

    Attributes:
        rule: name of the rule.
        alarm_class: of the rule.
        severity: of the rule.
        site: of the subject, as the further ones.
        building: likewise.
        zone: likewise.
        device: likewise.
        quantity: likewise.
        person: likewise: a pseudonym.
        day: start of the day in UTC, nanoseconds since the epoch.
        count: alarms that were opened then.
        withdrawn: those of them that late values showed never to have been.
        retroactive: those of them that were found after the fact.
    """

    rule: str
    alarm_class: str
    severity: str
    site: str
    building: str
    zone: str
    device: str
    quantity: str
    person: str
    day: int
    count: int
    withdrawn: int
    retroactive: int


class AcknowledgeDelay(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took until somebody looked after an alarm.

    Attributes:
        rule: name of the rule.
        severity: of the rule.
        site: of the subject.
        device: likewise.
        person: likewise: a pseudonym.
        delay_ns: from its opening until it was acknowledged.
    """

    rule: str
    severity: str
    site: str
    device: str
    person: str
    delay_ns: int


class AlertStatistics(msgspec.Struct, frozen=True):
    """The alarms of a time.

    Attributes:
        counts: by rule, subject and day.
        acknowledged: one per alarm that somebody acknowledged, the shortest delay first.
    """

    counts: tuple[AlarmCount, ...]
    acknowledged: tuple[AcknowledgeDelay, ...]


class AlertCounts(msgspec.Struct, frozen=True):
    """How many alerts there are now.

    Attributes:
        states: (severity, class, state) -> how many are pending, incomplete, or go on.
        inhibited: of those that go on, how many another one explains.
        silenced: how many a silence mutes.
        flapping: how many change too often; also of those that are over.
    """

    states: dict[tuple[str, str, str], int]
    inhibited: int
    silenced: int
    flapping: int


def count_alerts(connection: Connection) -> AlertCounts:
    """Return how many alerts there are now."""
    columns = alerts.c
    there = [one.value for one in AlertState if one not in _OVER]
    named = (columns.severity, columns.alarm_class, columns.state)
    query = (
        select(
            *named,
            func.count(),
            func.sum(case((columns.cause != "", 1), else_=0)),
            func.sum(case((columns.silence != "", 1), else_=0)),
        )
        .where(columns.state.in_(there))
        .group_by(*named)
    )
    rows = connection.execute(query).all()
    flapping = connection.execute(
        select(func.count()).where(columns.next_ns.is_not(None), columns.flapping)
    ).scalar_one()
    return AlertCounts(
        states={(row[0], row[1], row[2]): row[3] for row in rows},
        inhibited=sum(row[4] for row in rows),
        silenced=sum(row[5] for row in rows),
        flapping=flapping,
    )


def statistics(
    connection: Connection, since_ns: int, until_ns: int, *, sites: frozenset[str] | None
) -> AlertStatistics:
    """Return the alarms that were opened in a time.

    Args:
        connection: of a transaction.
        since_ns: from then on.
        until_ns: until then, exclusive.
        sites: of one of these sites; None: any.
    """
    columns = alerts.c
    fitting: list[ColumnElement[bool]] = [
        columns.opened_ns >= since_ns,
        columns.opened_ns < until_ns,
        columns.state.not_in([AlertState.PENDING.value, AlertState.INCOMPLETE.value]),
    ]
    if sites is not None:
        fitting.append(columns.site.in_(sorted(map(storable, sites))))
    day_ns: ColumnElement[int] = literal_column(str(DAY_NS))
    day = (columns.opened_ns - columns.opened_ns % day_ns).label("day")
    named = [columns[name] for name in _WATCH]
    withdrawn = case((columns.state == AlertState.WITHDRAWN.value, 1), else_=0)
    counted = (
        select(
            *named,
            day,
            func.count().label("count"),
            func.sum(withdrawn).label("withdrawn"),
            func.sum(case((columns.retroactive, 1), else_=0)).label("retroactive"),
        )
        .where(*fitting)
        .group_by(*named, day)
        .order_by(day, *named)
    )
    delay = (columns.acknowledged_ns - columns.opened_ns).label("delay_ns")
    waited = (
        select(columns.rule, columns.severity, columns.site, columns.device, columns.person, delay)
        .where(*fitting, columns.acknowledged_ns.is_not(None))
        .order_by(delay)
    )
    return AlertStatistics(
        counts=tuple(AlarmCount(**row) for row in connection.execute(counted).mappings()),
        acknowledged=tuple(
            AcknowledgeDelay(**row) for row in connection.execute(waited).mappings()
        ),
    )
