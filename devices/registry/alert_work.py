"""What one transaction of alerting has in hand: loaded once, changed in memory, written at its end.

Whatever is asked for, a row that this work changed already is returned as it changed it. Rows are
written in bulk by `keep`, so that thousands of changes cost a few statements.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, delete, or_, select

from devices.registry.alert_late import add_late
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertEvent,
    AlertRecord,
    AlertState,
    NoticeRecord,
    Silence,
)
from devices.registry.alert_rows import alert_record, alert_row, chunks, event_row, watch_of
from devices.registry.alert_tables import (
    alert_events,
    alert_groups,
    alert_silences,
    alert_tellings,
    alerts,
)
from devices.registry.alert_telling import AlertGroup, LateValue, Telling
from devices.registry.notices import order
from devices.registry.rows import insert_rows, upsert

_OPEN = tuple(one.value for one in OPEN_STATES)
_UNSURE = (AlertState.PENDING.value, AlertState.INCOMPLETE.value)
_STANDING = (
    "id", "rule", "severity", "alarm_class", "site", "building", "zone", "device", "quantity",
    "person", "at_ns", "opened_ns", "cause", "silence",
)  # fmt: skip


class Standing(msgspec.Struct, frozen=True):
    """An alert that goes on, as far as others depend on it; the fields are `AlertRecord`'s."""

    id: str
    rule: str
    severity: str
    alarm_class: str
    site: str
    building: str
    zone: str
    device: str
    quantity: str
    person: str
    at_ns: int
    opened_ns: int
    cause: str
    silence: str


