"""Alerts as they are read, and the one door through which they are changed (`work`).

Every list is a page with a cursor that stays where it was while alerts come and go.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Select, and_, exists, or_, select

from core.errors import NotFoundError
from devices.registry.alert_records import OPEN_STATES, AlertEvent, AlertRecord
from devices.registry.alert_rows import alert_record
from devices.registry.alert_statistics import (
    AlertCounts,
    AlertStatistics,
    count_alerts,
    statistics,
)
from devices.registry.alert_tables import (
    alert_checkpoints,
    alert_events,
    alert_groups,
    alert_late,
    alert_silences,
    alert_tellings,
    alerts,
)
from devices.registry.alert_telling import AlertCheckpoint, LateValue
from devices.registry.alert_work import AlertWork
from devices.registry.database import Database
from devices.registry.leases import check_held
from devices.registry.notices import LEASE
from devices.registry.rows import upsert
from devices.registry.text import storable

_PAGE = 1000


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts: those that fit everything that is given.

    Attributes:
        states: `AlertState`; empty: any.
        rule: name of the rule.
        site: site slug; "" the platform's own.
        sites: one of these sites; None: any.
        building: building.
        zone: room or area.
        device: device slug.
        person: pseudonym.
        severity: `info`, `warning`, `critical`.
        alarm_class: `measured`, `technical`, `no_data`.
        since_ns: opened at it or later.
        until_ns: opened before it.
    """

    states: tuple[str, ...] = ()
    rule: str | None = None
    site: str | None = None
    sites: frozenset[str] | None = None
    building: str | None = None
    zone: str | None = None
    device: str | None = None
    person: str | None = None
    severity: str | None = None
    alarm_class: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


