"""Bringing the registry's tables to the present form; several processes may do so at once."""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from core.errors import ConfigurationError
from devices.registry.database import Database
from devices.registry.errors import RegistryUnavailableError

HEAD = "head"
BASE = "base"
_ADVISORY_LOCK = 0x7061737365
_LONGEST_WAIT_S = 600
_alembic = threading.Lock()
"""Alembic's context is one for the process: two threads may not run it at once."""


def migrate(database: Database, *, revision: str = HEAD) -> None:
    """Upgrade (or downgrade, for a revision before the present one) in one transaction.

    Nothing is locked when there is nothing to do. SQLite: the transaction holds the write lock
    from its start. PostgreSQL: an advisory lock. Whoever comes second finds the work done.

    Raises:
        RegistryUnavailableError: the database does not answer.
        ConfigurationError: a newer Passerelle brought the tables to a form unknown to this one.
    """
    if database.file is not None:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RegistryUnavailableError(
                f"the directory of the registry {database.where} cannot be made: {error.strerror}"
            ) from None
    scripts = ScriptDirectory.from_config(alembic_config())
    wanted = scripts.get_current_head() if revision == HEAD else revision
    with database.read() as connection:
        if _present(connection) == wanted:
            return
    with database.write() as connection:
        if database.kind == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT_S}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        present = _present(connection)
        if present not in {None, *(one.revision for one in scripts.walk_revisions())}:
            raise ConfigurationError(
                f"the registry {database.where} has the form {present!r} of a newer Passerelle, "
                f"this one knows it up to {scripts.get_current_head()!r}; update this program"
            )
        run(connection, revision)


def run(connection: Connection, revision: str) -> None:
    """Run the steps from the present form to `revision` on `connection`, in its transaction.

    Forms are numbered: one of a greater number is later.
    """
    configuration = alembic_config()
    configuration.attributes["connection"] = connection
    later = revision == HEAD or (revision != BASE and revision > (_present(connection) or ""))
    with _alembic:
        (command.upgrade if later else command.downgrade)(configuration, revision)


def alembic_config() -> Config:
    """Return Alembic's configuration: there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", "devices.registry:migrations")
    return configuration


def _present(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
