"""The invariants that `ingest.spool_schema` lists, one test each, and what surrounds them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.reading import Point
from core.reasons import Reason, Scope
from ingest.duplicates import Remembered
from ingest.identities import Identities
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import STORE_SINK, NewDeadLetter, Spool
from ingest.spooled import SpooledMessage, pack

ACCOUNT = Account("elgazala", "thermo-1", 1_790_000_000 // 3600 * 3600)
POINT = Point("elgazala", "thermo-1", "environment", 1, {"air_temperature": 21.0})


def letter(*, counted: bool = True) -> NewDeadLetter:
    return NewDeadLetter(
        scope=Scope.MESSAGE,
        reason=Reason.MALFORMED,
        detail="cut short",
        account=ACCOUNT,
        profile="passerelle",
        topic=b"\xff/topic",
        payload=b"\x00{",
        properties={"content-type": "application/json"},
        received_ns=7,
        counted=counted,
    )


def spool_one(spool: Spool, count: int = 1) -> None:
    ledger = LedgerDelta()
    for _ in range(count):
        ledger.receive(ACCOUNT, Fate.PENDING)
    spool.commit(packed=pack([SpooledMessage(ACCOUNT, (POINT,))] * count), ledger=ledger)


def settle(spool: Spool, fate: Fate = Fate.STORED) -> None:
    batches = spool.batches(sink=STORE_SINK, limit_messages=10_000)
    ledger = LedgerDelta()
    for batch in batches:
        for account, count in batch.accounts:
            ledger.move(account, Fate.PENDING, fate, count)
    spool.confirm(batches, sink=STORE_SINK, ledger=ledger)


def counts(spool: Spool) -> dict[str, int]:
    lines = spool.ledger_since(0, limit=100)
    assert len(lines) == 1
    return {fate.value: getattr(lines[0].counts, fate.value) for fate in Fate}


def identities(*entries: Remembered) -> Identities:
    kept = Identities()
    for entry in entries:
        kept.add(entry)
    return kept


def test_1_a_batch_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    ledger = LedgerDelta()
    ledger.receive(ACCOUNT, Fate.PENDING)
    ledger.move(Account("x", "y", 0), Fate.PENDING, Fate.STORED)  # breaks the equation's bounds
    with pytest.raises(sqlite3.IntegrityError):
        spool.commit(
            packed=pack([SpooledMessage(ACCOUNT, (POINT,))]),
            ledger=ledger,
            dead_letters=[letter()],
            identities=identities(Remembered(1, b"d" * 16, accepted=True, received_ns=1)),
        )
    spool.close()
    again = Spool(path=tmp_path / "spool.db")
    assert again.batches(sink=STORE_SINK, limit_messages=10) == []
    assert again.dead_letters([1]) == []
    assert again.identities() == (0, [])
    assert (again.pending, again.pending_bytes) == (0, 0)
    again.close()


def test_2_a_ledger_row_that_does_not_balance_is_refused_by_the_file_itself(
    tmp_path: Path,
) -> None:
    Spool(path=tmp_path / "spool.db").close()
    connection = sqlite3.connect(tmp_path / "spool.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO ledger (site, device, hour, received, stored, version) "
            "VALUES ('s', 'd', 0, 2, 1, 1)"
        )
    connection.close()


def test_3_pending_is_the_number_of_messages_not_confirmed(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    spool_one(spool, 3)
    assert (spool.pending, counts(spool)["pending"]) == (3, 3)
    settle(spool)
    assert counts(spool) == {
        "received": 3, "stored": 3, "duplicate": 0, "dead_lettered": 0, "pending": 0,
        "redelivered": 0,
    }  # fmt: skip
    assert (spool.pending, spool.pending_bytes) == (0, 0)
    spool.close()


def test_4_a_batch_stays_until_it_is_confirmed(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    spool_one(spool)
    first = spool.batches(sink=STORE_SINK, limit_messages=10)
    assert spool.batches(sink=STORE_SINK, limit_messages=10) == first
    settle(spool)
    assert spool.batches(sink=STORE_SINK, limit_messages=10) == []
    spool_one(spool)
    assert spool.batches(sink=STORE_SINK, limit_messages=10)[0].seq > first[0].seq
    spool.close()


def test_5_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    assert spool._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert spool._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    spool.close()


def test_6_a_reader_of_changes_misses_none(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    spool_one(spool)
    seen = spool.ledger_since(0, limit=1)[-1].version
    assert spool.ledger_since(seen, limit=1) == []
    settle(spool)
    assert spool.ledger_since(seen, limit=1)[0].counts.stored == 1
    spool.close()


def test_what_was_committed_is_there_after_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from core.reading import Point\n"
        "from ingest.ledger import Account, Fate, LedgerDelta\n"
        "from ingest.spool import Spool\n"
        "from ingest.spooled import SpooledMessage, pack\n"
        f"spool = Spool(path=Path({str(path)!r}))\n"
        "account = Account('s', 'd', 0)\n"
        "ledger = LedgerDelta()\n"
        "ledger.receive(account, Fate.PENDING)\n"
        "point = Point('s', 'd', 'environment', 1, {'air_temperature': 1.0})\n"
        "spool.commit(packed=pack([SpooledMessage(account, (point,))]), ledger=ledger)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -9
    spool = Spool(path=path)
    assert spool.pending == 1
    assert len(spool.batches(sink=STORE_SINK, limit_messages=10)[0].messages()) == 1
    spool.close()


def test_dead_letters_keep_the_raw_bytes(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    ledger = LedgerDelta()
    ledger.receive(ACCOUNT, Fate.DEAD_LETTERED)
    spool.commit(ledger=ledger, dead_letters=[letter()])
    [kept] = spool.dead_letters_since(0, limit=10)
    assert kept.letter == letter()
    assert (kept.state, kept.attempts) == ("open", 0)
    spool.close()


def test_identities_of_earlier_sessions_lose_their_packet_identifier(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    entry = Remembered(9, b"d" * 16, accepted=True, received_ns=5)
    for session in (1, 2):
        spool.commit(ledger=LedgerDelta(), identities=identities(entry), session=session)
    session, remembered = spool.identities()
    assert session == 2
    assert [one.mid for one in remembered] == [0, 9]
    spool.close()


def test_old_and_surplus_identities_are_forgotten(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    for at in range(10):
        entry = Remembered(at, bytes(16), accepted=True, received_ns=at)
        spool.commit(ledger=LedgerDelta(), identities=identities(entry))
    spool.forget_identities(before_ns=3, keep_messages=5)
    assert [one.received_ns for one in spool.identities()[1]] == [5, 6, 7, 8, 9]
    spool.forget_identities(before_ns=8, keep_messages=5)
    assert [one.received_ns for one in spool.identities()[1]] == [8, 9]
    spool.close()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 50])
def test_a_file_that_is_no_spool_is_refused_and_left_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"spool\.db"):
        Spool(path=path)
    assert path.read_bytes() == content


def test_a_spool_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Spool(path=tmp_path / "spool.db").close()
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigurationError, match="format 99"):
        Spool(path=tmp_path / "spool.db")
