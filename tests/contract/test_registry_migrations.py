"""What the registry promises of its tables' form, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.clock import ManualClock
from core.errors import ConfigurationError
from devices.registry import Registry
from devices.registry.database import Database
from devices.registry.errors import RegistryUnavailableError
from devices.registry.migrate import BASE, HEAD, forms, migrate
from devices.registry.steps import alembic_config
from devices.registry.tables import metadata
from tests.contract.registry_data import DATABASES, NOW_NS, device, ledger_row, letter, new_address

ROOT = Path(__file__).parents[2]
FORMS = sorted(
    one.revision for one in ScriptDirectory.from_config(alembic_config()).walk_revisions()
)
MIGRATE = """
import sys
from core.clock import SystemClock
from devices.registry import Registry
registry = Registry.open(sys.argv[1], clock=SystemClock())
registry.migrate()
registry.seed([], [])
registry.close()
"""


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_address(request, tmp_path, empty=True)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def form(database: Database) -> str | None:
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def collations(database: Database) -> dict[tuple[str, str], str | None]:
    """Return what PostgreSQL says of each column; nothing for SQLite."""
    if database.kind == "sqlite":
        return {}
    with database.read() as connection:
        query = (
            "SELECT table_name, column_name, collation_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
        )
        return {(table, column): name for table, column, name in connection.execute(text(query))}


def test_the_forms_are_numbered_in_their_order() -> None:
    assert [f"{number:04}" for number in range(1, len(FORMS) + 1)] == FORMS


def test_the_migrations_make_the_tables_that_the_program_expects(database: Database) -> None:
    migrate(database)
    assert form(database) == FORMS[-1]
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    declared = {
        (table.name, column.name): column.type.dialect_impl(database.engine.dialect).collation  # type: ignore[attr-defined]
        for table in metadata.tables.values()
        for column in table.columns
        if hasattr(column.type, "collation")
    }
    found = collations(database)
    for place, collation in declared.items():
        assert found.get(place) == (collation if found else None), place


def test_each_form_can_be_left_and_reached_again_with_the_data_kept(database: Database) -> None:
    migrate(database)
    registry = Registry(database, clock=ManualClock(NOW_NS))
    registry.seed([], [])
    registry.devices.add(device("d-1"))
    registry.ledger.publish([ledger_row("d-1", stored=1)])
    registry.dead_letters.publish([letter(1)])
    migrate(database, revision=FORMS[-2])
    assert form(database) == FORMS[-2]
    migrate(database, revision=FORMS[-2])
    assert tables(database) <= set(metadata.tables)
    migrate(database)
    assert form(database) == FORMS[-1]
    assert registry.devices.get("d-1").created_ns == NOW_NS
    assert registry.ledger.totals().stored == 1
    assert registry.dead_letters.get("worker-1-1") == letter(1)


def test_the_way_down_to_nothing_and_up_step_by_step(database: Database) -> None:
    migrate(database)
    migrate(database, revision=BASE)
    assert form(database) is None
    assert tables(database) == set()
    for one in FORMS:
        migrate(database, revision=one)
        assert form(database) == one
    assert tables(database) == set(metadata.tables)


def test_processes_that_start_at_once_migrate_and_seed_once(url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE, url],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    told = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0, 0], told
    registry = Registry.open(url, clock=ManualClock(NOW_NS))
    assert [site.id for site in registry.sites.list()] == ["diamniadio", "elgazala"]
    assert registry.revision() == 2
    registry.close()


def test_threads_of_one_process_may_migrate_at_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: migrate(database), range(4)))
    assert form(database) == FORMS[-1]


def test_the_steps_are_those_that_are_there(database: Database) -> None:
    assert forms() == FORMS
    migrate(database)
    assert form(database) == FORMS[-1]


def test_a_step_that_fails_leaves_the_form_before(database: Database) -> None:
    migrate(database, revision=FORMS[0])
    with database.write() as connection:
        connection.execute(text("DROP TABLE dead_letters"))
    before = tables(database), collations(database)
    with pytest.raises(RegistryUnavailableError, match="dead_letters"):
        migrate(database)
    assert form(database) == FORMS[0]
    assert (tables(database), collations(database)) == before


def test_tables_of_a_newer_program_are_left_alone_with_a_sentence(database: Database) -> None:
    migrate(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="'9999' of a newer Passerelle"):
        migrate(database, revision=HEAD)
    assert form(database) == "9999"


def test_a_registry_without_tables_says_what_to_do(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    registry = Registry.open(url, clock=ManualClock(NOW_NS))
    with pytest.raises(RegistryUnavailableError, match="start a worker or the API once"):
        registry.sites.list()
    with pytest.raises(RegistryUnavailableError, match="start a worker or the API once"):
        registry.devices.add(device("d-1"))
    registry.close()
