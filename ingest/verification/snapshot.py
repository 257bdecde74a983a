"""What one spool's file holds at one instant, read without a trace while its worker may be running.

One read transaction: ledger, batches and dead letters are of the same commit, so a difference among
them is real. The worker is not held up: readers of a write-ahead log wait for nobody.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from core.errors import ConfigurationError
from core.reading import Point
from core.reasons import Scope
from devices.registry.records import DeadLetterState
from ingest.damaged import GENERATION, Published
from ingest.ledger import COLUMNS, Account, Line
from ingest.spool import STORE_SINK
from ingest.spool_schema import SCHEMA_VERSION
from ingest.spooled import SpooledBatch
from ingest.telling import LEDGER_CURSOR, LETTERS_CURSOR
from storage.line_protocol import points_of

Device = tuple[str, str]
"""Site and device."""

_LEAST_VALUE = 6
"""Bytes of a value in a dead letter of points, at least: its name in quotes, a colon, a digit."""
_POINTS = msgspec.json.Decoder(tuple[Point, ...])
_PROPERTIES = msgspec.json.Decoder(dict[str, str])
_LEDGER = f"SELECT site, device, hour, boot, {', '.join(COLUMNS)}, version FROM ledger"  # noqa: S608
_BATCHES = (
    "SELECT seq, bytes, messages, points, body, owners, layout, committed_ns FROM batch "
    "WHERE seq > ? ORDER BY seq"
)
_LETTERS = (
    "SELECT id, site, device, hour, boot, counted, state, version FROM dead_letter ORDER BY id"
)
_REFUSED = (
    "SELECT site, device, payload, properties, state, coalesce(letter_end.size, 0) "
    "FROM dead_letter LEFT JOIN letter_end ON letter_end.id = dead_letter.id "
    "WHERE scope = ? AND state <> ?"
)


class KeptLine(msgspec.Struct, frozen=True):
    """A row of the ledger, and the version at which it last changed."""

    counts: Line
    version: int


class KeptLetter(msgspec.Struct, frozen=True):
    """A dead letter without its content."""

    account: Account
    counted: bool
    state: str
    version: int


class Snapshot(msgspec.Struct, frozen=True):
    """One spool at one instant.

    Attributes:
        worker: name under which it is told to the registry (`ingest.damaged.Published`).
        path: the file.
        ledger: its rows.
        letters: dead letters by number.
        letter_total: open dead letters as the file's own counter says.
        told_lines: version up to which the registry was told the ledger.
        told_letters: version up to which it was told the dead letters.
        pending: counted messages in the batches that wait for the store, by ledger row.
        gaps: positions of batches that should wait for the store and are not there.
        pending_values: values in the batches that wait for the store.
        refused_values: values in open dead letters of points that the store refused.
        gone_values: values, at most, in those of them that were discarded.
    """

    worker: str
    path: Path
    ledger: dict[Account, KeptLine]
    letters: dict[int, KeptLetter]
    letter_total: int
    told_lines: int
    told_letters: int
    pending: Counter[Account]
    gaps: list[int]
    pending_values: Counter[Device]
    refused_values: Counter[Device]
    gone_values: Counter[Device]


def take_snapshot(path: Path, *, worker: str, contents: bool = True) -> Snapshot:
    """Read a spool's file as it is at one instant.

    Args:
        path: the file.
        worker: whose it is.
        contents: False leaves out what the batches and the refused points hold.

    Raises:
        ConfigurationError: there is no such file, it is of another version, or damaged.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"there is no spool {path}; say where the data are (PASSERELLE_DATA_DIR, or "
            "PASSERELLE_SPOOL__PATH), on the host of the worker"
        )
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0)) as db:
            db.execute("BEGIN")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise ConfigurationError(
                    f"the spool {path} has format {version}, this program reads {SCHEMA_VERSION}"
                )
            return _read(db, path, worker, contents=contents)
    except (sqlite3.Error, msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            f"the spool {path} cannot be read: {error}. It was left as it is; copy it before "
            "anything else"
        ) from None


def _read(db: sqlite3.Connection, path: Path, worker: str, *, contents: bool) -> Snapshot:
    cursors: dict[str, int] = dict(db.execute("SELECT name, value FROM cursor"))
    pending: Counter[Account] = Counter()
    waiting: Counter[Device] = Counter()
    gaps: list[int] = []
    refused: Counter[Device] = Counter()
    gone: Counter[Device] = Counter()
    if contents:
        gaps = _read_batches(db, cursors.get(STORE_SINK, 0), pending, waiting)
        _read_refused(db, refused, gone)
    return Snapshot(
        worker=Published(worker, max(1, cursors.get(GENERATION, 0))).name,
        path=path,
        ledger={
            Account(*row[:4]): KeptLine(Line(*row[4:-1]), row[-1]) for row in db.execute(_LEDGER)
        },
        letters={row[0]: _letter(row) for row in db.execute(_LETTERS)},
        letter_total=_one(db, "SELECT letters FROM letter_total"),
        told_lines=cursors.get(LEDGER_CURSOR, 0),
        told_letters=cursors.get(LETTERS_CURSOR, 0),
        pending=pending,
        gaps=gaps,
        pending_values=waiting,
        refused_values=refused,
        gone_values=gone,
    )


def _read_batches(
    db: sqlite3.Connection, after: int, pending: Counter[Account], values: Counter[Device]
) -> list[int]:
    """Count what waits for the store; return positions that are not there."""
    there: set[int] = set()
    for row in db.execute(_BATCHES, (after,)):
        batch = SpooledBatch(*row)
        there.add(batch.seq)
        for account, messages in batch.accounts:
            pending[account] += messages
        for point in points_of(batch.body):
            values[point.site, point.device] += len(point.values)
    last = _one(db, "SELECT seq FROM sqlite_sequence WHERE name = 'batch'")
    return [seq for seq in range(after + 1, last + 1) if seq not in there]


def _read_refused(db: sqlite3.Connection, refused: Counter[Device], gone: Counter[Device]) -> None:
    rows = db.execute(_REFUSED, (Scope.POINTS.value, DeadLetterState.REPLAYED.value))
    for site, device, payload, properties, state, size in rows:
        if _PROPERTIES.decode(properties).get("sink"):
            continue  # the store has them: a further sink refused them
        if state == DeadLetterState.OPEN.value:
            refused[site, device] += sum(len(point.values) for point in _POINTS.decode(payload))
        else:
            gone[site, device] += size // _LEAST_VALUE


def _letter(row: tuple[Any, ...]) -> KeptLetter:
    _, site, device, hour, boot, counted, state, version = row
    return KeptLetter(Account(site, device, hour, boot), bool(counted), state, version)


def _one(db: sqlite3.Connection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0]) if row else 0
