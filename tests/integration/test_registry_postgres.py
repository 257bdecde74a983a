"""The registry on a real PostgreSQL: outages, locks, a database of another language."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from core.clock import ManualClock
from devices.registry import Registry, RegistryUnavailableError
from devices.registry.database import Database
from tests.contract.registry_data import NOW_NS, device, ledger_row, letter
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres, PostgresServer
from tests.servers.waiting import wait_until

ROOT = Path(__file__).parents[2]
PUBLISH = """
import sys
from core.clock import SystemClock
from devices.registry import Registry
from tests.contract.registry_data import ledger_row, letter
registry = Registry.open(sys.argv[1], clock=SystemClock())
worker = sys.argv[2]
for count in range(1, 21):
    registry.ledger.publish(
        [ledger_row(f"d-{n}", worker=worker, stored=count) for n in range(500)]
    )
    registry.dead_letters.publish(
        [letter(n, id=f"{worker}-{n}", worker=worker) for n in range(100)]
    )
registry.close()
"""


def opened(url: str, *, wait_s: float = 30.0) -> Registry:
    return Registry(Database(url, wait_s=wait_s), clock=ManualClock(NOW_NS))


@pytest.fixture
def url(postgres_database: Callable[[], str]) -> str:
    return postgres_database()


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    registry = opened(url, wait_s=0.2)
    registry.migrate()
    registry.seed([], [])
    yield registry
    registry.close()


def plain(url: str) -> str:
    """Return the address as psycopg takes it."""
    return url.replace("postgresql+psycopg", "postgresql")


def test_an_outage_is_told_and_the_registry_goes_on_when_the_server_is_back(
    postgres_server: PostgresServer,
) -> None:
    if not postgres_server.answers():
        postgres_server.start()
    registry = opened(postgres_server.access.create_database())
    registry.migrate()
    registry.seed([], [])
    registry.devices.add(device("d-1"))
    for take_down in (postgres_server.stop, postgres_server.kill):
        take_down()
        for attempt in (
            registry.ping,
            registry.revision,
            registry.devices.all,
            registry.migrate,
            lambda: registry.ledger.publish([ledger_row(stored=1)]),
        ):
            with pytest.raises(RegistryUnavailableError, match="does not answer") as caught:
                attempt()
            assert "throwaway" not in caught.value.detail
        postgres_server.start()
        registry.ping()
        registry.ledger.publish([ledger_row(stored=1)])
        assert registry.devices.get("d-1").created_ns == NOW_NS
    registry.close()


def test_a_connection_cut_in_the_middle_is_an_outage_and_nothing_is_kept(
    registry: Registry, url: str
) -> None:
    def cut() -> None:
        with registry._database.change() as connection:
            registry_pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            connection.exec_driver_sql("DELETE FROM sites")
            with psycopg.connect(plain(url), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (registry_pid,))
            connection.exec_driver_sql("DELETE FROM devices")

    with pytest.raises(RegistryUnavailableError, match="does not answer"):
        cut()
    assert len(registry.sites.list()) == 2


def test_a_server_that_is_not_there_is_an_outage_at_once() -> None:
    registry = opened(f"postgresql+psycopg://user:secret@127.0.0.1:{free_port()}/name")
    with pytest.raises(RegistryUnavailableError, match=r"127\.0\.0\.1/name") as caught:
        registry.ping()
    assert "secret" not in str(caught.value)
    registry.close()


def test_a_wrong_password_or_database_is_told_without_a_hint_at_migrating(url: str) -> None:
    parts = urlsplit(url)
    wrong = urlunsplit(parts._replace(path="/no_such_database"))
    registry = opened(wrong)
    with pytest.raises(RegistryUnavailableError, match="no_such_database") as caught:
        registry.ping()
    assert "start a worker" not in caught.value.detail
    registry.close()


def test_a_lock_that_is_not_released_is_an_outage(registry: Registry, url: str) -> None:
    registry.ledger.publish([ledger_row(stored=1)])
    with psycopg.connect(plain(url)) as other:
        other.execute("LOCK TABLE ledger, devices IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RegistryUnavailableError, match="lock timeout"):
            registry.ledger.publish([ledger_row(stored=2)])
        with pytest.raises(RegistryUnavailableError, match="lock timeout"):
            registry.devices.add(device("d-1"))
        other.rollback()
    registry.ledger.publish([ledger_row(stored=2)])
    assert registry.ledger.totals().stored == 2


def test_workers_publish_side_by_side_while_devices_change(registry: Registry, url: str) -> None:
    with registry._database.change() as connection:
        connection.exec_driver_sql("SELECT 1")
        worker = opened(url, wait_s=0.2)
        worker.ledger.publish([ledger_row(stored=1)])
        worker.dead_letters.publish([letter(1)])
        with pytest.raises(RegistryUnavailableError, match="lock timeout"):
            worker.devices.add(device("d-1"))
        worker.close()


def test_workers_of_the_same_name_do_not_stand_in_each_others_way(
    registry: Registry, url: str
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISH, url, worker],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in ("worker-1", "worker-1", "worker-2")
    ]
    told = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    assert registry.ledger.totals().stored == 2 * 500 * 20
    assert registry.dead_letters.counts() == {("malformed", "open"): 200}


def test_a_worker_that_is_killed_leaves_whole_batches_and_no_lock(
    registry: Registry, url: str
) -> None:
    process = subprocess.Popen([sys.executable, "-c", PUBLISH, url, "worker-1"], cwd=ROOT)
    wait_until(lambda: registry.ledger.totals().stored > 0, what="it has published", seconds=60)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: published(registry), what="its lock is released", seconds=20)
    assert {row.stored for row in registry.ledger.read()} == {99}


def published(registry: Registry) -> bool:
    """Publish what the killed worker published, once its transaction is gone."""
    try:
        registry.ledger.publish([ledger_row(f"d-{n}", stored=99) for n in range(500)])
    except RegistryUnavailableError:
        return False
    return True


def test_order_and_search_do_not_depend_on_the_databases_language(postgres: Postgres) -> None:
    name = "test_french"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'fr'"
            " LOCALE 'C'"
        )
    url = urlunsplit(urlsplit(postgres.url)._replace(scheme="postgresql+psycopg", path=f"/{name}"))
    registry = opened(url)
    try:
        registry.migrate()
        registry.seed([], [])
        ids = ["a-b", "a.b", "a0", "a_b", "ab", "a-c"]
        registry.devices.add_many([device(one, name=f"Étage {one}") for one in ids])
        assert [one.id for one in registry.devices.all()] == sorted(ids)
        paged: list[str] = []
        while page := registry.devices.list(after=paged[-1] if paged else None, limit=1):
            paged += [one.id for one in page]
        assert paged == sorted(ids)
        assert len(registry.devices.list(search="éTAGE")) == len(ids)
        names = ["É", "e", "Z", "a", "ab", "a-b"]
        registry.ledger.publish([ledger_row(one, stored=1) for one in names])
        assert [row.device for row in registry.ledger.read()] == sorted(names)
    finally:
        registry.close()
        postgres.drop_database(url)
