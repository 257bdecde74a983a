"""What only SQLite can get wrong: its settings, its one writer, its file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from core.access import EVERYTHING
from core.clock import ManualClock
from core.errors import ConfigurationError
from devices.registry import Registry, RegistryUnavailableError
from devices.registry.database import Database
from tests.contract.registry_data import NOW_NS, device, ledger_row

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from core.clock import SystemClock
from devices.registry import Registry
from tests.contract.registry_data import device, ledger_row, letter
registry = Registry.open(sys.argv[1], clock=SystemClock())
number = int(sys.argv[2])
while True:
    number += 1
    registry.ledger.publish([ledger_row(f"d-{n}", stored=number) for n in range(200)])
    registry.dead_letters.publish([letter(number, payload=bytes(4000))])
    registry.devices.add_many([device(f"d-{number}-{n}") for n in range(10)])
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def registry(path: Path) -> Iterator[Registry]:
    registry = Registry(Database(f"sqlite:///{path}", wait_s=0.2), clock=ManualClock(NOW_NS))
    registry.migrate()
    registry.seed([], [])
    yield registry
    registry.close()


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_the_settings_that_durability_rests_on_are_really_set(
    registry: Registry, pragma: str, value: object
) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: registry.ping(), range(6)))
    with registry._database.write() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 200


def test_a_site_with_devices_cannot_vanish(registry: Registry, path: Path) -> None:
    registry.devices.add(device("d-1"))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM sites")
    connection.close()


def test_a_lock_that_is_not_released_is_an_outage_and_reading_goes_on(
    registry: Registry, path: Path
) -> None:
    plain, _ = registry.keys.create("a", grants=EVERYTHING)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryUnavailableError, match="database is locked"):
        registry.ledger.publish([ledger_row(stored=1)])
    with pytest.raises(RegistryUnavailableError, match="database is locked"):
        registry.devices.add(device("d-1"))
    assert len(registry.sites.list()) == 2
    assert registry.keys.verify(plain) is not None
    registry.migrate()
    registry.seed([], [])
    other.execute("ROLLBACK")
    other.close()
    registry.devices.add(device("d-1"))


def test_writers_wait_for_each_other(registry: Registry, path: Path) -> None:
    patient = Registry(Database(f"sqlite:///{path}", wait_s=30), clock=ManualClock(NOW_NS))
    with registry._database.write():
        waiting = threading.Thread(target=patient.devices.add, args=(device("d-1"),))
        waiting.start()
        waiting.join(timeout=0.1)
        assert waiting.is_alive()
    waiting.join()
    assert patient.devices.get("d-1").id == "d-1"
    patient.close()


def test_a_transaction_that_fails_leaves_nothing_behind(registry: Registry) -> None:
    def change() -> None:
        with registry._database.change() as connection:
            connection.execute(text("DELETE FROM sites"))
            connection.execute(text("DELETE FROM nothing_like_that"))

    with pytest.raises(RegistryUnavailableError, match="nothing_like_that"):
        change()
    assert len(registry.sites.list()) == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://host/name",
        "postgresql+asyncpg://h",
    ],
)
def test_an_address_that_the_registry_cannot_be_kept_in_is_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"registry\.url"):
        Registry.open(url, clock=ManualClock(NOW_NS))


def test_opening_touches_nothing(tmp_path: Path) -> None:
    Registry.open(f"sqlite:///{tmp_path}/new/registry.db", clock=ManualClock(NOW_NS)).close()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_or_file_that_cannot_be_used_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am no database, I am a file of text. " * 100)
    for place in ("file/registry.db", "file", "."):
        registry = Registry.open(f"sqlite:///{tmp_path / place}", clock=ManualClock(NOW_NS))
        for attempt in (registry.migrate, registry.ping):
            with pytest.raises(RegistryUnavailableError, match="registry"):
                attempt()
        registry.close()


def test_a_directory_with_odd_characters_is_fine(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/100% é #1 'x'/registry.db"
    registry = Registry.open(url, clock=ManualClock(NOW_NS))
    registry.migrate()
    registry.ping()
    registry.close()
    assert (tmp_path / "100% é #1 'x'" / "registry.db").exists()


def test_a_number_beyond_64_bits_is_refused_as_such(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="64 bits"):
        registry.ledger.read(start_hour=2**70)


def test_what_was_written_before_a_kill_is_there_after_it(path: Path, registry: Registry) -> None:
    random = Random(20)
    confirmed = 0
    told: list[int] = []
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, f"sqlite:///{path}", str(confirmed)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(random.randint(1, 6))]
        assert all(lines), "the writer ended by itself"
        process.kill()
        told += [int(line) for line in [*lines, *process.stdout]]
        process.wait()
        process.stdout.close()
        rows = registry.ledger.read()
        reached = {row.stored for row in rows}
        assert len(reached) == 1, "a batch is kept whole or not at all"
        [confirmed] = reached
        assert confirmed >= told[-1]
        assert all(registry.dead_letters.exists(f"worker-1-{number}") for number in told)
        devices = [one.id for one in registry.devices.all()]
        assert {f"d-{number}-{n}" for number in told for n in range(10)} <= set(devices)
        assert len(devices) % 10 == 0, "an import is kept whole or not at all"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_new_file_that_another_process_is_writing_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE one (n INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    ending.start()
    database = Database(f"sqlite:///{file}")
    with database.read() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    database.close()
    ending.join()
    other.close()


def test_a_file_that_stays_locked_is_told(tmp_path: Path) -> None:
    file = tmp_path / "registry.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("CREATE TABLE one (n INTEGER)")
    other.execute("BEGIN IMMEDIATE")
    database = Database(f"sqlite:///{file}", wait_s=0.1)
    with pytest.raises(RegistryUnavailableError, match="database is locked"), database.read():
        pass
    database.close()
    other.close()
