"""Bringing what waits in a damaged spool to the store: `passerelle spool salvage`.

What can be read of the damaged file is copied into a sound one, row by row and from both ends of
each table; the ordinary drain then writes what waits, and the registry is told, under the name that
the old spool had. The damaged file stays as it is. A salvage that is interrupted is done again from
the start: writing a point again changes nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from core.clock import Clock
from core.errors import ConfigurationError
from core.metrics import Metrics
from devices.registry import Registry
from ingest.damaged import Published, published, salvaged_name
from ingest.drain import Drain
from ingest.spool import STORE_SINK, Spool
from ingest.spool_schema import SCHEMA_VERSION, open_spool
from ingest.spooled import SpooledBatch
from ingest.telling import Telling
from storage.ports import PointWriter

_FIELDS = SpooledBatch.__struct_fields__
_KEYS = {
    "cursor": "name",
    "ledger": "site, device, hour, boot",
    "dead_letter": "id",
    "batch": "seq",
}
"""The tables that are copied, and what orders them; the others are a worker's memory."""


class Salvaged(msgspec.Struct, frozen=True):
    """What a salvage found and did.

    Attributes:
        waiting: messages that waited for the store, by the ledger.
        readable: of those, how many could be read.
        stored: of those, how many the store has now, by the ledger; 0 for a dry run.
        dead_lettered: of those, how many the store refused.
        unreadable: tables of which not every row could be read.
    """

    waiting: int
    readable: int
    stored: int
    dead_lettered: int
    unreadable: tuple[str, ...]


def salvage(
    damaged: Path,
    *,
    worker: str,
    registry: Registry,
    open_store: Callable[[], PointWriter],
    clock: Clock,
    batch_points: int,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Salvaged:
    """Bring what waits in a damaged spool to the store.

    Args:
        damaged: the file, as `ingest.damaged.set_aside` called it.
        worker: name of the worker whose spool it was.
        registry: is told what became of the messages.
        open_store: opens the store; not called for a dry run.
        clock: the time.
        batch_points: points in one write, at most.
        dry_run: only look.
        progress: called with (messages done, messages that wait).

    Raises:
        ConfigurationError: the file is not there, or nothing of it can be read.
        RegistryUnavailableError: the registry does not answer; run it again.
    """
    if not damaged.is_file():
        raise ConfigurationError(f"there is no file {damaged}")
    copy = damaged.with_name(f"{damaged.name}.copy")
    for rest in (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm")):
        rest.unlink(missing_ok=True)
    unreadable = _copy(damaged, copy)
    with closing(Spool(path=copy)) as spool:
        waiting, readable = spool.pending, spool.lag(STORE_SINK).messages
        before = spool.totals()
        if not dry_run and readable:
            with closing(open_store()) as store:
                _drain(spool, store, clock, batch_points, progress)
        after = spool.totals()
        if not dry_run:
            told = published(spool, registry=registry, worker=worker)
            _tell(spool, registry, told)
    if dry_run:
        copy.unlink()
    else:
        copy.replace(salvaged_name(damaged))
    return Salvaged(
        waiting=waiting,
        readable=readable,
        stored=after["stored"] - before["stored"],
        dead_lettered=after["dead_lettered"] - before["dead_lettered"],
        unreadable=tuple(unreadable),
    )


def _copy(damaged: Path, copy: Path) -> list[str]:
    """Copy what can be read; return the tables of which something cannot."""
    unreadable = []
    with closing(open_spool(copy)) as target, closing(_opened(damaged)) as source:
        target.execute("BEGIN")
        for table, key in _KEYS.items():
            if not _copy_table(source, target, table, key):
                unreadable.append(table)
        target.execute("COMMIT")
    return unreadable


def _opened(damaged: Path) -> sqlite3.Connection:
    source = sqlite3.connect(damaged, isolation_level=None)
    try:
        version = source.execute("PRAGMA user_version").fetchone()[0]
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        source.close()
        raise ConfigurationError(
            f"nothing of {damaged} can be read: {error}. Keep it: a tool for damaged SQLite files "
            "may find more (sqlite3 FILE .recover)"
        ) from None
    if version != SCHEMA_VERSION:
        source.close()
        raise ConfigurationError(
            f"{damaged} has format {version}, this program reads {SCHEMA_VERSION}"
        )
    return source


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, key: str
) -> bool:
    """Copy rows from the first on, and from the last back; False when some are out of reach."""
    whole = True
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    insert = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    for order in ("ASC", "DESC"):
        by = ", ".join(f"{one.strip()} {order}" for one in key.split(","))
        query = f"SELECT {', '.join(columns)} FROM {table} ORDER BY {by}"  # noqa: S608 - own names
        try:
            for row in source.execute(query):
                if table == "batch" and not _sound(row, columns):
                    whole = False
                else:
                    target.execute(insert, row)
        except sqlite3.DatabaseError:
            continue
        return whole
    return False


def _sound(row: tuple[Any, ...], columns: list[str]) -> bool:
    """Say whether a batch can be read back: SQLite does not notice what stands in a blob."""
    told = dict(zip(columns, row, strict=True))
    batch = SpooledBatch(*(told["messages" if one == "count" else one] for one in _FIELDS))
    try:
        return len(batch.messages()) == batch.count
    except (ValueError, IndexError, KeyError):
        return False


def _drain(
    spool: Spool,
    store: PointWriter,
    clock: Clock,
    batch_points: int,
    progress: Callable[[int, int], None],
) -> None:
    drain = Drain(
        spool=spool, store=store, clock=clock, metrics=Metrics(), batch_points=batch_points
    )
    total = left = spool.lag(STORE_SINK).messages
    pause = threading.Event()
    while left:
        if not drain.drain_once():
            pause.wait(1.0)
        left = spool.lag(STORE_SINK).messages
        progress(total - left, total)


def _tell(spool: Spool, registry: Registry, told: Published) -> None:
    Telling(registry=registry, spool=spool, published=told.name).tell()
