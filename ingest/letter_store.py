"""The dead letters in a spool's file: how much they hold, which are open, how they end.

Beside the tables of `ingest.spool_schema`, in the same file and the same transactions. Invariants,
each with a test in `tests/unit/ingest/test_letter_store.py`; they are kept by triggers, so that
whoever writes a dead letter cannot forget them:

1. `letter_total` is the number of open dead letters and the size of their payloads.
2. One that is no longer open has no payload: its points are in the spool or in the store, or a
   decision was made to let them go. Row, reason and account stay.
3. `letter_end` says of each that is no longer open how large its payload was, and by which request
   it ended, by whom and why.
4. `letter_tally` says how many ended by each request, counted in the transactions in which they
   ended: exact after any crash.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from core.reasons import Reason
from devices.registry.records import DeadLetterState, LetterFilter
from devices.registry.text import account_name

_SCHEMA = """
CREATE TABLE IF NOT EXISTS letter_total (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    letters INTEGER NOT NULL CHECK (letters >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
);
CREATE TABLE IF NOT EXISTS letter_ending (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    request INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS letter_end (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    request INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS letter_tally (
    request INTEGER NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    letters INTEGER NOT NULL,
    PRIMARY KEY (request, reason, state)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dead_letter_open ON dead_letter (id) WHERE state = 'open';
CREATE INDEX IF NOT EXISTS dead_letter_age ON dead_letter (received_ns) WHERE state = 'open';
CREATE TRIGGER IF NOT EXISTS letter_begins AFTER INSERT ON dead_letter WHEN NEW.state = 'open' BEGIN
    UPDATE letter_total SET letters = letters + 1, bytes = bytes + length(NEW.payload);
END;
CREATE TRIGGER IF NOT EXISTS letter_ends AFTER UPDATE OF state ON dead_letter
WHEN OLD.state = 'open' AND NEW.state <> 'open' BEGIN
    UPDATE letter_total SET letters = letters - 1, bytes = bytes - length(OLD.payload);
    INSERT INTO letter_end (id, size, request, by, why)
        SELECT NEW.id, length(OLD.payload), request, by, why FROM letter_ending;
    INSERT INTO letter_tally (request, reason, state, letters)
        SELECT request, NEW.reason, NEW.state, 1 FROM letter_ending WHERE true
        ON CONFLICT DO UPDATE SET letters = letters + 1;
    UPDATE dead_letter SET payload = x'' WHERE id = NEW.id;
END;
INSERT INTO letter_ending (id, request, by, why) VALUES (1, 0, '', '') ON CONFLICT DO NOTHING;
INSERT INTO letter_total (id, letters, bytes)
    SELECT 1, count(*), coalesce(sum(length(payload)), 0) FROM dead_letter WHERE state = 'open'
    ON CONFLICT DO NOTHING;
"""
_SET_ENDING = "UPDATE letter_ending SET request = ?, by = ?, why = ?"
_DISCARD = (
    "UPDATE dead_letter SET state = 'discarded', version = ?, updated_ns = ? "
    "WHERE id = ? AND state = 'open'"
)
_MOST_ANCIENT = -(2**63)


class LetterTotals(msgspec.Struct, frozen=True):
    """What the open dead letters hold.

    Attributes:
        letters: how many are open.
        bytes: size of their payloads.
    """

    letters: int
    bytes: int


class Found(msgspec.Struct, frozen=True):
    """What one look through the dead letters found.

    Attributes:
        ids: the ones that match, in the order of their numbers.
        last: greatest number looked at: the next look begins after it.
    """

    ids: list[int]
    last: int


class LetterEnd(msgspec.Struct, frozen=True):
    """How a dead letter ended.

    Attributes:
        size: of its payload, bytes.
        request: number of the request by which it ended, or 0.
        by: who asked, or "".
        why: why it was discarded, or "".
    """

    size: int
    request: int
    by: str
    why: str


class LetterStore:
    """The dead letters of one spool.

    Threads: any; the spool's lock makes them take turns.

    Args:
        db: the spool's connection.
        lock: held while `db` is read.
        transaction: the spool's own: holds the lock, gives the version of what it changes.
    """

    def __init__(
        self,
        *,
        db: sqlite3.Connection,
        lock: threading.Lock,
        transaction: Callable[[], AbstractContextManager[int]],
    ) -> None:
        self._db = db
        self._lock = lock
        self._transaction = transaction
        with lock:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            db.create_function("account_name", 1, account_name, deterministic=True)

    def totals(self) -> LetterTotals:
        """Return what the open ones hold; cheap, however many there are."""
        with self._lock:
            row = self._db.execute("SELECT letters, bytes FROM letter_total").fetchone()
        return LetterTotals(*row)

    def highest(self) -> int:
        """Return the greatest number there is, 0 when there is none."""
        with self._lock:
            row = self._db.execute("SELECT coalesce(max(id), 0) FROM dead_letter").fetchone()
        return int(row[0])

    def find(self, wanted: LetterFilter, *, after: int, upto: int, limit: int) -> Found:
        """Look through the next open ones, at most `limit`, and return those that match.

        Args:
            wanted: which; its worker is not looked at.
            after: numbers greater than this.
            upto: numbers not greater than this.
            limit: how many open ones to look at, so that the spool is never held up for long.
        """
        matches, values = _matches(wanted)
        with self._lock:
            rows = self._db.execute(
                f"SELECT id, {matches} FROM dead_letter INDEXED BY dead_letter_open "  # noqa: S608
                "WHERE state = 'open' AND id > ? AND id <= ? ORDER BY id LIMIT ?",
                (*values, after, upto, limit),
            ).fetchall()
        last = rows[-1][0] if len(rows) == limit else upto
        return Found([number for number, matched in rows if matched], last)

    def oldest(self, *, limit: int) -> list[int]:
        """Return the open ones that were set aside first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id FROM dead_letter INDEXED BY dead_letter_open "
                "WHERE state = 'open' ORDER BY id LIMIT ?",
                (limit,),
            ).fetchall()
        return [number for (number,) in rows]

    def received_before(self, time_ns: int, *, limit: int) -> list[int]:
        """Return open ones received before an instant, the oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id FROM dead_letter INDEXED BY dead_letter_age "
                "WHERE state = 'open' AND received_ns >= ? AND received_ns < ? "
                "ORDER BY received_ns LIMIT ?",
                (_MOST_ANCIENT, time_ns, limit),
            ).fetchall()
        return [number for (number,) in rows]

    def still_open(self, ids: Sequence[int]) -> set[int]:
        """Return which of these are open."""
        marks = ", ".join("?" * len(ids))
        with self._lock:
            rows = self._db.execute(
                f"SELECT id FROM dead_letter WHERE id IN ({marks}) AND state = 'open'",  # noqa: S608
                ids,
            ).fetchall()
        return {number for (number,) in rows}

    def sizes(self, ids: Sequence[int]) -> list[int]:
        """Return the size of the payload of each, in the order of `ids`; 0 for one that is gone."""
        marks = ", ".join("?" * len(ids))
        with self._lock:
            rows = self._db.execute(
                f"SELECT id, length(payload) FROM dead_letter WHERE id IN ({marks})",  # noqa: S608
                ids,
            ).fetchall()
        sizes = dict(rows)
        return [sizes.get(number, 0) for number in ids]

    def ends(self, ids: Sequence[int]) -> dict[int, LetterEnd]:
        """Return how dead letters ended; those that are open are left out."""
        marks = ", ".join("?" * len(ids))
        with self._lock:
            rows = self._db.execute(
                f"SELECT id, size, request, by, why FROM letter_end WHERE id IN ({marks})",  # noqa: S608
                ids,
            ).fetchall()
        return {row[0]: LetterEnd(*row[1:]) for row in rows}

    def ending_by(self, request: int, by: str) -> None:
        """Say by which request dead letters end from now on, when the spool settles them."""
        with self._transaction():
            self._db.execute(_SET_ENDING, (request, by, ""))

    def tally(self, request: int) -> dict[tuple[str, str], int]:
        """Return how many ended by a request, by (reason, state)."""
        with self._lock:
            rows = self._db.execute(
                "SELECT reason, state, letters FROM letter_tally WHERE request = ?", (request,)
            ).fetchall()
        return {(reason, state): count for reason, state, count in rows}

    def discard(
        self, ids: Sequence[int], *, by: str, why: str, now_ns: int, request: int = 0
    ) -> int:
        """Let the payloads of open dead letters go, in one transaction; return how many.

        Row and account stay: the messages remain counted as dead-lettered.

        Raises:
            sqlite3.Error: nothing changed.
        """
        with self._transaction() as version:
            before = self._db.execute("SELECT request, by, why FROM letter_ending").fetchone()
            self._db.execute(_SET_ENDING, (request, by, why))
            changed = 0
            for number in ids:
                changed += self._db.execute(_DISCARD, (version, now_ns, number)).rowcount
            self._db.execute(_SET_ENDING, before)
        return changed

    def note_failure(self, number: int, detail: str, *, now_ns: int) -> None:
        """Note that trying an open dead letter again failed in Passerelle's own code."""
        with self._transaction() as version:
            self._db.execute(
                "UPDATE dead_letter SET reason = ?, detail = ?, version = ?, updated_ns = ?, "
                "attempts = attempts + 1 WHERE id = ? AND state = ?",
                (
                    Reason.INTERNAL_ERROR, detail, version, now_ns, number,
                    DeadLetterState.OPEN.value,
                ),
            )  # fmt: skip


def _matches(wanted: LetterFilter) -> tuple[str, list[Any]]:
    """Return an SQL expression that is 1 for a row that matches, and its values.

    The registry shows a name that cannot stand as it is with a mark (`account_name`): such a name
    is looked for by its mark.
    """
    parts = ["1"]
    values: list[Any] = []
    for column in ("reason", "scope", "profile"):
        value = getattr(wanted, column)
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    for column in ("site", "device"):
        value = getattr(wanted, column)
        if value is not None:
            named = f"{column} = ?"
            values.append(value)
            if "~" in value:
                named = f"({named} OR account_name({column}) = ?)"
                values.append(value)
            parts.append(named)
    if wanted.since_ns is not None:
        parts.append("received_ns >= ?")
        values.append(wanted.since_ns)
    if wanted.until_ns is not None:
        parts.append("received_ns < ?")
        values.append(wanted.until_ns)
    return f"({' AND '.join(parts)})", values
