"""Exports that outlive a request: jobs, whose files expire, and snapshots, whose files are kept.

The API process that took the order holds the file: `owner` is the name of its directory. Every
change says from which state it goes, so that a cancellation and a completion at once have one
outcome.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select, update

from core.errors import NotFoundError
from devices.registry.database import Database
from devices.registry.rows import insert_rows
from devices.registry.tables import exports
from devices.registry.text import clipped, storable

_LONGEST_ERROR = 2000


class ExportKind(StrEnum):
    """What an export is for."""

    JOB = "job"
    SNAPSHOT = "snapshot"


class ExportState(StrEnum):
    """How far an export is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ExportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One export.

    Attributes:
        id: random name, of a-z and 0-9.
        kind: `job` or `snapshot`.
        state: one of `ExportState`.
        format: of the file.
        query: `ExportQuery` as JSON.
        sites: of the devices, joined by commas: who may read them may read the file.
        owner: name of the directory that holds the file.
        requested_by: name of the API key.
        created_ns: when it was ordered.
        title: of a snapshot, else "".
        started_ns: when it was last begun.
        finished_ns: when it was done, failed or cancelled.
        expires_ns: when the file is removed; None: never.
        attempts: how often it was begun.
        progress: part of the range that has been read, 0 to 1.
        rows: in the file so far.
        size: bytes of the file so far.
        sha256: of the file, hexadecimal, once it is done.
        content_sha256: the content hash, once it is done.
        details: further facts of the file as JSON, once it is done.
        error: why it failed, or why it is tried again.
    """

    id: str
    kind: str
    state: str
    format: str
    query: str
    sites: str
    owner: str
    requested_by: str
    created_ns: int
    title: str = ""
    started_ns: int | None = None
    finished_ns: int | None = None
    expires_ns: int | None = None
    attempts: int = 0
    progress: float = 0.0
    rows: int = 0
    size: int = 0
    sha256: str = ""
    content_sha256: str = ""
    details: str = "{}"
    error: str = ""


class ExportRepository:
    """The jobs and snapshots of the registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: ExportRecord) -> ExportRecord:
        """Add an order; return it as it is kept.

        Raises:
            ConfigurationError: a text is too long for its column.
        """
        kept = msgspec.structs.replace(record, requested_by=clipped(record.requested_by, 200))
        with self._database.write() as connection:
            insert_rows(connection, exports, [msgspec.structs.asdict(kept)])
        return kept

    def get(self, export: str, *, kind: ExportKind) -> ExportRecord:
        """Return one.

        Raises:
            NotFoundError: there is none of that kind and id.
        """
        query = select(exports).where(
            exports.c.id == storable(export), exports.c.kind == kind.value
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise unknown_export(export, kind=kind)
        return _record(row)

    def list(
        self, kind: ExportKind, *, limit: int, after: tuple[int, str] | None = None
    ) -> builtins.list[ExportRecord]:
        """Return those of a kind, the newest first.

        Args:
            kind: which.
            limit: at most.
            after: (created_ns, id) at which the page before ended.
        """
        columns = exports.c
        query = select(exports).where(columns.kind == kind.value)
        if after is not None:
            query = query.where(_before(*after))
        query = query.order_by(columns.created_ns.desc(), columns.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def claim(self, owner: str, *, now_ns: int) -> ExportRecord | None:
        """Begin the oldest order that waits; return it, or None when none does."""
        columns = exports.c
        waiting = (
            select(exports)
            .where(columns.owner == owner, columns.state == ExportState.QUEUED.value)
            .order_by(columns.created_ns, columns.id)
            .limit(1)
        )
        with self._database.write() as connection:
            row = connection.execute(waiting).mappings().first()
            if row is None:
                return None
            changes = {
                "state": ExportState.RUNNING.value,
                "started_ns": now_ns,
                "attempts": row["attempts"] + 1,
                "progress": 0.0,
                "rows": 0,
                "size": 0,
            }
            won = connection.execute(
                update(exports)
                .where(columns.id == row["id"], columns.state == ExportState.QUEUED.value)
                .values(changes)
            )
            return _record({**row, **changes}) if won.rowcount == 1 else None

    def change(self, record: ExportRecord, *, was: ExportState) -> bool:
        """Keep `record` when its state is still `was`; return whether it was."""
        values = msgspec.structs.asdict(record)
        values["error"] = clipped(record.error, _LONGEST_ERROR)
        values["details"] = storable(record.details)
        with self._database.write() as connection:
            changed = connection.execute(
                update(exports)
                .where(exports.c.id == record.id, exports.c.state == was.value)
                .values(values)
            )
            return changed.rowcount == 1

    def requeue(self, owner: str) -> int:
        """Let what was under way when its process ended be done again; return how many."""
        columns = exports.c
        with self._database.write() as connection:
            return connection.execute(
                update(exports)
                .where(columns.owner == owner, columns.state == ExportState.RUNNING.value)
                .values(state=ExportState.QUEUED.value)
            ).rowcount

    def expired(self, owner: str, *, now_ns: int) -> builtins.list[ExportRecord]:
        """Return those whose file is to be removed."""
        columns = exports.c
        query = select(exports).where(
            columns.owner == owner,
            columns.state == ExportState.DONE.value,
            columns.expires_ns <= now_ns,
        )
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def size(self, owner: str, kind: ExportKind) -> int:
        """Return how many bytes the files of a kind have that are done."""
        columns = exports.c
        query = select(func.coalesce(func.sum(columns.size), 0)).where(
            columns.owner == owner,
            columns.kind == kind.value,
            columns.state == ExportState.DONE.value,
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())


def unknown_export(export: str, *, kind: ExportKind) -> NotFoundError:
    """Return what is said of a job or a snapshot that does not exist."""
    return NotFoundError(f"there is no {kind.value} {export[:80]!r}")


def _before(created_ns: int, export: str) -> ColumnElement[bool]:
    columns = exports.c
    return or_(
        columns.created_ns < created_ns,
        and_(columns.created_ns == created_ns, columns.id < storable(export)),
    )


def _record(row: Mapping[Any, Any]) -> ExportRecord:
    return ExportRecord(**dict(row))