class AlertWork:
    """The alerts, tellings and groups of one transaction.

    Args:
        connection: of the transaction; everything is read and written through it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._alerts: dict[str, AlertRecord] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._tellings: dict[tuple[str, str], Telling] = {}
        self._told: set[tuple[str, str]] = set()
        self._untold: set[tuple[str, str]] = set()
        self._groups: dict[str, AlertGroup] = {}
        self._grouped: set[str] = set()
        self.events: list[AlertEvent] = []
        self.notices: list[NoticeRecord] = []
        self.late: list[LateValue] = []

    @property
    def changed(self) -> bool:
        """Whether there is anything to be written."""
        return bool(
            self._changed
            or self._gone
            or self._told
            or self._untold
            or self._grouped
            or self.events
            or self.notices
            or self.late
        )

    # --- alerts

    def get(self, alert: str) -> AlertRecord | None:
        """Return one, or None."""
        found = self._alerts.get(alert)
        return self.load([alert]).get(alert) if found is None else found

    def load(self, ids: Iterable[str]) -> dict[str, AlertRecord]:
        """Return those that are there, by id."""
        wanted = list(dict.fromkeys(ids))
        missing = [one for one in wanted if one not in self._alerts and one not in self._gone]
        for some in chunks(missing):
            self._take(alerts.c.id.in_(some))
        return {one: self._alerts[one] for one in wanted if one in self._alerts}

    def of_watches(
        self, watches: Collection[str], *, from_ns: int, to_ns: int
    ) -> list[AlertRecord]:
        """Return the alerts of (rule, subject) digests that lie in a time, in its order.

        Args:
            watches: the digests.
            from_ns: those that go on, or ended at it or later, device time.
            to_ns: those that began at it or before.
        """
        columns = alerts.c
        for some in chunks(watches):
            self._take(
                columns.watch.in_(some)
                & (columns.at_ns <= to_ns)
                & or_(columns.until_ns.is_(None), columns.until_ns >= from_ns)
            )
        wanted = frozenset(watches)
        found = [
            one
            for one in self._alerts.values()
            if one.at_ns <= to_ns
            and (one.until_ns is None or one.until_ns >= from_ns)
            and watch_of(one) in wanted
        ]
        return sorted(found, key=lambda one: (one.at_ns, one.id))

    def standing(self) -> list[Standing]:
        """Return every alert that goes on."""
        columns = [alerts.c[name] for name in _STANDING]
        rows = self._connection.execute(select(*columns).where(alerts.c.state.in_(_OPEN)))
        mine = self._alerts
        found = [Standing(*row) for row in rows if row[0] not in mine and row[0] not in self._gone]
        found += [
            Standing(*[getattr(one, name) for name in _STANDING])
            for one in mine.values()
            if one.state in _OPEN
        ]
        return sorted(found, key=lambda one: (one.opened_ns, one.id))

    def open_alerts(self) -> list[AlertRecord]:
        """Return every alert that goes on, whole."""
        self._take(alerts.c.state.in_(_OPEN))
        return [one for one in self._alerts.values() if one.state in _OPEN]

    def unsure(self) -> list[AlertRecord]:
        """Return what is pending or incomplete."""
        self._take(alerts.c.state.in_(_UNSURE))
        return [one for one in self._alerts.values() if one.state in _UNSURE]

    def due_alerts(self, now_ns: int) -> list[AlertRecord]:
        """Return those that have to be looked at by now."""
        self._take(alerts.c.next_ns <= now_ns)
        found = [
            one
            for one in self._alerts.values()
            if one.next_ns is not None and one.next_ns <= now_ns
        ]
        return sorted(found, key=lambda one: (one.next_ns or 0, one.id))

    def put(self, record: AlertRecord) -> AlertRecord:
        """Have an alert kept as it is given; return it."""
        self._alerts[record.id] = record
        self._changed.add(record.id)
        self._gone.discard(record.id)
        return record

    def forget(self, alert: str) -> None:
        """Have an alert, its events and its tellings taken away, as if it had never been."""
        self._alerts.pop(alert, None)
        self._changed.discard(alert)
        self._gone.add(alert)
        self.events = [one for one in self.events if one.alert != alert]
        for key in [key for key in self._tellings if key[0] == alert]:
            del self._tellings[key]
            self._told.discard(key)

    def _take(self, which: ColumnElement[bool]) -> None:
        for row in self._connection.execute(select(alerts).where(which)).mappings():
            name = row["id"]
            if name not in self._alerts and name not in self._gone:
                self._alerts[name] = alert_record(row)

    # --- tellings

    def tellings(self, ids: Iterable[str]) -> dict[str, list[Telling]]:
        """Return the tellings of alerts, by alert; one without any is not there."""
        wanted = frozenset(ids)
        for some in chunks(wanted):
            self._take_tellings(alert_tellings.c.alert.in_(some))
        found: dict[str, list[Telling]] = {}
        for (alert, _), one in sorted(self._tellings.items()):
            if alert in wanted:
                found.setdefault(alert, []).append(one)
        return found

    def waiting(self, groups: Iterable[str]) -> list[Telling]:
        """Return what is to be told at the next notice of groups."""
        wanted = frozenset(groups)
        columns = alert_tellings.c
        for some in chunks(wanted):
            self._take_tellings(columns.group.in_(some) & (columns.wanted != ""))
        return self._tellings_if(lambda one: one.group in wanted and bool(one.wanted))

    def all_waiting(self) -> list[Telling]:
        """Return everything that is to be told."""
        self._take_tellings(alert_tellings.c.wanted != "")
        return self._tellings_if(lambda one: bool(one.wanted))

    def going_on(self, groups: Iterable[str]) -> list[Telling]:
        """Return the tellings of groups that are repeated as long as nothing changes."""
        wanted = frozenset(groups)
        columns = alert_tellings.c
        for some in chunks(wanted):
            self._take_tellings(columns.group.in_(some) & columns.next_ns.is_not(None))
        return self._tellings_if(lambda one: one.group in wanted and one.next_ns is not None)

    def due_tellings(self, now_ns: int) -> list[Telling]:
        """Return those that are repeated, or go to the next step, by now."""
        self._take_tellings(alert_tellings.c.next_ns <= now_ns)
        return self._tellings_if(lambda one: one.next_ns is not None and one.next_ns <= now_ns)

    def put_telling(self, telling: Telling) -> Telling:
        """Have a telling kept as it is given; return it."""
        key = telling.alert, telling.route
        self._tellings[key] = telling
        self._told.add(key)
        self._untold.discard(key)
        return telling

    def drop_telling(self, telling: Telling) -> None:
        """Have a telling taken away: its route is there no more."""
        key = telling.alert, telling.route
        self._tellings.pop(key, None)
        self._told.discard(key)
        self._untold.add(key)

    def _take_tellings(self, which: ColumnElement[bool]) -> None:
        for row in self._connection.execute(select(alert_tellings).where(which)).mappings():
            key = row["alert"], row["route"]
            if key not in self._tellings and key not in self._untold and key[0] not in self._gone:
                self._tellings[key] = Telling(**row)

    def _tellings_if(self, fits: Any) -> list[Telling]:
        return sorted(
            (one for one in self._tellings.values() if fits(one)),
            key=lambda one: (one.alert, one.route),
        )

    # --- groups

    def groups(self, ids: Iterable[str]) -> dict[str, AlertGroup]:
        """Return the groups that are there, by id."""
        wanted = list(dict.fromkeys(ids))
        for some in chunks([one for one in wanted if one not in self._groups]):
            self._take_groups(alert_groups.c.id.in_(some))
        return {one: self._groups[one] for one in wanted if one in self._groups}

    def due_groups(self, now_ns: int) -> list[AlertGroup]:
        """Return those whose next notice is due, in order."""
        self._take_groups(alert_groups.c.due_ns <= now_ns)
        found = [
            one for one in self._groups.values() if one.due_ns is not None and one.due_ns <= now_ns
        ]
        return sorted(found, key=lambda one: (one.due_ns or 0, one.id))

    def put_group(self, group: AlertGroup) -> AlertGroup:
        """Have a group kept as it is given; return it."""
        self._groups[group.id] = group
        self._grouped.add(group.id)
        return group

    def prune_groups(self, before_ns: int) -> None:
        """Take groups away that wait for nothing and told nothing for long."""
        columns = alert_groups.c
        self._connection.execute(
            delete(alert_groups).where(columns.due_ns.is_(None), columns.told_ns < before_ns)
        )

    def _take_groups(self, which: ColumnElement[bool]) -> None:
        for row in self._connection.execute(select(alert_groups).where(which)).mappings():
            self._groups.setdefault(row["id"], AlertGroup(**row))

    # --- silences

    def silences(self, now_ns: int) -> list[Silence]:
        """Return the silences that count now, the one that ends last first."""
        columns = alert_silences.c
        query = (
            select(alert_silences)
            .where(columns.start_ns <= now_ns, columns.end_ns > now_ns)
            .order_by(columns.end_ns.desc(), columns.id)
        )
        return [Silence(**row) for row in self._connection.execute(query).mappings()]

    def put_silence(self, silence: Silence) -> None:
        """Keep a silence at once."""
        upsert(self._connection, alert_silences, [msgspec.structs.asdict(silence)])

    # --- the end

    def keep(self) -> None:
        """Write everything that changed; `AlertRepository.work` does so before it commits."""
        connection = self._connection
        self._take_away()
        upsert(connection, alerts, [alert_row(self._alerts[one]) for one in self._changed])
        upsert(connection, alert_tellings, _rows(self._tellings[one] for one in self._told))
        upsert(connection, alert_groups, _rows(self._groups[one] for one in self._grouped))
        insert_rows(connection, alert_events, [event_row(one) for one in self.events])
        add_late(connection, self.late)
        order(connection, self.notices)

    def _take_away(self) -> None:
        connection = self._connection
        for some in chunks(sorted(self._gone)):
            connection.execute(delete(alert_events).where(alert_events.c.alert.in_(some)))
            connection.execute(delete(alert_tellings).where(alert_tellings.c.alert.in_(some)))
            connection.execute(delete(alerts).where(alerts.c.id.in_(some)))
        columns = alert_tellings.c
        for alert, route in sorted(self._untold):
            connection.execute(
                delete(alert_tellings).where(columns.alert == alert, columns.route == route)
            )


def _rows(records: Iterable[Telling | AlertGroup]) -> Sequence[Mapping[str, Any]]:
    return [msgspec.structs.asdict(one) for one in records]
