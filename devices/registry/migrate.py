"""Bringing the registry's tables to the present form; several processes may do so at once."""

from __future__ import annotations

import re
from importlib.resources import files

from sqlalchemy import Connection, inspect, text

from core.errors import ConfigurationError
from devices.registry.database import Database
from devices.registry.errors import RegistryUnavailableError

HEAD = "head"
BASE = "base"
_ADVISORY_LOCK = 0x7061737365
_LONGEST_WAIT_S = 600
_STEP = re.compile(r"(\d{4})_\w+\.py")


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
    known = forms()
    wanted = known[-1] if revision == HEAD else revision
    with database.read() as connection:
        if present(connection) == wanted:
            return
    from devices.registry.steps import run  # noqa: PLC0415 - loads Alembic

    with database.write() as connection:
        if database.kind == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT_S}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        found = present(connection)
        if found not in {None, *known}:
            raise ConfigurationError(
                f"the registry {database.where} has the form {found!r} of a newer Passerelle, "
                f"this one knows it up to {known[-1]!r}; update this program"
            )
        run(connection, revision)


def forms() -> list[str]:
    """Return the numbers of the forms that this program knows, the present one last."""
    steps = files("devices.registry.migrations.versions").iterdir()
    return sorted(found[1] for step in steps if (found := _STEP.fullmatch(step.name)))


def present(connection: Connection) -> str | None:
    """Return the number of the form that the tables have; None: there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    number: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar()
    return number
