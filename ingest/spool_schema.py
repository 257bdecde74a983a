"""The spool's file: its tables, its settings, and how it is opened.

Invariants, each with a test in `tests/unit/ingest/test_spool.py`:

1. One transaction holds a batch's messages, dead letters, ledger changes and identities: after a
   crash either all of them are there or none.
2. `received = stored + duplicate + dead_lettered + pending` in every row of `ledger`.
3. The sum of `pending` is the number of counted messages in `batch` that the `store` sink has not
   confirmed.
4. A batch is deleted only in the transaction that moves the last sink's cursor past it.
5. `journal` and `synchronous` are WAL and FULL: SQLite calls fsync before a commit returns.
6. `version` grows with each change of a ledger row or dead letter, so that a reader who remembers
   the greatest one it has seen misses nothing.
7. `progress` is what the committed messages of a device make it: it changes with them.
8. What a sink is not given is noted in the transaction that moves its cursor past it.
9. What is kept beside the store (`ingest.kept`) changes in the transaction that moves its cursor.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.errors import ConfigurationError
from ingest.kept import KEPT_SCHEMA
from ingest.missed import MISSED_SCHEMA

SCHEMA_VERSION = 2
_SMALLEST_PAGE = 512
"""Every SQLite file is a multiple of it long, also one whose head was overwritten; a file that is
not was never a spool."""
DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""What SQLite says of a file whose content is wrong, as against a disk that does not answer."""


class DamagedSpoolError(ConfigurationError):
    """The spool's file is there, and its content is not what was written."""


_SCHEMA = (
    """
CREATE TABLE batch (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    messages INTEGER NOT NULL,
    points INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    body BLOB NOT NULL,
    owners BLOB NOT NULL,
    layout BLOB NOT NULL,
    committed_ns INTEGER NOT NULL
);
CREATE TABLE identity (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL,
    newest_ns INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    entries BLOB NOT NULL
);
CREATE TABLE ledger (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    hour INTEGER NOT NULL,
    boot INTEGER NOT NULL DEFAULT -1,
    received INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    dead_lettered INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0,
    redelivered INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    values_new INTEGER NOT NULL DEFAULT 0,
    values_other INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL,
    PRIMARY KEY (site, device, hour, boot),
    CHECK (received = stored + duplicate + dead_lettered + pending),
    CHECK (min(received, stored, duplicate, dead_lettered, pending, redelivered, missing) >= 0)
) WITHOUT ROWID;
CREATE INDEX ledger_version ON ledger (version);
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    hour INTEGER NOT NULL,
    boot INTEGER NOT NULL DEFAULT -1,
    profile TEXT NOT NULL,
    topic BLOB NOT NULL,
    payload BLOB NOT NULL,
    properties BLOB NOT NULL,
    received_ns INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    attempts INTEGER NOT NULL DEFAULT 0,
    updated_ns INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX dead_letter_version ON dead_letter (version);
CREATE TABLE progress (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (site, device)
) WITHOUT ROWID;
CREATE TABLE cursor (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
    + MISSED_SCHEMA
    + KEPT_SCHEMA
)


def open_spool(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open or make the spool's file, with every commit reaching the disk.

    Args:
        path: the file; its directory is made when it is missing.
        check_same_thread: as `sqlite3.connect`.

    Raises:
        DamagedSpoolError: its content is damaged. It is left as it is.
        ConfigurationError: the file cannot be opened, is not a spool, or was written by another
            version. It is left as it is.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=check_same_thread, timeout=30.0
        )
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"the spool {path} cannot be opened: {error}") from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if is_damage(error) and path.stat().st_size % _SMALLEST_PAGE == 0:
            raise DamagedSpoolError(f"the spool {path} is damaged: {error}") from None
        raise ConfigurationError(
            f"the spool {path} cannot be used: {error}. It was left as it is, and its messages are "
            "in no other place: see that its disk can be written and has room, then start again"
        ) from None
    except ConfigurationError:
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether SQLite found the content of the file wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    journal = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous=FULL")
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (journal, synchronous) != ("wal", 2):
        raise ConfigurationError(
            f"the spool {path} cannot be made safe (journal_mode {journal}, synchronous "
            f"{synchronous}); put it on a local file system"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise ConfigurationError(f"{path} is an SQLite file but not a spool; choose another")
        connection.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        raise ConfigurationError(
            f"the spool {path} has format {version}, this program reads {SCHEMA_VERSION}; "
            "use the version of Passerelle that wrote it to drain it"
        )
    elif (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise DamagedSpoolError(f"the spool {path} is damaged: {found}")
    else:
        connection.executescript(f"BEGIN IMMEDIATE; {KEPT_SCHEMA} COMMIT;")  # since 0.2
