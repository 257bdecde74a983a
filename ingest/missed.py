"""What a sink was not given because it fell too far behind: noted in the spool's file.

`sink_gap` holds the ranges of spool positions, for people. `sink_missed` holds what a refill needs:
for each device, category and UTC day, the instants of the first and last point missed. A row is
noted in the transaction that moves the sink's cursor past it, and deleted when the refill has
written it; a row that grew meanwhile stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from core.clock import NS_PER_S
from ingest.spooled import SpooledBatch
from storage.line_protocol import points_of

MISSED_SCHEMA = """
CREATE TABLE sink_gap (
    sink TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    points INTEGER NOT NULL,
    since_ns INTEGER NOT NULL,
    until_ns INTEGER NOT NULL,
    PRIMARY KEY (sink, first_seq)
) WITHOUT ROWID;
CREATE TABLE sink_missed (
    sink TEXT NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    category TEXT NOT NULL,
    day INTEGER NOT NULL,
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    points INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    PRIMARY KEY (sink, site, device, category, day)
) WITHOUT ROWID;
"""

_NS_PER_DAY = 86_400 * NS_PER_S
_GROW_GAP = (
    "UPDATE sink_gap SET last_seq = ?, messages = messages + ?, points = points + ?, "
    "until_ns = ? WHERE sink = ? AND last_seq = ?"
)
_NEW_GAP = (
    "INSERT INTO sink_gap (last_seq, messages, points, until_ns, sink, first_seq, since_ns) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_NOTE = (
    "INSERT INTO sink_missed "
    "(sink, site, device, category, day, first_ns, last_ns, points, last_seq) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns), "
    "points = points + excluded.points, last_seq = excluded.last_seq"
)
_PIECE = "site, device, category, day, first_ns, last_ns, points, last_seq"


class Gap(msgspec.Struct, frozen=True):
    """Batches in a row that a sink was not given.

    Attributes:
        sink: its name.
        first_seq: position of the first in the spool.
        last_seq: position of the last.
        messages: how many messages.
        points: how many points.
        since_ns: when the first was received, nanoseconds since the epoch.
        until_ns: when the last was received.
    """

    sink: str
    first_seq: int
    last_seq: int
    messages: int
    points: int
    since_ns: int
    until_ns: int


class Piece(msgspec.Struct, frozen=True):
    """Points of one device, category and UTC day that a sink was not given.

    Attributes:
        site: site of the device.
        device: the device.
        category: of the points.
        day: days since the epoch.
        first_ns: instant of the earliest of them, nanoseconds since the epoch.
        last_ns: instant of the latest of them.
        points: how many.
        last_seq: position of the last batch that holds some of them.
    """

    site: str
    device: str
    category: str
    day: int
    first_ns: int
    last_ns: int
    points: int
    last_seq: int


def pieces_of(batches: Sequence[SpooledBatch]) -> list[Piece]:
    """Return what a sink misses that is not given some batches."""
    found: dict[tuple[str, str, str, int], tuple[int, int, int]] = {}
    for batch in batches:
        for point in points_of(batch.body):
            time_ns = point.time_ns
            key = (point.site, point.device, point.category, time_ns // _NS_PER_DAY)
            first_ns, last_ns, points = found.get(key, (time_ns, time_ns, 0))
            found[key] = (min(first_ns, time_ns), max(last_ns, time_ns), points + 1)
    last_seq = batches[-1].seq
    return [Piece(*key, *range_, last_seq) for key, range_ in found.items()]


def note(
    db: sqlite3.Connection, batches: Sequence[SpooledBatch], *, sink: str, after_seq: int
) -> None:
    """Note that a sink is not given some batches. Call it in a transaction.

    Args:
        db: the spool's file.
        batches: consecutive, at least one.
        sink: its name.
        after_seq: where its cursor stood.
    """
    first, last = batches[0], batches[-1]
    counts = (
        last.seq,
        sum(batch.count for batch in batches),
        sum(batch.points for batch in batches),
        last.committed_ns,
        sink,
    )
    if not db.execute(_GROW_GAP, (*counts, after_seq)).rowcount:
        db.execute(_NEW_GAP, (*counts, first.seq, first.committed_ns))
    db.executemany(_NOTE, [(sink, *msgspec.structs.astuple(piece)) for piece in pieces_of(batches)])


def forget_others(db: sqlite3.Connection, sinks: Sequence[str]) -> None:
    """Delete what is noted of sinks that are not among `sinks`. Call it in a transaction."""
    marks = ", ".join("?" * len(sinks))
    for table in ("sink_gap", "sink_missed"):
        db.execute(f"DELETE FROM {table} WHERE sink NOT IN ({marks})", list(sinks))  # noqa: S608


def gaps(db: sqlite3.Connection, sink: str) -> list[Gap]:
    """Return what a sink was not given, in the order of the spool."""
    rows = db.execute(
        "SELECT sink, first_seq, last_seq, messages, points, since_ns, until_ns FROM sink_gap "
        "WHERE sink = ? ORDER BY first_seq",
        (sink,),
    ).fetchall()
    return [Gap(*row) for row in rows]


def pieces(db: sqlite3.Connection, sink: str, *, stored_seq: int) -> Iterator[Piece]:
    """Yield what a refill has to write and the store has, by day and device.

    Args:
        db: the spool's file; rows may be deleted meanwhile.
        sink: its name.
        stored_seq: up to which position the store has confirmed everything.
    """
    rows = db.execute(
        f"SELECT {_PIECE} FROM sink_missed WHERE sink = ? AND last_seq <= ? "  # noqa: S608
        "ORDER BY day, site, device, category",
        (sink, stored_seq),
    ).fetchall()
    for row in rows:
        yield Piece(*row)


def waiting(db: sqlite3.Connection, sink: str) -> tuple[int, int]:
    """Return how many pieces a sink misses, and how many points they are."""
    row = db.execute(
        "SELECT count(*), coalesce(sum(points), 0) FROM sink_missed WHERE sink = ?", (sink,)
    ).fetchone()
    return int(row[0]), int(row[1])


def filled(db: sqlite3.Connection, sink: str, piece: Piece) -> None:
    """Note, durably, that a piece was written; when it was the last one, the gaps are closed."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(
            "DELETE FROM sink_missed WHERE sink = ? AND site = ? AND device = ? AND category = ? "
            "AND day = ? AND last_seq = ?",
            (sink, piece.site, piece.device, piece.category, piece.day, piece.last_seq),
        )
        db.execute(
            "DELETE FROM sink_gap WHERE sink = ? AND NOT EXISTS "
            "(SELECT 1 FROM sink_missed WHERE sink_missed.sink = sink_gap.sink)",
            (sink,),
        )
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
