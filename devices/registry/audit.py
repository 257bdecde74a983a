"""The audit: what was read of vital signs, refused, or changed of who may what. Append only.

Each row carries the SHA-256 of itself and of the row before: a row that was changed or taken out in
the middle is found by `verify`. The database refuses updates and deletions too; both are against
mistakes and the curious, not against whoever owns the database.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, literal, or_, select

from core.clock import Clock
from devices.registry.access_records import Actor, AuditEntry, AuditFilter
from devices.registry.database import Database
from devices.registry.rows import insert_rows
from devices.registry.tables import NAME, SLUG, SUBJECT, audit
from devices.registry.text import clipped, storable

_LOCK = 0x50415353  # of PostgreSQL: writers of the chain come one after the other
_ROWS = 1000


class AuditRepository:
    """The rows of the audit."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def append(self, entries: Sequence[AuditEntry]) -> builtins.list[AuditEntry]:
        """Write entries down, all or none; return them with their numbers.

        The instant of one that has none (0) is now.
        """
        now_ns = self._clock.now_ns()
        with self._database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            last = connection.execute(
                select(audit.c.id, audit.c.chain).order_by(audit.c.id.desc()).limit(1)
            ).first()
            number, chain = (0, "") if last is None else last
            written = []
            for one in entries:
                number += 1
                entry = msgspec.structs.replace(
                    one, id=number, time_ns=one.time_ns or now_ns, chain=""
                )
                row = _row(entry)
                chain = _chained(row, chain)
                written.append(msgspec.structs.replace(_entry(row), chain=chain))
                insert_rows(connection, audit, [row | {"chain": chain}])
            return written

    def list(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = _ROWS
    ) -> builtins.list[AuditEntry]:
        """Return rows, the newest first.

        Args:
            wanted: which.
            before: only rows with a smaller number.
            limit: most rows.
        """
        columns = audit.c
        query = select(audit).order_by(columns.id.desc()).limit(limit)
        if before is not None:
            query = query.where(columns.id < before)
        if wanted.event is not None:
            query = query.where(columns.event == storable(wanted.event))
        if wanted.actor is not None:
            actor = storable(wanted.actor)
            query = query.where(or_(columns.actor == actor, columns.actor_name == actor))
        if wanted.site is not None:
            sites = literal(" ").concat(columns.sites).concat(" ")
            query = query.where(sites.contains(f" {storable(wanted.site)} ", autoescape=True))
        if wanted.since_ns is not None:
            query = query.where(columns.time_ns >= wanted.since_ns)
        if wanted.until_ns is not None:
            query = query.where(columns.time_ns < wanted.until_ns)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def verify(self) -> int | None:
        """Return the number of the first row that is not as it was written, or None.

        Rows taken away from the end cannot be told from rows that never were: keep the newest
        `chain` elsewhere to know.
        """
        chain, expected = "", 1
        with self._database.read() as connection:
            for row in _all(connection):
                mine = _chained({name: row[name] for name in row if name != "chain"}, chain)
                if row["id"] != expected or row["chain"] != mine:
                    return expected
                chain, expected = mine, expected + 1
        return None


def _all(connection: Connection) -> Iterator[Any]:
    after = 0
    while True:
        query = select(audit).where(audit.c.id > after).order_by(audit.c.id).limit(_ROWS)
        rows = connection.execute(query).mappings().all()
        yield from rows
        if not rows:
            return
        after = rows[-1]["id"]


def _chained(row: Mapping[str, Any], before: str) -> str:
    """Return the SHA-256 of the row's columns by name, as JSON, behind the one before."""
    text = msgspec.json.encode(sorted((str(name), value) for name, value in row.items()))
    return hashlib.sha256(before.encode() + b"\n" + text).hexdigest()


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "time_ns": entry.time_ns,
        "event": entry.event,
        "outcome": entry.outcome,
        "actor_kind": entry.actor.kind,
        "actor": clipped(entry.actor.id, SUBJECT),
        "actor_name": clipped(entry.actor.name, NAME),
        "address": clipped(entry.actor.address, NAME),
        "method": clipped(entry.method, 16),
        "route": clipped(entry.route, NAME),
        "status": entry.status,
        "permission": clipped(entry.permission, SLUG),
        "sites": " ".join(map(storable, entry.sites)),
        "devices": entry.devices,
        "quantities": " ".join(map(storable, entry.quantities)),
        "start_ns": entry.start_ns,
        "end_ns": entry.end_ns,
        "rows": entry.rows,
        "times": entry.times,
        "detail": storable(entry.detail),
    }


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        time_ns=row["time_ns"],
        event=row["event"],
        outcome=row["outcome"],
        actor=Actor(row["actor_kind"], row["actor"], row["actor_name"], row["address"]),
        method=row["method"],
        route=row["route"],
        status=row["status"],
        permission=row["permission"],
        sites=tuple(row["sites"].split()),
        devices=row["devices"],
        quantities=tuple(row["quantities"].split()),
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        rows=row["rows"],
        times=row["times"],
        detail=row["detail"],
        chain=row.get("chain", ""),
    )
