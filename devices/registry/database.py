"""The registry's engine: SQLite or PostgreSQL, one short transaction per call.

Threads: any; SQLAlchemy's pool gives each transaction a connection of its own. SQLite has one
writer: a transaction that writes takes its lock at the start, so none fails half-way. On PostgreSQL
ledgers and dead letters are written side by side; what is read before it is changed (`change`)
is locked by the row of the revision counter, so those writers come one after the other there too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    collate,
    create_engine,
    event,
    func,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from core.errors import ConfigurationError, ConflictError
from devices.registry.errors import RegistryUnavailableError
from devices.registry.tables import revision

WAIT_S = 30.0
"""How long a transaction waits for another one's lock, seconds."""
_LOOK_AGAIN_S = 0.02
_ANY_LANGUAGE = "und-x-icu"
_UNDEFINED = ("42P01", "42703")  # PostgreSQL: undefined table, undefined column


class Database:
    """An engine and its transactions.

    Args:
        url: SQLAlchemy address, `sqlite:///...` or `postgresql+psycopg://...`.
        wait_s: how long to wait for another transaction's lock, seconds.

    Raises:
        ConfigurationError: the address is of neither kind.
    """

    def __init__(self, url: str, *, wait_s: float = WAIT_S) -> None:
        self.writes = 0
        parsed = _parsed(url)
        self.kind = parsed.get_backend_name()
        self.file: Path | None = None
        if self.kind == "sqlite":
            self.file = Path(str(parsed.database))
            self.where = str(self.file)
            self.engine = _sqlite(parsed, wait_s)
        else:
            self.where = f"{parsed.host or 'local'}/{parsed.database or ''}"
            self.engine = _postgresql(parsed, wait_s)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that writes nothing.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or not at all.

        Raises:
            RegistryUnavailableError: the database does not answer.
            ConflictError: a constraint was broken.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[Connection]:
        """As `write`, one at a time: what it reads is not changed by others before its end."""
        with self._transaction(writes=True) as connection:
            connection.execute(select(revision.c.value).with_for_update())
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                connection.execution_options(registry_writes=writes)
                try:
                    with connection.begin():
                        yield connection
                finally:
                    self.writes += writes
        except IntegrityError as error:
            raise ConflictError(f"the registry refuses it: {_told(error)}") from None
        except DataError as error:
            raise ConfigurationError(f"the registry cannot keep it: {_told(error)}") from None
        except OverflowError:
            raise ConfigurationError(
                "a number is beyond 64 bits; times are nanoseconds since the epoch"
            ) from None
        except (SQLAlchemyError, OSError) as error:
            told = _told(error)
            if isinstance(error, DBAPIError) and _lacks_tables(error):
                told += "; start a worker or the API once, which bring its tables to their form"
            raise RegistryUnavailableError(
                f"the registry {self.where} does not answer: {told}"
            ) from None


def bump(connection: Connection) -> None:
    """Say that sites, devices, assignments, profiles, bindings, aliases or alert rules changed."""
    connection.execute(update(revision).values(value=revision.c.value + 1))


def lowered(connection: Connection, column: ColumnElement[str]) -> ColumnElement[str]:
    """Return the column in lower case, in every script, whatever the database's own language."""
    if connection.dialect.name == "postgresql":
        return func.lower(collate(column, _ANY_LANGUAGE))
    return func.lower(column)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in (
        "sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg",
    ):  # fmt: skip
        raise ConfigurationError(
            "setting registry.url must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigurationError("setting registry.url: SQLite needs a file, not memory")
    return parsed


def _sqlite(url: URL, wait_s: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": wait_s})

    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        _keep_a_log(connection, wait_s)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.create_function("lower", 1, _lower, deterministic=True)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _keep_a_log(connection: sqlite3.Connection, wait_s: float) -> None:
    """Have SQLite write ahead to a log.

    Changing a new file to it needs the file for oneself, and SQLite does not wait for that: of
    processes that start at once, all but one are told that the database is locked.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_AGAIN_S)
        else:
            return


def _postgresql(url: URL, wait_s: float) -> Engine:
    """Make an engine whose connections notice a server that is gone, and do not wait for ever."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "application_name": "passerelle",
        }
        | dict(url.query),
    )

    def prepare(connection: Any, _record: Any) -> None:
        connection.execute(f"SET lock_timeout = {round(wait_s * 1000)}")
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("registry_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _lower(text: str | None) -> str | None:
    """SQLite's own knows only ASCII."""
    return None if text is None else text.lower()


def _lacks_tables(error: DBAPIError) -> bool:
    told = str(error.orig)
    return getattr(error.orig, "sqlstate", None) in _UNDEFINED or told.startswith(
        ("no such table", "no such column")
    )


def _told(error: BaseException) -> str:
    """Return the first line of what the database said, without the statement and its values."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
