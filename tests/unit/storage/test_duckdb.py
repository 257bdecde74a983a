"""The DuckDB file: kept through crashes and full disks, and left alone when it is not ours."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, StoreUnavailableError
from core.quality import Quality
from core.reading import DeviceKey, Point
from storage.backends.duckdb.batch import spans
from storage.backends.duckdb.store import DuckDBStore
from storage.ports import Store
from tests.contract.storage_data import (
    DAY,
    HOUR,
    MINUTE,
    T0,
    everything,
    point,
    selection,
    stored,
    values,
)

ROOT = Path(__file__).parents[3]
AHEAD = selection(end=T0 + 20_000 * DAY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a store's file goes."""
    return tmp_path / "telemetry.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Open a store on an empty file."""
    opened = DuckDBStore(path=path)
    yield opened
    opened.close()


def program(path: Path, text: str) -> subprocess.Popen[str]:
    """Start a Python program in which `path` is the store's file."""
    head = f"""
        import os, signal, sys
        from pathlib import Path
        from core.errors import ConfigurationError
        from storage.backends.duckdb.store import DuckDBStore
        from storage.ports import Retry, Written
        from tests.contract.storage_data import MINUTE, T0, point, selection, DAY
        path = Path({str(path)!r})
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(text)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    """Return all that a program printed; it must have ended well."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output.splitlines()


def test_a_killed_process_loses_nothing_that_write_returned_for(path: Path) -> None:
    rng = random.Random(5)
    promised = 0
    for _ in range(6):
        process = program(
            path,
            f"""
            store = DuckDBStore(path=path)
            for number in range({promised}, 10**6):
                first = T0 + number * MINUTE
                batch = [point(first + index, 1.0, quality=16) for index in range(200)]
                assert store.write(batch) == Written()
                print(number, flush=True)
            """,
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 40)):
            promised = int(process.stdout.readline()) + 1
        process.kill()
        promised = max([promised, *(int(line) + 1 for line in process.stdout)])
        process.stdout.close()
        process.wait(10)
        store = DuckDBStore(path=path)
        try:
            found = store.count(AHEAD)
            assert found >= promised * 200
            assert found % 200 == 0, "a batch is there whole or not at all"
            assert store.latest(AHEAD.devices)[0].quality == Quality.SIMULATED
        finally:
            store.close()


def test_a_second_process_is_told_in_one_sentence(path: Path, store: Store) -> None:
    stored(store, [point(T0)])
    process = program(
        path,
        """
        try:
            DuckDBStore(path=path)
        except ConfigurationError as error:
            print(error.detail)
        """,
    )
    [line] = said(process)
    assert line.startswith(f"the store {path} is open in another process; stop it")
    stored(store, [point(T0 + 1)])


def test_a_second_store_in_one_process_is_refused(path: Path, store: Store) -> None:
    with pytest.raises(ConfigurationError, match="already open in this process"):
        DuckDBStore(path=path)
    stored(store, [point(T0)])
    assert values(store) == [20.0]


