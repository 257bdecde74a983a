"""The steps between the forms of the registry's tables, run by Alembic.

Apart from `devices.registry.migrate`, which asks whether there is anything to do: loading Alembic
takes every program a tenth of a second, and almost never is there.
"""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from devices.registry.migrate import BASE, HEAD, present

_alembic = threading.Lock()
"""Alembic's context is one for the process: two threads may not run it at once."""


def run(connection: Connection, revision: str) -> None:
    """Run the steps from the present form to `revision` on `connection`, in its transaction.

    Forms are numbered: one of a greater number is later.
    """
    configuration = alembic_config()
    configuration.attributes["connection"] = connection
    later = revision == HEAD or (revision != BASE and revision > (present(connection) or ""))
    with _alembic:
        (command.upgrade if later else command.downgrade)(configuration, revision)


def alembic_config() -> Config:
    """Return Alembic's configuration: there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", "devices.registry:migrations")
    return configuration
