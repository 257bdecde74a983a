"""Who wears or uses which device, when: a device is with one person at a time.

Persons are pseudonyms: which person one stands for is not known here. An assignment is never
deleted, only ended: the readings of its time stay that person's. Times are the platform's choice
of whoever assigns, in device time, as rules are judged.
"""

from __future__ import annotations

import builtins
from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, case, func, insert, or_, select, union_all, update

from core.clock import iso
from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.alert_records import Assignment
from devices.registry.database import Database, bump
from devices.registry.device_rows import unknown_device
from devices.registry.records import Device
from devices.registry.rule_tables import assignments
from devices.registry.tables import devices
from devices.registry.text import check_text, storable


class AssignmentRepository:
    """The assignments of the registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def assign(
        self, device: str, person: str, *, start_ns: int, end_ns: int | None = None, by: str
    ) -> Assignment:
        """Give a device to a person for a time; a person may have several.

        Args:
            device: slug of a registered device.
            person: pseudonym, a slug.
            start_ns: since when, nanoseconds since the epoch.
            end_ns: until when, exclusive; None: until it is ended.
            by: who assigns it.

        Raises:
            NotFoundError: there is no such device.
            ConfigurationError: the person is not a slug, or the time is empty.
            ConflictError: the device is with somebody at that time; the sentence says when.
        """
        checked_slug(person, what="person")
        if end_ns is not None and end_ns <= start_ns:
            raise ConfigurationError("an assignment must end after it begins")
        who = check_text(by, what="who assigns it")
        with self._database.change() as connection:
            site = connection.execute(
                select(devices.c.site).where(devices.c.id == storable(device))
            ).scalar()
            if site is None:
                raise unknown_device(device)
            made = Assignment(
                device=device, person=person, site=site, start_ns=start_ns, end_ns=end_ns, by=who
            )
            _require_free(connection, made)
            made = msgspec.structs.replace(made, id=_insert(connection, made))
            bump(connection)
        return made

    def end(self, assignment: int, *, end_ns: int, by: str) -> Assignment:
        """Say when an assignment ends, or that it ended earlier than was said.

        Args:
            assignment: its number.
            end_ns: until when it counts, exclusive; its start: it never counted.
            by: who ends it.

        Raises:
            NotFoundError: there is none of that number.
            ConfigurationError: it would end before it began.
            ConflictError: it ends earlier already: what comes after that is another assignment.
        """
        who = check_text(by, what="who ends it")
        with self._database.change() as connection:
            before = _get(connection, assignment)
            if end_ns < before.start_ns:
                raise ConfigurationError(
                    f"assignment {before.id} began at {iso(before.start_ns)}; it cannot end before"
                )
            if before.end_ns is not None and end_ns > before.end_ns:
                raise ConflictError(
                    f"assignment {before.id} ends at {iso(before.end_ns)} already; assign the "
                    "device anew for what comes after"
                )
            made = msgspec.structs.replace(before, end_ns=end_ns, ended_by=who)
            connection.execute(
                update(assignments)
                .where(assignments.c.id == made.id)
                .values(end_ns=end_ns, ended_by=who)
            )
            bump(connection)
        return made

    def get(self, assignment: int) -> Assignment:
        """Return one.

        Raises:
            NotFoundError: there is none of that number.
        """
        with self._database.read() as connection:
            return _get(connection, assignment)

    def list(
        self,
        *,
        device: str | None = None,
        person: str | None = None,
        at_ns: int | None = None,
        sites: Collection[str] | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> builtins.list[Assignment]:
        """Return assignments, the newest number first.

        Args:
            device: only those of this device, which need not be registered any more.
            person: only those of this person.
            at_ns: only those that count at this instant, nanoseconds since the epoch.
            sites: only those of devices at these sites; None: of all.
            after: the number at which the page before ended.
            limit: most to return; None: all.
        """
        columns = assignments.c
        query = select(assignments).order_by(columns.id.desc()).limit(limit)
        if device is not None:
            query = query.where(columns.device == storable(device))
        if person is not None:
            query = query.where(columns.person == storable(person))
        if at_ns is not None:
            query = query.where(columns.start_ns <= at_ns, _lasts_beyond(at_ns))
        if sites is not None:
            query = query.where(columns.site.in_(sorted(sites)))
        if after is not None:
            query = query.where(columns.id < after)
        with self._database.read() as connection:
            return [_assignment(row) for row in connection.execute(query).mappings()]

    def next_change(self, after_ns: int) -> int | None:
        """Return when the next assignment begins or ends after an instant, as far as is known.

        Until then, and as long as the registry's revision stays, who has what stays too.
        """
        columns = assignments.c
        instants = union_all(
            select(columns.start_ns.label("at_ns")), select(columns.end_ns)
        ).subquery()
        query = select(func.min(instants.c.at_ns)).where(instants.c.at_ns > after_ns)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else int(found)


def device_moved(connection: Connection, device: Device, *, now_ns: int) -> None:
    """Have what is not over yet belong to the site where the device is now."""
    connection.execute(
        update(assignments)
        .where(assignments.c.device == device.id, _lasts_beyond(now_ns))
        .values(site=device.site)
    )


def device_removed(connection: Connection, device: Device, *, now_ns: int) -> None:
    """End what is not over yet: whatever is registered under that name later is another device."""
    columns = assignments.c
    connection.execute(
        update(assignments)
        .where(columns.device == device.id, _lasts_beyond(now_ns))
        .values(end_ns=case((columns.start_ns > now_ns, columns.start_ns), else_=now_ns))
    )


def unknown_assignment(assignment: object) -> NotFoundError:
    """Return what is said of an assignment that does not exist."""
    return NotFoundError(f"there is no assignment {str(assignment)[:40]!r}; see /v1/assignments")


def _lasts_beyond(at_ns: int) -> ColumnElement[bool]:
    return or_(assignments.c.end_ns.is_(None), assignments.c.end_ns > at_ns)


def _require_free(connection: Connection, wanted: Assignment) -> None:
    """Refuse a time at which the device is with somebody already."""
    columns = assignments.c
    query = (
        select(assignments)
        .where(
            columns.device == wanted.device,
            _lasts_beyond(wanted.start_ns),
            or_(columns.end_ns.is_(None), columns.end_ns > columns.start_ns),
        )
        .order_by(columns.start_ns)
        .limit(1)
    )
    if wanted.end_ns is not None:
        query = query.where(columns.start_ns < wanted.end_ns)
    row = connection.execute(query).mappings().first()
    if row is None:
        return
    other = _assignment(row)
    until = "on" if other.end_ns is None else f"until {iso(other.end_ns)}"
    raise ConflictError(
        f"device {wanted.device!r} is with a person from {iso(other.start_ns)} {until} "
        f"(assignment {other.id}); end that first, or choose another time"
    )


def _insert(connection: Connection, made: Assignment) -> int:
    row = msgspec.structs.asdict(made)
    row["assigned_by"] = row.pop("by")
    del row["id"]
    number: Any = connection.execute(insert(assignments).values(row)).inserted_primary_key
    return int(number[0])


def _get(connection: Connection, assignment: int) -> Assignment:
    query = select(assignments).where(assignments.c.id == assignment)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise unknown_assignment(assignment)
    return _assignment(row)


def _assignment(row: Any) -> Assignment:
    values = dict(row)
    values["by"] = values.pop("assigned_by")
    return Assignment(**values)