@pytest.mark.parametrize("size", [1, 100, 5000, 100_000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, size: int) -> None:
    path.write_bytes(b"not a database\n" * size)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="It is left as it is"):
        DuckDBStore(path=path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are enough


@pytest.mark.parametrize("where", [0.0, 0.02, 0.5])
def test_a_damaged_file_is_an_error_when_opened_or_read(path: Path, where: float) -> None:
    store = DuckDBStore(path=path)
    stored(store, [point(T0 + index, random.Random(index).random()) for index in range(50_000)])
    store.close()
    whole = bytearray(path.read_bytes())
    for first in range(int(len(whole) * where), len(whole) - 64, 8192):
        whole[first : first + 64] = b"\xaa" * 64
    path.write_bytes(whole)
    with pytest.raises((ConfigurationError, StoreUnavailableError), match=path.name) as raised:
        _read_whole(path)
    assert "\n" not in raised.value.detail
    assert path.read_bytes() == whole


def _read_whole(path: Path) -> None:
    store = DuckDBStore(path=path)
    try:
        everything(store, selection())
    finally:
        store.close()


def test_a_file_cut_short_is_refused_and_left_alone(path: Path) -> None:
    store = DuckDBStore(path=path)
    stored(store, [point(T0 + index) for index in range(1000)])
    store.close()
    short = path.read_bytes()[:10_000]
    path.write_bytes(short)
    with pytest.raises(ConfigurationError, match="It is left as it is"):
        DuckDBStore(path=path)
    assert path.read_bytes() == short


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE recipes (name VARCHAR)")
    with pytest.raises(ConfigurationError, match=r"a DuckDB file of something else.*recipes"):
        DuckDBStore(path=path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("recipes",)]


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    DuckDBStore(path=path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE layout SET version = 7")
    with pytest.raises(ConfigurationError, match="layout 7"):
        DuckDBStore(path=path)


def test_a_missing_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no directory .*nowhere; create it"):
        DuckDBStore(path=tmp_path / "nowhere" / "telemetry.duckdb")
    with pytest.raises(ConfigurationError, match="cannot be"):
        DuckDBStore(path=tmp_path)


def test_a_full_disk_is_a_reason_to_retry_and_loses_nothing(path: Path) -> None:
    """The bound on a file's size stands for the disk; a low threshold makes checkpoints frequent.

    DuckDB gives up on its database when a checkpoint fails: the store opens it anew by itself.
    """
    process = program(
        path,
        """
        import resource
        import duckdb
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = DuckDBStore(path=path)
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET GLOBAL wal_autocheckpoint = '200KB'")
        def write(number):
            import random
            return store.write([point(T0 + number * DAY + index * MINUTE, random.random())
                                for index in range(1000)])
        number = 0
        while path.stat().st_size < 2_000_000:
            assert write(number) == Written()
            number += 1
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5000, most))
        reasons = []
        while len(reasons) < 5:
            outcome = write(number)
            if isinstance(outcome, Retry):
                reasons.append(outcome.reason)
            else:
                number += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        for _ in range(20):
            assert write(number) == Written()
            number += 1
        assert store.count(selection(end=T0 + 20_000 * DAY)) == number * 1000
        for reason in reasons:
            print(reason)
        print(number, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    output, _ = process.communicate(timeout=120)
    *reasons, number = output.splitlines()
    assert process.returncode == -9
    assert all("File too large" in reason for reason in reasons)
    assert any("checkpoint" in reason for reason in reasons)
    store = DuckDBStore(path=path)
    try:
        assert store.count(AHEAD) == int(number) * 1000
    finally:
        store.close()


def test_people_may_read_the_file_with_duckdb(path: Path) -> None:
    store = DuckDBStore(path=path)
    battery = Point("elgazala", "thermo-1", "device_health", T0, {"battery_level": 80.0})
    stored(store, [point(T0 + 1, 21.5, quality=Quality.LATE), battery])
    store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "SELECT site, device, category, quantity, time::VARCHAR, value, quality "
            "FROM readings ORDER BY quantity"
        ).fetchall()
    second = "2026-09-21 14:13:20"
    assert rows == [
        ("elgazala", "thermo-1", "environment", "air_temperature", f"{second}.000000001", 21.5, 8),
        ("elgazala", "thermo-1", "device_health", "battery_level", second, 80.0, 0),
    ]


def test_a_straggler_in_a_batch_is_merged_apart() -> None:
    today = [T0 + index * MINUTE for index in range(100)]
    last_year = [T0 - 300 * DAY, T0 - 300 * DAY + HOUR]
    assert list(spans([*today, *last_year, T0])) == [
        (last_year[0], last_year[1]),
        (today[0], today[-1]),
    ]


@given(st.lists(st.integers(-(2**63) + 2, 2**63 - 2), min_size=1, max_size=50))
def test_spans_are_few_apart_and_hold_every_instant(times: list[int]) -> None:
    found = list(spans(times))
    assert len(found) <= 8
    for time_ns in times:
        assert sum(first <= time_ns <= last for first, last in found) == 1
    assert all(first in times and last in times for first, last in found)


def test_a_rewrite_finds_its_points_wherever_they_are(store: Store) -> None:
    instants = [T0 + day * DAY for day in (0, 1, 5, 40, 300, 301, 1000, 2000, 3000, 4000, 5000)]
    stored(store, [point(instant, 1.0) for instant in instants])
    stored(store, [point(instant, 2.0) for instant in reversed(instants)])
    assert values(store, AHEAD) == [2.0] * len(instants)


def test_names_come_and_go_with_their_transaction(path: Path, store: Store) -> None:
    keys = [DeviceKey("s", f"d{index}") for index in range(50)]
    for key in keys:
        stored(store, [point(T0, key=key)])
        stored(store, [point(T0, None, humidity=1.0, key=key)])
    store.close()
    again = DuckDBStore(path=path)
    try:
        stored(again, [point(T0 + 1, 3.0, key=keys[7]), point(T0, key=DeviceKey("s", "new"))])
        found = everything(again, selection(*keys, DeviceKey("s", "new")))
        assert len(found) == 52
    finally:
        again.close()
