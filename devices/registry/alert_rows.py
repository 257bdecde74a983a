"""Rows of alerts and their records.

An alert's id is the digest of its rule, its subject and the instant at which it was first found to
begin; `watch` is the digest of the first two. So whoever finds the same alert again, after a crash
or in another process, means the same row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, Connection, Table, select

from devices.registry.alert_records import AlertEvent, AlertRecord
from devices.registry.tables import NAME
from devices.registry.text import clipped, storable

CHUNK = 500
"""How many names stand in one statement: SQLite bounds its variables."""
_DIGEST = 16
_TEXTS = ("facts", "evidence", "title", "runbook", "acknowledged_note", "changes")
Of = TypeVar("Of")


def digest(*parts: str | int) -> str:
    """Return a name for parts: the same for the same ones, and for no others."""
    text = msgspec.json.encode([str(part) for part in parts])
    return hashlib.blake2b(text, digest_size=_DIGEST).hexdigest()


def watch_of(record: AlertRecord) -> str:
    """Return the digest of what an alert's rule says something about."""
    return watch_digest(
        record.rule,
        record.site,
        record.building,
        record.zone,
        record.device,
        record.quantity,
        record.person,
    )


def watch_digest(rule: str, *subject: str) -> str:
    """Return the digest of a rule and a subject: site, building, zone, device, quantity, person."""
    return digest(rule, *subject)


def alert_row(record: AlertRecord) -> dict[str, Any]:
    """Return the row of a record; what devices and people said is made storable."""
    row = msgspec.structs.asdict(record)
    for name in _TEXTS:
        row[name] = storable(row[name])
    for name in ("building", "zone", "device", "quantity", "acknowledged_by"):
        row[name] = clipped(row[name], NAME)
    row["watch"] = watch_of(record)
    return row


def alert_record(row: Mapping[Any, Any]) -> AlertRecord:
    """Return the record of a row."""
    return AlertRecord(**{name: row[name] for name in AlertRecord.__struct_fields__})


def event_row(event: AlertEvent) -> dict[str, Any]:
    """Return the row of an event that is added: the database gives the number."""
    return {
        "alert": event.alert,
        "time_ns": event.time_ns,
        "kind": event.kind,
        "actor": clipped(event.actor, NAME),
        "detail": storable(event.detail),
    }


def chunks(names: Iterable[Of]) -> Iterator[Sequence[Of]]:
    """Yield names in pieces that fit one statement."""
    every = list(names)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]


def rows_in(
    connection: Connection, table: Table, column: Column[str], names: Iterable[str]
) -> Iterator[Mapping[Any, Any]]:
    """Yield the rows whose column is one of many names."""
    for some in chunks(names):
        yield from connection.execute(select(table).where(column.in_(some))).mappings()
