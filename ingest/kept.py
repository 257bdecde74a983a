"""What is kept of stored points beside the store: newest values, and hours whose content changed.

Both are taken from the lines that the store has just confirmed, in the transaction that moves its
cursor, so that no crash parts them. They wait in the spool until the registry has them
(`ingest.telling`); there the newest values answer `/v1/latest`, and the marked hours say which
roll-ups must be made anew (`ingest.rolling`).

The body of a batch is looked at a line at a time, and taken no further apart than its three words:
a line's *shape* is the second word without what digits, signs and exponents leave of its values.
Lines of one series and one shape name the same quantities, so only the newest of them counts.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from core.clock import NS_PER_HOUR
from core.quantities import CATALOGUE

KEPT_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept_series (
    series BLOB PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    line BLOB NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_series_version ON kept_series (version);
CREATE TABLE IF NOT EXISTS kept_hour (
    head BLOB NOT NULL,
    hour INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (head, hour)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_hour_version ON kept_hour (version);
"""

_VALUES = b"0123456789.-+e"
"""What a value is made of; `inf` and `nan` are in no line (`storage.refusal`)."""
_BLOCK_NS = 10**12
_BLOCK_DIGITS = 12
_HOUR_S = 3600
_USUAL_DIGITS = 19  # of an instant between 2001 and 2286
_KEEP_SERIES = (
    "INSERT INTO kept_series (series, time_ns, line, version) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET time_ns = excluded.time_ns, line = excluded.line, "
    "version = excluded.version WHERE excluded.time_ns >= kept_series.time_ns"
)
_KEEP_HOUR = (
    "INSERT INTO kept_hour (head, hour, version) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET version = excluded.version"
)


def _alike() -> tuple[bytes, ...]:
    """Return the categories of which two quantities' names have one shape, as lines begin."""
    shapes: defaultdict[tuple[str, bytes], int] = defaultdict(int)
    for quantity in CATALOGUE.values():
        shapes[quantity.category, quantity.name.encode().translate(None, _VALUES)] += 1
    return tuple({f"{category},".encode() for (category, _), n in shapes.items() if n > 1})


_ALIKE = _alike()
"""How lines of categories begin in which shapes do not tell the quantities; names do."""
_Key = tuple[bytes, bytes, bytes]


class Kept(msgspec.Struct, frozen=True):
    """What some stored lines leave.

    Attributes:
        series: by what stands before the fields and their shape: the newest instant, and its line.
        hours: what stands before the fields, and a UTC hour that has new values, seconds since the
            epoch.
    """

    series: dict[tuple[bytes, bytes], tuple[int, bytes]]
    hours: set[tuple[bytes, int]]


class Waiting(msgspec.Struct, frozen=True):
    """What the registry is to be told.

    Attributes:
        lines: newest lines, a series and shape each.
        hours: what stands before the fields of a line, and an hour.
        version: of the last change among them.
        more: whether others may wait behind them.
    """

    lines: list[bytes]
    hours: list[tuple[bytes, int]]
    version: int
    more: bool = False


def kept_of(bodies: Iterable[bytes]) -> Kept:
    """Return what the lines of some batches leave; of one instant the later line counts."""
    newest: dict[_Key, bytes] = {}
    turns: dict[bytes, bytes] = {}
    lines: dict[_Key, bytes] = {}
    odd: list[bytes] = []
    newest_of = newest.get
    for body in filter(None, bodies):
        for line in body.split(b"\n"):
            head, fields, time = line.rsplit(b" ", 2)
            if len(time) != _USUAL_DIGITS or time[:1] == b"-" or head.startswith(_ALIKE):
                odd.append(line)
                continue
            # Instants of as many digits compare as text; an hour begins in a block at most once.
            block = time[:-_BLOCK_DIGITS]
            turn = turns.get(block)
            if turn is None:
                turn = turns[block] = _turn_in(block)
            part = block if time >= turn else turn
            key = (head, fields.translate(None, _VALUES), part)
            if time >= newest_of(key, b""):
                newest[key] = time
                lines[key] = line
    kept = Kept({}, set())
    for (head, shape, part), time in newest.items():
        time_ns = int(time)
        kept.hours.add((head, _hour(time_ns)))
        _keep(kept, (head, shape), time_ns, lines[head, shape, part])
    for line in odd:
        head, fields, time = line.rsplit(b" ", 2)
        kept.hours.add((head, _hour(int(time))))
        shape = (
            b",".join(field.partition(b"=")[0] for field in fields.split(b","))
            if head.startswith(_ALIKE)
            else fields.translate(None, _VALUES)
        )
        _keep(kept, (head, shape), int(time), line)
    return kept


def keep(db: sqlite3.Connection, kept: Kept, *, version: int) -> None:
    """Write what lines left, in the transaction under way."""
    db.executemany(
        _KEEP_SERIES,
        [
            (head + b" " + shape, time_ns, line, version)
            for (head, shape), (time_ns, line) in kept.series.items()
        ],
    )
    db.executemany(_KEEP_HOUR, [(head, hour, version) for head, hour in kept.hours])


def waiting(db: sqlite3.Connection, *, limit: int) -> Waiting | None:
    """Return the oldest changes that wait to be told, about `limit` of each kind; None: none do."""
    found = [
        db.execute(
            f"SELECT max(version), count(*) FROM (SELECT version FROM {table} "  # noqa: S608
            "ORDER BY version LIMIT ?)",
            (limit,),
        ).fetchone()
        for table in ("kept_series", "kept_hour")
    ]
    edges = [version for version, count in found if count]
    if not edges:
        return None
    bounds = [version for version, count in found if count >= limit]
    edge = min(bounds) if bounds else max(edges)
    lines = db.execute("SELECT line FROM kept_series WHERE version <= ? ORDER BY version", (edge,))
    hours = db.execute("SELECT head, hour FROM kept_hour WHERE version <= ?", (edge,))
    told_hours = [(head, hour) for head, hour in hours]
    return Waiting([row[0] for row in lines], told_hours, edge, more=bool(bounds))


def told(db: sqlite3.Connection, waiting: Waiting) -> None:
    """Forget what the registry has now, in the transaction under way; what changed since stays."""
    for table in ("kept_series", "kept_hour"):
        db.execute(f"DELETE FROM {table} WHERE version <= ?", (waiting.version,))  # noqa: S608


def _keep(kept: Kept, series: tuple[bytes, bytes], time_ns: int, line: bytes) -> None:
    before = kept.series.get(series)
    if before is None or time_ns >= before[0]:
        kept.series[series] = (time_ns, line)


def _turn_in(block: bytes) -> bytes:
    """Return the instant at which an hour begins within a block, as lines write it; b"": none."""
    start_ns = int(block) * _BLOCK_NS
    turn_ns = -(-start_ns // NS_PER_HOUR) * NS_PER_HOUR
    return b"%d" % turn_ns if start_ns < turn_ns < start_ns + _BLOCK_NS else b""


def _hour(time_ns: int) -> int:
    return time_ns // NS_PER_HOUR * _HOUR_S
