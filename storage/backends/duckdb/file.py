"""The DuckDB file: opened, checked, its tables made; and who may use a connection when.

Layout, version 1 (`layout` holds the number; another one is refused):

- `sources(id, site, device, category)` and `series(id, source, quantity)`: names, once each;
- `samples(series, time, value)`: one row per value; `time` is nanoseconds since the epoch. At most
  one row per series and time: not by an index (one costs half the speed, three times the disk and
  memory that grows with the table) but because a single writer merges every batch;
- `marks(source, time, quality)`: the quality of a point, only where it is not 0;
- `readings`: a view for people: site, device, category, quantity, time, value, quality.

Durability: DuckDB writes a transaction to its log (`FILE.wal`) and calls fdatasync on it before a
commit returns (setting `fsync_mode`, checked here). After a crash the log is replayed.

Threads: the store has one connection, on which nothing is executed after opening. Every use takes
a cursor, a connection of its own to the same database, for as long as it lasts; a cursor is never
in two hands. A reader sees the last commit before its query began and waits for nobody; of writers
there is one at a time, which `store.py` sees to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from core.errors import ConfigurationError

LAYOUT = 1

_GUARD = "passerelle_is_open"
_TABLES = """
CREATE TABLE layout (version INTEGER NOT NULL);
CREATE SEQUENCE source_ids;
CREATE SEQUENCE series_ids;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY DEFAULT nextval('source_ids'),
    site VARCHAR NOT NULL, device VARCHAR NOT NULL, category VARCHAR NOT NULL,
    UNIQUE (site, device, category));
CREATE TABLE series (
    id INTEGER PRIMARY KEY DEFAULT nextval('series_ids'),
    source INTEGER NOT NULL, quantity VARCHAR NOT NULL,
    UNIQUE (source, quantity));
CREATE TABLE samples (series INTEGER NOT NULL, time BIGINT NOT NULL, value DOUBLE NOT NULL);
CREATE TABLE marks (source INTEGER NOT NULL, time BIGINT NOT NULL, quality INTEGER NOT NULL);
CREATE VIEW readings AS
    SELECT sources.site, sources.device, sources.category, series.quantity,
           make_timestamp_ns(samples.time) AS time, samples.value,
           coalesce(marks.quality, 0) AS quality
    FROM samples JOIN series ON series.id = samples.series
    JOIN sources ON sources.id = series.source
    LEFT JOIN marks ON marks.source = sources.id AND marks.time = samples.time;
"""


class DuckDBFile:
    """One open file.

    Args:
        path: the file; made when there is none, in a directory that exists.

    Raises:
        ConfigurationError: it is open elsewhere, is not a store of Passerelle, is damaged, or
            cannot be written. The file is left as it is.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path
        self._idle: deque[duckdb.DuckDBPyConnection] = deque()
        self._connection = _connect(path)
        try:
            self._prepare()
        except duckdb.Error as error:
            self._connection.close()
            raise ConfigurationError(damaged(path, error)) from None
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection of the caller's own."""
        try:
            cursor = self._idle.pop()
        except IndexError:
            cursor = self._connection.cursor()
        try:
            yield cursor
        except BaseException:
            cursor.close()  # whatever state it was left in
            raise
        self._idle.append(cursor)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lend a connection in a transaction that is committed, and on disk, when it is over."""
        with self.cursor() as cursor:
            cursor.begin()
            yield cursor  # closing a cursor rolls back
            cursor.commit()

    def reopen(self) -> None:
        """Open the file anew, after DuckDB declared the database in memory unusable.

        Raises:
            ConfigurationError: as for the constructor.
        """
        self.close()
        self._connection = _connect(self.path)
        self._prepare()

    def close(self) -> None:
        """Close the file; its log is merged into it."""
        while self._idle:
            self._idle.pop().close()
        self._connection.close()

    def _prepare(self) -> None:
        self._claim()
        mode = self._one("SELECT current_setting('fsync_mode')")
        if str(mode).upper() not in {"STANDARD", "FULL"}:
            raise ConfigurationError(f"DuckDB would not sync {self.path}: fsync_mode is {mode}")
        tables = {row[0] for row in self._connection.execute("SHOW TABLES").fetchall()}
        if not tables:
            self._connection.begin()
            self._connection.execute(_TABLES)
            self._connection.execute("INSERT INTO layout VALUES (?)", [LAYOUT])
            self._connection.commit()
            return
        if "layout" not in tables:
            raise ConfigurationError(
                f"{self.path} is a DuckDB file of something else (it holds "
                f"{', '.join(sorted(tables)[:3])}); set store.url (PASSERELLE_STORE__URL) to "
                "another file"
            )
        version = self._one("SELECT max(version) FROM layout")
        if version != LAYOUT:
            raise ConfigurationError(
                f"{self.path} has layout {version} and this version of Passerelle reads {LAYOUT}; "
                "run the version that wrote it"
            )

    def _one(self, sql: str) -> object:
        [(value,)] = self._connection.execute(sql).fetchall()
        return value

    def _claim(self) -> None:
        """Make sure that no other store of this process has the file: they would share it.

        The process shares one database per file; one attached to it under a fixed name is seen by
        both, and goes with the database.
        """
        try:
            self._connection.execute(f"ATTACH ':memory:' AS {_GUARD}")
        except duckdb.BinderException:
            raise ConfigurationError(f"{self.path} is already open in this process") from None


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"the store cannot be {path}: there is no directory {path.parent}; create it"
        )
    try:
        return duckdb.connect(str(path))
    except duckdb.Error as error:
        raise ConfigurationError(_unusable(path, error)) from None


def _unusable(path: Path, error: duckdb.Error) -> str:
    text = str(error)
    if "lock" in text.lower():
        return (
            f"the store {path} is open in another process; stop it, or give this one a store of "
            "its own (PASSERELLE_STORE__URL)"
        )
    if "Permission denied" in text or "Is a directory" in text:
        return f"the store {path} cannot be written: {_first_line(text)}"
    return damaged(path, error)


def damaged(path: Path, error: duckdb.Error) -> str:
    """Return what to say of a file that DuckDB cannot make sense of."""
    return (
        f"{path} cannot be opened as a DuckDB file: {_first_line(str(error))} It is left as it is; "
        "restore it from a copy, or set store.url (PASSERELLE_STORE__URL) to another file"
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".") + "."
