"""pytest plugin: the registry's tables are made once a run, and copied for each test.

A dozen steps take a third of a second on each database, and hundreds of tests want one. What is
copied was made by the steps themselves; the tests of the steps (`test_registry_migrations.py`) run
them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from core.clock import SystemClock
from devices.registry import Registry, registry
from devices.registry.database import Database
from devices.registry.migrate import migrate
from tests.servers.postgres import Postgres


@pytest.fixture(scope="session", autouse=True)
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have a registry on a new SQLite file begin as a copy of one that has its tables."""
    template = tmp_path_factory.mktemp("registry") / "registry.db"
    _make_tables(f"sqlite:///{template}")

    def copied(database: Database) -> None:
        file = database.file
        if file is not None and not file.exists():
            with suppress(OSError):  # the steps say what is wrong
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(template, file)
        migrate(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "migrate", copied)
        yield


@pytest.fixture(scope="session")
def _postgres_template(postgres: Postgres) -> Iterator[str]:
    url = postgres.create_database()
    _make_tables(url)
    yield url
    postgres.drop_database(url)


@pytest.fixture
def postgres_registry(postgres: Postgres, _postgres_template: str) -> Iterator[Callable[[], str]]:
    """Create databases with the registry's tables, dropped after the test."""
    with ExitStack() as stack:

        def make() -> str:
            url = postgres.create_database(template=_postgres_template)
            stack.callback(postgres.drop_database, url)
            return url

        yield make


def _make_tables(url: str) -> None:
    opened = Registry.open(url, clock=SystemClock())
    opened.migrate()
    opened.close()
