"""Bringing the registry's tables to the present form; several processes may do so at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from devices.registry.database import Database

_ADVISORY_LOCK = 0x7061737365
HEAD = "head"


def migrate(database: Database, *, revision: str = HEAD) -> None:
    """Upgrade (or downgrade, for a revision before the present one) in one transaction.

    SQLite: the transaction holds the write lock from its start. PostgreSQL: an advisory lock.

    Raises:
        RegistryUnavailableError: the database does not answer.
    """
    with database.write() as connection:
        if database.kind == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        run(connection, revision)


def run(connection: Connection, revision: str) -> None:
    """Run the steps on `connection`, inside its transaction."""
    configuration = alembic_config()
    configuration.attributes["connection"] = connection
    if revision == HEAD:
        command.upgrade(configuration, revision)
    else:
        command.downgrade(configuration, revision)


def alembic_config() -> Config:
    """Return Alembic's configuration: there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return configuration
