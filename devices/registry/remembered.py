"""Rows that requests ask for again and again, kept for as long as the registry's revision stays.

The revision itself is asked for at most every `FRESH_S`, and at once after this process wrote: what
it changed it sees; what another process changed it sees a moment later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import select

from core.clock import Clock
from devices.registry.database import Database
from devices.registry.tables import revision

FRESH_S = 0.1
_MOST = 100_000
_REVISION = select(revision.c.value)
Row = TypeVar("Row")


class Remembered:
    """What was read at one revision.

    Args:
        database: the registry.
        clock: measures how old the revision is.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[int, float, int] = (-1, 0.0, -1)  # writes, when, revision
        self._rows: dict[tuple[str, str], Any] = {}
        self._of = -1

    def revision(self) -> int:
        """Return the registry's revision, as it was `FRESH_S` ago or later.

        Raises:
            RegistryUnavailableError: the registry does not answer.
        """
        now_s = self._clock.monotonic_s()
        writes, at_s, known = self._known
        if writes == self._database.writes and 0 <= now_s - at_s < FRESH_S:
            return known
        writes = self._database.writes
        with self._database.read() as connection:
            found = int(connection.execute(_REVISION).scalar() or 0)
        self._known = (writes, now_s, found)
        return found

    def row(self, kind: str, name: str, read: Callable[[str], Row]) -> Row:
        """Return a row, read anew when the registry changed.

        Args:
            kind: of row.
            name: of the row.
            read: reads it; what it raises is not remembered.
        """
        at = self.revision()
        with self._lock:
            if self._of != at or len(self._rows) >= _MOST:
                self._rows.clear()
                self._of = at
            if (kind, name) in self._rows:
                found: Row = self._rows[kind, name]
                return found
        found = read(name)
        with self._lock:
            if self._of == at:  # else it may be older than what others see by now
                self._rows[kind, name] = found
        return found
