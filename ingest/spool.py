"""The durable queue between the broker and the store. Its format: `ingest.spool_schema`.

Threads: the accept stage commits, the drain reads and confirms, the reporter reads changes and
replays. Each call is one transaction, and one lock makes them take turns on the one connection.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ingest import identities as packed_identities
from ingest import missed
from ingest.duplicates import Remembered
from ingest.identities import Identities
from ingest.kept import Kept, Waiting, keep, told, waiting
from ingest.ledger import COLUMNS, Account, LedgerDelta, Line
from ingest.letter_store import LetterStore
from ingest.spool_schema import open_spool
from ingest.spooled import Lag, Packed, SpooledBatch

STORE_SINK = "store"
"""The sink whose confirmation turns `pending` into `stored`."""
_IDENTITY = "identity"
_ARCHIVED = "archive"


class NewDeadLetter(msgspec.Struct, frozen=True):
    """What is set aside. Fields as in `devices.registry.records.DeadLetter`.

    Attributes:
        counted: True when the ledger counts the message as dead-lettered because of it.
    """

    scope: str
    reason: str
    detail: str
    account: Account
    profile: str
    topic: bytes
    payload: bytes
    properties: dict[str, str]
    received_ns: int
    counted: bool


class KeptDeadLetter(msgspec.Struct, frozen=True):
    """A dead letter as the spool keeps it."""

    id: int
    letter: NewDeadLetter
    state: str
    attempts: int
    updated_ns: int
    version: int


class LedgerLine(msgspec.Struct, frozen=True):
    """One row of the ledger."""

    account: Account
    counts: Line
    version: int


class Settlement(msgspec.Struct, frozen=True):
    """What becomes of one dead letter that was tried again.

    Attributes:
        id: of the dead letter.
        state: its new state.
        reason: its reason from now on.
        detail: its detail from now on.
    """

    id: int
    state: str
    reason: str
    detail: str


_PROPERTIES = msgspec.json.Decoder(dict[str, str])
_ACCOUNT = "site, device, hour, boot"
_UPSERT = (
    f"INSERT INTO ledger ({_ACCOUNT}, {', '.join(COLUMNS)}, version) "  # noqa: S608 - own names
    f"VALUES (?, ?, ?, ?{', ?' * len(COLUMNS)}, ?) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{column} = {column} + excluded.{column}" for column in COLUMNS)
    + ", version = excluded.version"
)
_CHANGE = (
    "UPDATE ledger SET "  # noqa: S608 - own names
    + ", ".join(f"{column} = {column} + ?" for column in COLUMNS)
    + ", version = ? WHERE site = ? AND device = ? AND hour = ? AND boot = ?"
)
_KEEP_PROGRESS = (
    "INSERT INTO progress (site, device, body) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET body = excluded.body"
)
_MOVE_CURSOR = (
    "INSERT INTO cursor (name, value) VALUES (?, ?) "
    "ON CONFLICT DO UPDATE SET value = excluded.value"
)
_LETTER_COLUMNS = (
    "id, scope, reason, detail, site, device, hour, boot, profile, topic, payload, properties, "
    "received_ns, counted, state, attempts, updated_ns, version"
)


class Spool:
    """The file, open.

    Args:
        path: where it is.
        sinks: names of all that take batches from it. One that is named for the first time begins
            with what is committed from now on; for one that is no longer named nothing is kept.

    Attributes:
        letters: what the dead letters hold, and how they end.

    Raises:
        ConfigurationError: see `ingest.spool_schema.open_spool`.
    """

    def __init__(self, *, path: Path, sinks: Sequence[str] = (STORE_SINK,)) -> None:
        self.path = path
        self._db = open_spool(path, check_same_thread=False)
        self._lock = threading.Lock()
        self._version = 0
        self._sinks = tuple(dict.fromkeys((STORE_SINK, *sinks)))
        self._begin_sinks()
        self._version = max(
            self._scalar("SELECT coalesce(max(version), 0) FROM ledger"),
            self._scalar("SELECT coalesce(max(version), 0) FROM dead_letter"),
        )
        self._waiting = {sink: self._count_waiting(sink) for sink in self._sinks}
        self._pending = self._scalar("SELECT coalesce(sum(pending), 0) FROM ledger")
        self.letters = LetterStore(db=self._db, lock=self._lock, transaction=self._transaction)

    @property
    def used(self) -> bool:
        """Whether anything was ever counted in it."""
        with self._lock:
            return bool(
                self._scalar(
                    "SELECT EXISTS (SELECT 1 FROM ledger) OR EXISTS (SELECT 1 FROM dead_letter)"
                )
            )

    @property
    def identity(self) -> int:
        """A number that tells this spool from every other: positions in it are told with it."""
        if not self.cursor(_IDENTITY):
            self.move_cursor(_IDENTITY, secrets.randbits(62) | 1)
        return self.cursor(_IDENTITY)

    @property
    def archived(self) -> int:
        """Number of the last batch that was committed with the raw archive, or 0."""
        return self.cursor(_ARCHIVED)

    @property
    def pending_bytes(self) -> int:
        """Size of the messages that wait for the store, bytes."""
        return self._waiting[STORE_SINK][2]

    @property
    def pending(self) -> int:
        """Messages that wait for the store."""
        return self._pending

    def waiting_points(self, sink: str) -> int:
        """Return how many points wait for a sink."""
        return self._waiting[sink][1]

    def commit(
        self,
        *,
        packed: Packed | None = None,
        ledger: LedgerDelta,
        dead_letters: Sequence[NewDeadLetter] = (),
        identities: Identities | None = None,
        session: int = 0,
        progress: Sequence[tuple[str, str, bytes]] = (),
        settlements: Sequence[Settlement] = (),
        now_ns: int = 0,
        archived: int = 0,
    ) -> None:
        """Put everything that became of a batch on disk, in one transaction.

        Args:
            packed: what waits for the sinks, from `now_ns` on.
            ledger: changes to the account.
            dead_letters: what is set aside.
            identities: what tells the messages again.
            session: which session the packet identifiers belong to.
            progress: (site, device, packed `ingest.progress.Progress`) of changed devices.
            settlements: what became of dead letters.
            now_ns: the time, nanoseconds since the epoch.
            archived: number of the batch in the raw archive, or 0.

        Raises:
            sqlite3.Error: nothing of it is on disk (disk full, read-only, damaged).
        """
        row = packed.row() if packed is not None and packed.messages else None
        with self._transaction() as version:
            execute = self._db.execute
            if row is not None:
                execute(
                    "INSERT INTO batch (messages, points, bytes, body, owners, layout, "
                    "committed_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, now_ns),
                )
            if identities:
                execute(
                    "INSERT INTO identity (session, newest_ns, messages, entries) "
                    "VALUES (?, ?, ?, ?)",
                    (session, max(identities.times), len(identities), identities.encode()),
                )
            self._apply(ledger, version)
            if progress:
                self._db.executemany(_KEEP_PROGRESS, progress)
            self._insert_dead_letters(dead_letters, version)
            for settlement in settlements:
                execute(
                    "UPDATE dead_letter SET state = ?, reason = ?, detail = ?, version = ?, "
                    "attempts = attempts + 1, updated_ns = ? WHERE id = ?",
                    (settlement.state, settlement.reason, settlement.detail, version, now_ns,
                     settlement.id),
                )  # fmt: skip
            if archived:
                execute(_MOVE_CURSOR, (_ARCHIVED, archived))
        if packed is not None and row is not None:
            with self._lock:
                for waiting in self._waiting.values():
                    _add(waiting, row[:3])
                self._pending += packed.pending

    def batches(self, *, sink: str, limit_messages: int) -> list[SpooledBatch]:
        """Return the oldest batches that `sink` has not confirmed, at least one when there is one.

        Args:
            sink: name of the sink.
            limit_messages: no further batch is added once so many messages are there.
        """
        found: list[SpooledBatch] = []
        count = 0
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, bytes, messages, points, body, owners, layout, committed_ns "
                "FROM batch WHERE seq > coalesce((SELECT value FROM cursor WHERE name = ?), 0) "
                "ORDER BY seq",
                (_cursor_name(sink),),
            )
            for row in rows:
                batch = SpooledBatch(*row)
                found.append(batch)
                count += batch.count
                if count >= limit_messages:
                    break
            rows.close()
        return found

    def confirm(
        self,
        batches: Sequence[SpooledBatch],
        *,
        sink: str,
        ledger: LedgerDelta,
        dead_letters: Sequence[NewDeadLetter] = (),
        kept: Kept | None = None,
    ) -> None:
        """Note that `sink` has the batches: move its cursor, settle accounts, delete what is done.

        What the store's lines leave (`kept`) is written with it.

        Raises:
            sqlite3.Error: nothing of it is on disk; the batches will be written again.
        """
        with self._transaction() as version:
            self._db.execute(_MOVE_CURSOR, (_cursor_name(sink), batches[-1].seq))
            self._apply(ledger, version)
            self._insert_dead_letters(dead_letters, version)
            if kept is not None:
                keep(self._db, kept, version=version)
            self._delete_done()
        self._passed(batches, sink=sink)

    def skip(self, batches: Sequence[SpooledBatch], *, sink: str) -> None:
        """Note that `sink` is not given the batches, its oldest: it is behind its bound.

        Raises:
            ValueError: it is the store, which is given everything.
            sqlite3.Error: nothing of it is on disk.
        """
        if sink == STORE_SINK:
            raise ValueError("the store is given everything")
        name = _cursor_name(sink)
        with self._transaction():
            before = self._scalar("SELECT value FROM cursor WHERE name = ?", name)
            missed.note(self._db, batches, sink=sink, after_seq=before)
            self._db.execute(_MOVE_CURSOR, (name, batches[-1].seq))
            self._delete_done()
        self._passed(batches, sink=sink)

    def lag(self, sink: str) -> Lag:
        """Return what waits for a sink."""
        with self._lock:
            row = self._db.execute(
                "SELECT committed_ns FROM batch WHERE seq > coalesce((SELECT value FROM cursor "
                "WHERE name = ?), 0) ORDER BY seq LIMIT 1",
                (_cursor_name(sink),),
            ).fetchone()
            messages, points, size = self._waiting[sink]
        return Lag(messages, points, size, int(row[0]) if row else 0)

    def gaps(self, sink: str) -> list[missed.Gap]:
        """Return what a sink was not given and was not refilled, in the order of the spool."""
        with self._lock:
            return missed.gaps(self._db, sink)

    def identities(self) -> tuple[int, list[Remembered]]:
        """Return the last session number and the identities kept, oldest first."""
        with self._lock:
            rows = self._db.execute("SELECT session, entries FROM identity ORDER BY seq").fetchall()
        session = rows[-1][0] if rows else 0
        return session, [
            entry
            for at, entries in rows
            for entry in packed_identities.decode(entries, same_session=at == session)
        ]

    def remember_from(self, other: Path) -> None:
        """Take over what tells messages again from another spool's file.

        Raises:
            sqlite3.Error: it cannot be read; nothing was taken.
        """
        source = sqlite3.connect(f"{other.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = source.execute(
                "SELECT session, newest_ns, messages, entries FROM identity ORDER BY seq"
            ).fetchall()
        finally:
            source.close()
        with self._transaction():
            self._db.executemany(
                "INSERT INTO identity (session, newest_ns, messages, entries) VALUES (?, ?, ?, ?)",
                rows,
            )

    def progress(self, site: str, device: str) -> bytes | None:
        """Return what `commit` last kept of a device's progress, or None."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM progress WHERE site = ? AND device = ?", (site, device)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def forget_identities(self, *, before_ns: int, keep_messages: int) -> None:
        """Delete identities older than `before_ns`, and the oldest beyond `keep_messages`."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM identity WHERE newest_ns < ? OR seq <= coalesce((SELECT seq FROM "
                "(SELECT seq, sum(messages) OVER (ORDER BY seq DESC) AS newer FROM identity) "
                "WHERE newer > ? ORDER BY seq DESC LIMIT 1), 0)",
                (before_ns, keep_messages),
            )

    def ledger_since(self, version: int, *, limit: int) -> list[LedgerLine]:
        """Return ledger rows changed after `version`, in the order of their change.

        Rows of one version are never parted: more than `limit` are returned rather than that.
        """
        columns = f"{_ACCOUNT}, {', '.join(COLUMNS)}, version"
        rows = self._since("ledger", columns, version, limit)
        return [LedgerLine(Account(*row[:4]), Line(*row[4:-1]), row[-1]) for row in rows]

    def dead_letters_since(self, version: int, *, limit: int) -> list[KeptDeadLetter]:
        """Return dead letters changed after `version`, as `ledger_since` does."""
        return [_kept(row) for row in self._since("dead_letter", _LETTER_COLUMNS, version, limit)]

    def dead_letters(self, ids: Sequence[int]) -> list[KeptDeadLetter]:
        """Return the dead letters with these numbers; those that do not exist are left out."""
        marks = ", ".join("?" * len(ids))
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_LETTER_COLUMNS} FROM dead_letter WHERE id IN ({marks})",  # noqa: S608
                ids,
            ).fetchall()
        return [_kept(row) for row in rows]

    def kept(self, *, limit: int) -> Waiting | None:
        """Return what stored lines left and the registry was not told; None: nothing."""
        with self._lock:
            return waiting(self._db, limit=limit)

    def told_kept(self, what: Waiting) -> None:
        """Forget what the registry was told of stored lines, durably."""
        with self._transaction():
            told(self._db, what)

    def totals(self) -> dict[str, int]:
        """Return the sum of each column of the ledger."""
        sums = ", ".join(f"coalesce(sum({column}), 0)" for column in COLUMNS)
        with self._lock:
            row = self._db.execute(f"SELECT {sums} FROM ledger").fetchone()  # noqa: S608
        return dict(zip(COLUMNS, row, strict=True))

    def cursor(self, name: str) -> int:
        """Return the value of a cursor, 0 when it was never moved."""
        with self._lock:
            row = self._db.execute("SELECT value FROM cursor WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def move_cursor(self, name: str, value: int) -> None:
        """Set a cursor, durably."""
        with self._transaction():
            self._db.execute(_MOVE_CURSOR, (name, value))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[int]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._version + 1
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._version += 1

    def _begin_sinks(self) -> None:
        names = [_cursor_name(sink) for sink in self._sinks]
        marks = ", ".join("?" * len(names))
        with self._transaction():
            self._db.execute(
                f"DELETE FROM cursor WHERE name LIKE 'sink:%' AND name NOT IN ({marks})",  # noqa: S608
                names,
            )
            self._db.executemany(
                "INSERT INTO cursor (name, value) "
                "VALUES (?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'batch'), 0)) "
                "ON CONFLICT DO NOTHING",
                [(name,) for name in names],
            )
            missed.forget_others(self._db, self._sinks)
            self._delete_done()

    def _count_waiting(self, sink: str) -> list[int]:
        """Return messages, points and bytes that wait for a sink."""
        row = self._db.execute(
            "SELECT coalesce(sum(messages), 0), coalesce(sum(points), 0), coalesce(sum(bytes), 0) "
            "FROM batch WHERE seq > (SELECT value FROM cursor WHERE name = ?)",
            (_cursor_name(sink),),
        ).fetchone()
        return list(row)

    def _passed(self, batches: Sequence[SpooledBatch], *, sink: str) -> None:
        pending = sum(count for batch in batches for _, count in batch.accounts)
        with self._lock:
            for batch in batches:
                _add(self._waiting[sink], (-batch.count, -batch.points, -batch.bytes))
            if sink == STORE_SINK:
                self._pending -= pending

    def _delete_done(self) -> None:
        """Delete what every sink has confirmed."""
        marks = ", ".join("?" * len(self._sinks))
        last = self._db.execute(
            f"SELECT min(value) FROM cursor WHERE name IN ({marks})",  # noqa: S608 - only marks
            [_cursor_name(sink) for sink in self._sinks],
        ).fetchone()[0]
        self._db.execute("DELETE FROM batch WHERE seq <= ?", (last,))

    def _apply(self, ledger: LedgerDelta, version: int) -> None:
        """Add the changes; what takes away changes a row that is there."""
        grown, changed = [], []
        for account, line in ledger:
            counts = msgspec.structs.astuple(line)
            if min(counts) >= 0:
                grown.append((*_key(account), *counts, version))
            else:
                changed.append((*counts, version, *_key(account)))
        self._db.executemany(_UPSERT, grown)
        if changed and self._db.executemany(_CHANGE, changed).rowcount != len(changed):
            raise sqlite3.IntegrityError("the ledger lacks a row whose messages are settled")

    def _insert_dead_letters(self, letters: Sequence[NewDeadLetter], version: int) -> None:
        self._db.executemany(
            "INSERT INTO dead_letter (scope, reason, detail, site, device, hour, boot, profile, "
            "topic, payload, properties, received_ns, counted, updated_ns, version) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    letter.scope, letter.reason, letter.detail, *_key(letter.account),
                    letter.profile, letter.topic, letter.payload,
                    msgspec.json.encode(letter.properties), letter.received_ns,
                    letter.counted, letter.received_ns, version,
                )
                for letter in letters
            ],
        )  # fmt: skip

    def _since(self, table: str, columns: str, version: int, limit: int) -> list[Any]:
        with self._lock:
            edge = self._db.execute(
                f"SELECT max(version) FROM (SELECT version FROM {table} WHERE version > ? "  # noqa: S608
                "ORDER BY version LIMIT ?)",
                (version, limit),
            ).fetchone()[0]
            if edge is None:
                return []
            return self._db.execute(
                f"SELECT {columns} FROM {table} WHERE version > ? AND version <= ? "  # noqa: S608
                "ORDER BY version",
                (version, edge),
            ).fetchall()

    def _scalar(self, query: str, *values: str) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


def _add(waiting: list[int], changes: Sequence[int]) -> None:
    """Add changes in messages, points and bytes."""
    for place, change in enumerate(changes):
        waiting[place] += change


def _cursor_name(sink: str) -> str:
    return sink if sink == STORE_SINK else f"sink:{sink}"


def _key(account: Account) -> tuple[str, str, int, int]:
    return account.site, account.device, account.hour, account.boot


def _kept(row: Any) -> KeptDeadLetter:
    (number, scope, reason, detail, site, device, hour, boot, profile, topic, payload, properties,
     received_ns, counted, state, attempts, updated_ns, version) = row  # fmt: skip
    letter = NewDeadLetter(
        scope=scope,
        reason=reason,
        detail=detail,
        account=Account(site, device, hour, boot),
        profile=profile,
        topic=topic,
        payload=payload,
        properties=_PROPERTIES.decode(properties),
        received_ns=received_ns,
        counted=bool(counted),
    )
    return KeptDeadLetter(number, letter, state, attempts, updated_ns, version)
