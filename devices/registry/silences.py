"""Silences and maintenance windows: which alerts nobody is told of, who said so, until when."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select, update

from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry.alert_records import Silence, SilenceKind
from devices.registry.alert_tables import alert_silences
from devices.registry.database import Database
from devices.registry.rows import insert_rows
from devices.registry.tables import NAME
from devices.registry.text import clipped, storable

MATCHED = (
    "rule", "severity", "alarm_class", "site", "building", "zone", "device", "person",
)  # fmt: skip
"""What a silence may look at."""
_PAGE = 1000
_LONGEST_REASON = 2000
_MOST_PATTERNS = 100


def read_match(text: str) -> dict[str, builtins.list[str]]:
    """Return the patterns of a silence by what they look at.

    Raises:
        ConfigurationError: it is no JSON object of lists of patterns, names something else, or
            is empty: such a silence would mute everything.
    """
    try:
        match = msgspec.json.decode(text, type=dict[str, builtins.list[str]])
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"match: an object of names and lists of patterns is expected ({error})"
        ) from None
    for name, patterns in match.items():
        if name not in MATCHED:
            raise ConfigurationError(f"match.{name}: unknown; there are {', '.join(MATCHED)}")
        if not 0 < len(patterns) <= _MOST_PATTERNS:
            raise ConfigurationError(f"match.{name}: 1 to {_MOST_PATTERNS} patterns are expected")
    if not match:
        raise ConfigurationError("match: say which alerts are meant; `rule: *` means all")
    return match


class SilenceRepository:
    """The silences of the registry. What they mute is the lifecycle's affair."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, silence: Silence) -> Silence:
        """Add one; return it as it is kept.

        Raises:
            ConfigurationError: nobody, no reason, no time, or nothing that it matches is given.
            ConflictError: there is one of that id.
        """
        kept = checked_silence(silence)
        with self._database.write() as connection:
            insert_rows(connection, alert_silences, [msgspec.structs.asdict(kept)])
        return kept

    def get(self, silence: str) -> Silence:
        """Return one.

        Raises:
            NotFoundError: there is none with that id.
        """
        query = select(alert_silences).where(alert_silences.c.id == storable(silence))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise unknown_silence(silence)
        return _record(row)

    def end(self, silence: str, *, by: str, now_ns: int) -> Silence:
        """End one before its time; return it.

        Raises:
            NotFoundError: there is none with that id.
            ConflictError: it is over already.
        """
        columns = alert_silences.c
        with self._database.change() as connection:
            query = select(alert_silences).where(columns.id == storable(silence))
            row = connection.execute(query).mappings().first()
            if row is None:
                raise unknown_silence(silence)
            if row["end_ns"] <= now_ns:
                raise ConflictError(f"silence {silence} is over already")
            changes = {
                "start_ns": min(row["start_ns"], now_ns),
                "end_ns": now_ns,
                "ended_by": clipped(by, NAME),
            }
            connection.execute(update(alert_silences).where(columns.id == silence).values(changes))
            return _record({**row, **changes})

    def list(
        self,
        *,
        active_ns: int | None = None,
        kind: SilenceKind | None = None,
        limit: int = _PAGE,
        after: tuple[int, str] | None = None,
    ) -> builtins.list[Silence]:
        """Return silences, those made last first.

        Args:
            active_ns: only those that are not over at this instant.
            kind: of this kind only.
            limit: at most.
            after: (created_ns, id) at which the page before ended.
        """
        columns = alert_silences.c
        query = select(alert_silences)
        if active_ns is not None:
            query = query.where(columns.end_ns > active_ns)
        if kind is not None:
            query = query.where(columns.kind == kind.value)
        if after is not None:
            created_ns, silence = after
            query = query.where(
                (columns.created_ns < created_ns)
                | ((columns.created_ns == created_ns) & (columns.id < storable(silence)))
            )
        query = query.order_by(columns.created_ns.desc(), columns.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def at(self, now_ns: int) -> builtins.list[Silence]:
        """Return those that count at an instant."""
        columns = alert_silences.c
        query = (
            select(alert_silences)
            .where(columns.end_ns > now_ns, columns.start_ns <= now_ns)
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]


def checked_silence(silence: Silence) -> Silence:
    """Return a silence as it may be kept.

    Raises:
        ConfigurationError: nobody, no reason, no time, or nothing that it matches is given.
    """
    if not silence.by.strip() or not silence.reason.strip():
        raise ConfigurationError("a silence needs who wants it and why: by and reason")
    if silence.end_ns <= silence.start_ns:
        raise ConfigurationError("a silence ends after it begins")
    if silence.kind not in list(SilenceKind):
        raise ConfigurationError(f"kind: silence or maintenance, not {silence.kind!r}")
    read_match(silence.match)
    return msgspec.structs.replace(
        silence,
        by=clipped(silence.by.strip(), NAME),
        reason=clipped(silence.reason.strip(), _LONGEST_REASON),
        match=storable(silence.match),
    )


def unknown_silence(silence: str) -> NotFoundError:
    """Return what is said of a silence that does not exist."""
    return NotFoundError(f"there is no silence {silence[:80]!r}; see /v1/silences")


def _record(row: Mapping[Any, Any]) -> Silence:
    return Silence(**dict(row))
