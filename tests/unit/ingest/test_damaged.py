"""A damaged spool: set aside whole, never deleted, and brought to the store by hand."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.clock import NS_PER_S, ManualClock, SystemClock
from core.errors import ConfigurationError
from core.reading import DeviceKey, Point
from core.settings import load_settings
from devices.registry import Registry
from devices.registry.records import LetterAction
from ingest.damaged import files_set_aside, open_or_set_aside, published, set_aside
from ingest.duplicates import Remembered
from ingest.identities import Identities
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.salvage import salvage
from ingest.spool import STORE_SINK, Spool
from ingest.spooled import SpooledMessage, pack
from ingest.telling import Telling
from storage.backends.memory import MemoryStore
from storage.ports import Selection
from tests.contract.registry_data import letter
from tests.support.bench import Bench

HOUR = 1_790_000_000 // 3600 * 3600
ACCOUNT = Account("elgazala", "thermo-1", HOUR)
NOW_NS = 1_790_000_000 * NS_PER_S
BATCHES, EACH = 40, 50
MESSAGES = BATCHES * EACH


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry.open(f"sqlite:///{tmp_path / 'registry.db'}", clock=SystemClock())
    made.migrate()
    return made


def fill(path: Path, registry: Registry | None = None) -> None:
    """Make a spool in which messages wait; the registry was told."""
    spool = Spool(path=path)
    for batch in range(BATCHES):
        ledger = LedgerDelta()
        messages = []
        for place in range(EACH):
            ledger.receive(ACCOUNT, Fate.PENDING)
            at_ns = NOW_NS + (batch * EACH + place) * NS_PER_S
            point = Point("elgazala", "thermo-1", "environment", at_ns, {"air_temperature": 21.0})
            messages.append(SpooledMessage(ACCOUNT, (point,)))
        spool.commit(packed=pack(messages), ledger=ledger)
    if registry is not None:
        told = published(spool, registry=registry, worker="worker-1")
        Telling(registry=registry, spool=spool, published=told.name).tell()
    spool.close()


def damage(path: Path, *, name: str, share: float = 0.0) -> None:
    """Overwrite the root page of a table or index, or a page further into the file."""
    connection = sqlite3.connect(path)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    page = int(pages * share) or root - 1
    with path.open("r+b") as file:
        file.seek(page * size)
        file.write(b"\x07" * size)


def stored(store: MemoryStore) -> int:
    keys = (DeviceKey("elgazala", "thermo-1"),)
    return store.count(Selection(keys, ("air_temperature",), 0, 2**62))


def test_a_file_and_its_log_are_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "spool-worker-1.db"
    path.write_bytes(b"the file")
    Path(f"{path}-wal").write_bytes(b"what was not merged yet")
    Path(f"{path}-shm").write_bytes(b"nothing of worth")
    kept = set_aside(path, now_ns=NOW_NS)
    assert kept.name == "spool-worker-1.db.damaged-20260921T141320Z"
    assert kept.read_bytes() == b"the file"
    assert Path(f"{kept}-wal").read_bytes() == b"what was not merged yet"
    assert sorted(one.name for one in tmp_path.iterdir()) == [kept.name, f"{kept.name}-wal"]


def test_a_damaged_one_is_kept_and_an_empty_one_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path)
    damage(path, name="ledger_version")
    before = path.read_bytes()
    spool = open_or_set_aside(path=path, sinks=(STORE_SINK,), clock=ManualClock(NOW_NS))
    assert (spool.pending, spool.used) == (0, False)
    spool.close()
    (kept,) = files_set_aside(path)
    assert kept.read_bytes() == before


def test_what_the_broker_sends_again_is_told_also_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path)
    spool = Spool(path=path)
    seen = Remembered(7, bytes(range(16)), accepted=True, received_ns=NOW_NS)
    kept = Identities()
    kept.add(seen)
    spool.commit(ledger=LedgerDelta(), identities=kept, session=3)
    spool.close()
    damage(path, name="ledger_version")
    spool = open_or_set_aside(path=path, sinks=(STORE_SINK,), clock=ManualClock(NOW_NS))
    assert spool.identities() == (3, [seen])
    spool.close()


def test_two_that_are_set_aside_in_one_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "spool-worker-1.db"
    for content in (b"one", b"two"):
        path.write_bytes(content)
        set_aside(path, now_ns=NOW_NS)
    assert {one.read_bytes() for one in files_set_aside(path)} == {b"one", b"two"}


def test_a_spool_without_its_head_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path)
    with path.open("r+b") as file:
        file.write(b"\x07" * 100)
    open_or_set_aside(path=path, sinks=(STORE_SINK,), clock=ManualClock(NOW_NS)).close()
    assert len(files_set_aside(path)) == 1


def test_a_file_that_was_never_a_spool_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"my notes")
    with pytest.raises(ConfigurationError, match="left as it is"):
        open_or_set_aside(path=path, sinks=(STORE_SINK,), clock=ManualClock(NOW_NS))
    assert path.read_bytes() == b"my notes"
    assert not files_set_aside(path)


def test_the_account_of_the_next_spool_does_not_replace_that_of_the_first(
    tmp_path: Path, registry: Registry
) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path, registry)
    damage(path, name="ledger_version")
    spool = open_or_set_aside(path=path, sinks=(STORE_SINK,), clock=ManualClock(NOW_NS))
    told = published(spool, registry=registry, worker="worker-1")
    assert (told.name, told.former) == ("worker-1.2", ("worker-1",))
    ledger = LedgerDelta()
    ledger.receive(ACCOUNT, Fate.DUPLICATE)
    spool.commit(ledger=ledger)
    Telling(registry=registry, spool=spool, published=told.name).tell()
    assert published(spool, registry=registry, worker="worker-1") == told
    spool.close()
    sums = registry.ledger.totals()
    assert (sums.received, sums.pending, sums.duplicate) == (MESSAGES + 1, MESSAGES, 1)
    registry.close()


def test_a_first_spool_keeps_the_name_of_the_worker(tmp_path: Path, registry: Registry) -> None:
    fill(tmp_path / "spool.db")
    spool = Spool(path=tmp_path / "spool.db")
    assert published(spool, registry=registry, worker="worker-1").name == "worker-1"
    spool.close()
    other = Spool(path=tmp_path / "other.db")
    assert published(other, registry=registry, worker="worker-12").name == "worker-12"
    other.close()
    registry.close()


@pytest.mark.parametrize("what", ["ledger_version", "dead_letter_version", "identity"])
def test_what_waits_in_a_damaged_spool_is_stored_and_its_account_settled(
    tmp_path: Path, registry: Registry, what: str
) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path, registry)
    damage(path, name=what)
    kept = set_aside(path, now_ns=NOW_NS)
    before = kept.read_bytes()
    store = MemoryStore()
    seen: list[tuple[int, int]] = []
    done = salvage(
        kept, worker="worker-1", registry=registry, open_store=lambda: store,
        clock=SystemClock(), batch_points=500, progress=lambda *told: seen.append(told),
    )  # fmt: skip
    assert (done.waiting, done.readable, done.stored) == (MESSAGES, MESSAGES, MESSAGES)
    assert done.unreadable == ()
    assert seen[-1] == (MESSAGES, MESSAGES)
    assert stored(store) == MESSAGES
    sums = registry.ledger.totals()
    assert (sums.received, sums.stored, sums.pending) == (MESSAGES, MESSAGES, 0)
    assert kept.read_bytes() == before
    assert files_set_aside(path) == []
    registry.close()


def test_what_cannot_be_read_stays_pending_and_is_told(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path, registry)
    damage(path, name="batch", share=0.5)
    kept = set_aside(path, now_ns=NOW_NS)
    store = MemoryStore()
    done = salvage(
        kept, worker="worker-1", registry=registry, open_store=lambda: store,
        clock=SystemClock(), batch_points=500,
    )  # fmt: skip
    assert 0 < done.stored == done.readable < done.waiting == MESSAGES
    assert stored(store) == done.stored
    assert done.unreadable == ("batch",)
    sums = registry.ledger.totals()
    assert (sums.stored, sums.pending) == (done.stored, MESSAGES - done.stored)
    registry.close()


def test_a_dry_run_says_what_waits_and_changes_nothing(tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / "spool-worker-1.db"
    fill(path, registry)
    damage(path, name="ledger_version")
    kept = set_aside(path, now_ns=NOW_NS)
    files = set(tmp_path.glob("spool*"))
    done = salvage(
        kept, worker="worker-1", registry=registry, open_store=MemoryStore,
        clock=SystemClock(), batch_points=500, dry_run=True,
    )  # fmt: skip
    assert (done.waiting, done.readable, done.stored) == (MESSAGES, MESSAGES, 0)
    assert set(tmp_path.glob("spool*")) == files
    assert registry.ledger.totals().pending == MESSAGES
    registry.close()


def test_one_of_which_nothing_can_be_read_is_named_with_what_may_help(
    tmp_path: Path, registry: Registry
) -> None:
    path = tmp_path / "spool.db.damaged-20260921T141320Z"
    path.write_bytes(b"\x07" * 8192)
    with pytest.raises(ConfigurationError, match=r"\.recover"):
        salvage(
            path, worker="worker-1", registry=registry, open_store=MemoryStore,
            clock=SystemClock(), batch_points=500,
        )  # fmt: skip
    registry.close()


def test_what_is_asked_of_the_dead_letters_of_a_spool_set_aside_ends_and_says_why(
    tmp_path: Path,
) -> None:
    settings = load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1})
    registry = Registry.open(settings.registry_url, clock=SystemClock())
    registry.migrate()
    registry.dead_letters.publish([letter(1)])
    bench = Bench(settings)
    (asked,) = bench.registry.dead_letters.request(
        LetterAction.REPLAY, letters=["worker-1-1"], requested_by="an operator"
    )
    bench.start()
    bench.stop()
    (ended,) = registry.dead_letters.requests()
    assert ended.id == asked.id
    assert ended.finished_ns is not None
    assert (ended.done, ended.failed) == (1, 1)
    assert "set aside" in ended.outcomes[0].detail
    registry.close()