class AlertRepository:
    """The alerts of the registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, alert: str) -> AlertRecord:
        """Return one.

        Raises:
            NotFoundError: there is none with that id.
        """
        query = select(alerts).where(alerts.c.id == storable(alert))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise unknown_alert(alert)
        return alert_record(row)

    def list(
        self,
        wanted: AlertFilter,
        *,
        limit: int = _PAGE,
        after: tuple[int, str] | None = None,
    ) -> builtins.list[AlertRecord]:
        """Return alerts, the newest first.

        Args:
            wanted: which.
            limit: at most.
            after: (opened_ns, id) at which the page before ended.
        """
        columns = alerts.c
        query = _fitting(select(alerts), wanted)
        if after is not None:
            opened_ns, alert = after
            query = query.where(
                or_(
                    columns.opened_ns < opened_ns,
                    and_(columns.opened_ns == opened_ns, columns.id < storable(alert)),
                )
            )
        query = query.order_by(columns.opened_ns.desc(), columns.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [alert_record(row) for row in connection.execute(query).mappings()]

    def open_alerts(self) -> builtins.list[AlertRecord]:
        """Return every alert that goes on, the oldest first."""
        columns = alerts.c
        query = (
            select(alerts)
            .where(columns.state.in_([one.value for one in OPEN_STATES]))
            .order_by(columns.opened_ns, columns.id)
        )
        with self._database.read() as connection:
            return [alert_record(row) for row in connection.execute(query).mappings()]

    def events(
        self, alert: str, *, limit: int = _PAGE, after: int = 0
    ) -> builtins.list[AlertEvent]:
        """Return what happened to an alert, the oldest first.

        Args:
            alert: its id.
            limit: at most.
            after: only events with a greater number.
        """
        columns = alert_events.c
        query = (
            select(alert_events)
            .where(columns.alert == storable(alert), columns.id > after)
            .order_by(columns.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [AlertEvent(**row) for row in connection.execute(query).mappings()]

    def late(
        self,
        *,
        limit: int = _PAGE,
        before: int | None = None,
        sites: frozenset[str] | None = None,
        rule: str | None = None,
    ) -> builtins.list[LateValue]:
        """Return values that came too late to be judged, the newest first.

        Args:
            limit: at most.
            before: only those with a smaller number.
            sites: of one of these sites; None: any.
            rule: of this rule only.
        """
        columns = alert_late.c
        wanted = [column for column in columns if column.name != "digest"]
        query = select(*wanted).order_by(columns.id.desc()).limit(limit)
        if before is not None:
            query = query.where(columns.id < before)
        if sites is not None:
            query = query.where(columns.site.in_(sorted(map(storable, sites))))
        if rule is not None:
            query = query.where(columns.rule == storable(rule))
        with self._database.read() as connection:
            return [LateValue(**row) for row in connection.execute(query).mappings()]

    def statistics(
        self, since_ns: int, until_ns: int, *, sites: frozenset[str] | None = None
    ) -> AlertStatistics:
        """Return how many alarms there were, of what, and how soon somebody looked after them.

        Args:
            since_ns: those that were opened at it or later.
            until_ns: and before it.
            sites: of one of these sites; None: any.
        """
        with self._database.read() as connection:
            return statistics(connection, since_ns, until_ns, sites=sites)

    def counts(self) -> AlertCounts:
        """Return how many alerts there are now."""
        with self._database.read() as connection:
            return count_alerts(connection)

    def pressing(self, now_ns: int) -> tuple[bool, frozenset[str]]:
        """Return whether the lifecycle has anything to do by now, and which silences count."""
        due = or_(
            exists().where(alert_groups.c.due_ns <= now_ns),
            exists().where(alert_tellings.c.next_ns <= now_ns),
            exists().where(alerts.c.next_ns <= now_ns),
        )
        columns = alert_silences.c
        silences = select(columns.id).where(columns.start_ns <= now_ns, columns.end_ns > now_ns)
        with self._database.read() as connection:
            pressing = bool(connection.execute(select(due)).scalar())
            return pressing, frozenset(connection.execute(silences).scalars())

    def checkpoint(self, name: str) -> AlertCheckpoint | None:
        """Return the state that was kept under a name, or None."""
        query = select(alert_checkpoints).where(alert_checkpoints.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else AlertCheckpoint(**row)

    def keep_checkpoint(
        self, name: str, blob: bytes, facts: str, now_ns: int, *, holder: str | None = None
    ) -> None:
        """Keep a state under a name, in place of the one before.

        Args:
            name: of the checkpoint.
            blob: the state.
            facts: what is known of it, as JSON.
            now_ns: the present.
            holder: who must hold the lease `alerts`, or None: nobody.

        Raises:
            LeaseLostError: another process judges rules by now.
        """
        row = {"name": name, "blob": blob, "facts": facts, "saved_ns": now_ns}
        with self._database.change() as connection:
            if holder is not None:
                check_held(connection, LEASE, holder=holder)
            upsert(connection, alert_checkpoints, [row])

    @contextmanager
    def work(self, holder: str | None = None) -> Iterator[AlertWork]:
        """One transaction in which alerts change: all of it is kept, or nothing.

        Args:
            holder: who must hold the lease `alerts`, or None: a person acts, not the process
                that judges rules.

        Raises:
            LeaseLostError: another process judges rules by now; nothing was changed.
        """
        with self._database.change() as connection:
            if holder is not None:
                check_held(connection, LEASE, holder=holder)
            work = AlertWork(connection)
            yield work
            work.keep()


def unknown_alert(alert: str) -> NotFoundError:
    """Return what is said of an alert that does not exist."""
    return NotFoundError(f"there is no alert {alert[:80]!r}; see /v1/alerts")


def _fitting(query: Select[tuple[object, ...]], wanted: AlertFilter) -> Select[tuple[object, ...]]:
    columns = alerts.c
    if wanted.states:
        query = query.where(columns.state.in_(wanted.states))
    for column, value in (
        (columns.rule, wanted.rule),
        (columns.site, wanted.site),
        (columns.building, wanted.building),
        (columns.zone, wanted.zone),
        (columns.device, wanted.device),
        (columns.person, wanted.person),
        (columns.severity, wanted.severity),
        (columns.alarm_class, wanted.alarm_class),
    ):
        if value is not None:
            query = query.where(column == storable(value))
    if wanted.sites is not None:
        query = query.where(columns.site.in_(sorted(map(storable, wanted.sites))))
    if wanted.since_ns is not None:
        query = query.where(columns.opened_ns >= wanted.since_ns)
    if wanted.until_ns is not None:
        query = query.where(columns.opened_ns < wanted.until_ns)
    return query
