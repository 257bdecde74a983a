"""The registry's engine: SQLite or PostgreSQL, one short transaction per call.

Threads: any; SQLAlchemy's pool gives each transaction a connection of its own. SQLite has one
writer: a transaction that writes takes its lock at the start, so none fails half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, event, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from core.errors import ConfigurationError
from devices.registry import tables
from devices.registry.errors import RegistryUnavailableError

_BUSY_MS = 30_000
_ROWS = 500


class Database:
    """An engine and its transactions.

    Args:
        url: SQLAlchemy address, `sqlite:///...` or `postgresql+psycopg://...`.

    Raises:
        ConfigurationError: the address is of neither kind.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            parsed = None
        if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ConfigurationError(
                "setting registry.url must be sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
            )
        self.kind = parsed.get_backend_name()
        self.where = f"{parsed.host}/{parsed.database}" if parsed.host else str(parsed.database)
        if self.kind == "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise ConfigurationError("setting registry.url: SQLite needs a file, not memory")
            self.file = Path(str(parsed.database))
            self.engine = create_engine(parsed, connect_args={"timeout": _BUSY_MS / 1000})
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                connect_args={"connect_timeout": 5},
            )

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
            sqlalchemy.exc.IntegrityError: a constraint was broken.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            if self.kind == "sqlite":
                self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.engine.connect() as connection:
                connection = connection.execution_options(registry_writes=writes)  # noqa: PLW2901
                with connection.begin():
                    yield connection
        except IntegrityError:
            raise
        except (DBAPIError, OSError) as error:
            told = str(getattr(error, "orig", error)).strip().splitlines()
            raise RegistryUnavailableError(
                f"the registry {self.where} does not answer: {told[0] if told else error}"
            ) from None
        except SQLAlchemyError as error:
            raise RegistryUnavailableError(
                f"the registry {self.where} does not answer: {error}"
            ) from None


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; where the primary key is there already, replace the other columns."""
    keys = [column.name for column in table.primary_key.columns]
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    for start in range(0, len(rows), _ROWS):
        connection.execute(statement, list(rows[start : start + _ROWS]))


def bump(connection: Connection) -> None:
    """Say that sites, devices, profiles, bindings or aliases changed."""
    connection.execute(update(tables.revision).values(value=tables.revision.c.value + 1))


def storable(text: str, *, longest: int | None = None) -> str:
    """Return `text` as every database can hold it: NUL written as an escape, cut if too long."""
    clean = text.replace("\x00", "\\x00")
    return clean if longest is None or len(clean) <= longest else f"{clean[: longest - 3]}..."


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("registry_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
