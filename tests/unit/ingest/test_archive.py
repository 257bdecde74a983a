"""A worker's raw archive: what is committed is in it, once; what fails is told; the oldest goes."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_S, ManualClock
from ingest.archive_blocks import Archived, Block, blocks_of
from ingest.archive_segments import read_archive
from ingest.checkpoint import Checkpoint
from ingest.ledger import Fate
from tests.servers.waiting import wait_until
from tests.support.archiving import NOW, ArchiveBench

DAY_S = 86_400.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ArchiveBench]:
    made = ArchiveBench(tmp_path, ManualClock(NOW))
    yield made
    made.close()


def sent(arrivals: Sequence[Archived]) -> list[tuple[bytes, bytes, int]]:
    return [(one.arrival.topic, one.arrival.payload, one.arrival.received_ns) for one in arrivals]


def test_every_message_is_kept_with_what_became_of_it(bench: ArchiveBench) -> None:
    usual, other = bench.message(mid=5), bench.message(mid=6)
    bad = msgspec.structs.replace(bench.message(), payload=b"{")
    unknown = msgspec.structs.replace(usual, topic=b"passerelle/v1/elgazala/nobody/telemetry")
    elsewhere = bench.message(topic=b"\xff/other", properties={"content-type": "x"}, retain=True)
    again = msgspec.structs.replace(usual, mid=7)
    bench.receive(usual, bad, unknown, again, other, elsewhere, again)
    redelivered = msgspec.structs.replace(other, dup=True)
    bench.receive(redelivered)
    kept = bench.kept()
    given = [usual, bad, unknown, again, other, elsewhere, again, redelivered]
    assert [one.arrival for one in kept] == [msgspec.structs.replace(one, mid=0) for one in given]
    assert [(one.device, one.fate) for one in kept] == [
        ("thermo-1", Fate.PENDING),
        ("thermo-1", Fate.DEAD_LETTERED),
        ("nobody", Fate.DEAD_LETTERED),
        ("thermo-1", Fate.DUPLICATE),
        ("thermo-1", Fate.PENDING),
        ("unidentified", Fate.DEAD_LETTERED),
        ("thermo-1", Fate.DUPLICATE),
        ("thermo-1", Fate.REDELIVERED),
    ]
    totals = bench.spool.totals()
    assert (totals["received"], totals["pending"], totals["duplicate"]) == (7, 2, 2)


@pytest.mark.parametrize(
    ("at", "kept"),
    [(Checkpoint.JUDGED, False), (Checkpoint.ARCHIVED, False), (Checkpoint.COMMITTED, True)],
)
def test_after_a_crash_the_archive_holds_what_was_committed_and_no_more(
    bench: ArchiveBench, at: Checkpoint, *, kept: bool
) -> None:
    before = bench.receive()
    lost = [bench.message(mid=9)]
    bench.crash(*lost, at=at)
    after = bench.receive(*lost) if not kept else bench.receive()
    expected = [*before, *(lost if kept else []), *after]
    assert [one.arrival.payload for one in bench.kept()] == [one.payload for one in expected]
    assert bench.spool.totals()["received"] == len(expected)


def test_a_block_that_is_not_whole_is_cut_at_every_length(
    bench: ArchiveBench, tmp_path: Path
) -> None:
    before = bench.receive()
    whole = bench.segments()[0].bytes
    bench.crash(bench.message(), at=Checkpoint.ARCHIVED)
    [segment] = bench.segments()
    data = segment.path.read_bytes()
    assert len(data) > whole + 64
    aside = tmp_path / "aside"
    shutil.copytree(bench.archived, aside)
    for cut in range(whole, len(data) + 1):
        bench.close()
        shutil.rmtree(bench.archived)
        shutil.copytree(aside, bench.archived)
        segment.path.write_bytes(data[:cut])
        bench.open()
        committed = bench.archive._files.recover(committed=bench.spool.archived)
        assert committed.number == 1
        assert (committed.torn_bytes, committed.uncommitted) == (
            (0, 1) if cut == len(data) else (cut - whole, 0)
        )
        assert segment.path.stat().st_size == whole
    assert sent(bench.kept()) == [(one.topic, one.payload, one.received_ns) for one in before]


def test_a_segment_of_which_nothing_is_whole_goes(bench: ArchiveBench) -> None:
    first = bench.receive()
    bench.restart()
    bench.crash(bench.message(), at=Checkpoint.ARCHIVED)
    bench.receive()
    assert [one.number for one in bench.segments()] == [1, 2]
    numbers = [
        block.header.number
        for segment in bench.segments()
        for block in blocks_of(segment.path)
        if isinstance(block, Block)
    ]
    assert numbers == [1, 2]
    assert sent(bench.kept())[:2] == [(one.topic, one.payload, one.received_ns) for one in first]


def test_another_spool_never_cuts_what_it_did_not_write(bench: ArchiveBench) -> None:
    before = bench.receive()
    bench.close()
    (bench.directory / "spool.db").unlink()
    bench.open()
    bench.crash(bench.message(), at=Checkpoint.ARCHIVED)
    after = bench.receive()
    assert [one.arrival for one in bench.kept()] == [
        msgspec.structs.replace(one, mid=0) for one in (*before, *after)
    ]
    assert [one.number for one in bench.segments()] == [1, 2]


def test_a_spool_that_is_an_older_copy_of_itself_cuts_nothing(bench: ArchiveBench) -> None:
    bench.receive()
    with closing(sqlite3.connect(bench.directory / "older.db")) as older:
        bench.spool._db.backup(older)
    for _ in range(3):
        bench.receive()
    bench.close()
    for name in ("spool.db-wal", "spool.db-shm"):
        (bench.directory / name).unlink(missing_ok=True)
    (bench.directory / "older.db").rename(bench.directory / "spool.db")
    bench.open()
    bench.receive()
    assert bench.spool.archived == 5
    assert len(bench.kept()) == 10


def outage(bench: ArchiveBench) -> str:
    return bench.accept.outage or ""


def incompressible(count: int) -> bytes:
    return random.Random(count).randbytes(count)


def test_each_hour_of_reception_has_files_of_its_own_and_large_ones_are_parted(
    tmp_path: Path,
) -> None:
    with closing(ArchiveBench(tmp_path, ManualClock(NOW), segment_bytes=64 * 1024)) as bench:
        for _ in range(3):
            bench.receive()
        bench.clock.advance(3600)
        bench.receive(bench.message(payload=incompressible(70_000)))
        bench.receive()
        hour = NOW // NS_PER_S
        assert [(one.number, one.hour) for one in bench.segments()] == [
            (1, hour), (4, hour + 3600), (5, hour + 3600),
        ]  # fmt: skip
        assert len(bench.kept()) == 9


def test_a_clock_that_is_stepped_parts_files_and_changes_no_order(bench: ArchiveBench) -> None:
    sent_first = bench.receive()
    bench.clock.step_to(NOW - 3600 * NS_PER_S)
    sent_then = bench.receive()
    bench.clock.step_to(NOW + 3600 * NS_PER_S)
    sent_last = bench.receive()
    assert [one.number for one in bench.segments()] == [1, 2, 3]
    expected = [*sent_first, *sent_then, *sent_last]
    assert [one.arrival.payload for one in bench.kept()] == [one.payload for one in expected]
    first_hour = list(read_archive(bench.archived, start_ns=0, end_ns=NOW))
    assert len(first_hour) == 1


def test_what_is_too_old_goes_after_ten_minutes_of_being_so(tmp_path: Path) -> None:
    with closing(ArchiveBench(tmp_path, ManualClock(NOW), days=2)) as bench:
        bench.receive()
        bench.clock.advance(2 * DAY_S + 3599)
        bench.receive()
        assert len(bench.segments()) == 2
        bench.clock.advance(1)
        bench.receive()
        for _ in range(10):
            bench.clock.advance(60)
            bench.receive()
            assert bench.segments()[0].number == 1
        bench.clock.advance(61)
        bench.receive()
        assert bench.segments()[0].number == 2
        assert bench.count("passerelle_archive_removed_segments_total", by="age") == 1


def test_a_clock_that_steps_forward_for_a_while_removes_nothing(tmp_path: Path) -> None:
    with closing(ArchiveBench(tmp_path, ManualClock(NOW), days=2)) as bench:
        bench.receive()
        for _ in range(3):
            at = bench.clock.now_ns()
            bench.clock.step_to(at + 400 * 86_400 * NS_PER_S)
            bench.receive()
            bench.clock.advance(500)
            bench.receive()
            bench.clock.step_to(at + 500 * NS_PER_S)
            bench.receive()
            bench.clock.advance(120)
            bench.receive()
        assert bench.segments()[0].number == 1
        assert bench.count("passerelle_archive_removed_segments_total", by="age") == 0


def test_beyond_its_bound_the_oldest_go_and_it_is_told(tmp_path: Path) -> None:
    clock, most = ManualClock(NOW), 1024 * 1024
    with closing(ArchiveBench(tmp_path, clock, segment_bytes=256 * 1024, max_bytes=most)) as bench:
        for number in range(30):
            bench.receive(bench.message(payload=incompressible(60_000 + number)))
            assert sum(one.bytes for one in bench.segments()) <= 1024 * 1024
        removed = bench.count("passerelle_archive_removed_segments_total", by="size")
        assert removed == 3
        assert bench.segments()[0].number == 16
        assert bench.count("passerelle_archive_bytes") == sum(one.bytes for one in bench.segments())
        bench.restart()
        bench.receive()
        assert sum(one.bytes for one in bench.segments()) <= 1024 * 1024


def test_an_archive_that_cannot_be_written_holds_the_acknowledgement(bench: ArchiveBench) -> None:
    bench.archived.write_bytes(b"in the way")
    given = [bench.message(mid=3)]
    stage = threading.Thread(target=bench.receive, args=given)
    stage.start()
    wait_until(lambda: bench.archive.outage is not None, what="it is told", seconds=10)
    assert "nothing is acknowledged until it can" in outage(bench)
    assert bench.archive.report().holds
    assert bench.spool.totals()["received"] == 0
    assert bench.count("passerelle_archive_failing") == 1
    bench.archived.unlink()
    stage.join(timeout=20)
    assert outage(bench) == ""
    assert bench.count("passerelle_archive_failing") == 0
    assert [one.arrival.payload for one in bench.kept()] == [given[0].payload]
    assert bench.spool.totals()["received"] == 1


def test_while_it_holds_it_can_be_stopped_and_nothing_is_committed(
    bench: ArchiveBench,
) -> None:
    bench.archived.write_bytes(b"in the way")
    stage = threading.Thread(target=bench.receive)
    stage.start()
    wait_until(lambda: bench.archive.outage is not None, what="it is told", seconds=10)
    bench.accept.stop()
    stage.join(timeout=20)
    assert not stage.is_alive()
    assert bench.spool.totals()["received"] == 0


def test_told_to_skip_messages_go_on_and_the_gap_is_noted(tmp_path: Path) -> None:
    with closing(ArchiveBench(tmp_path, ManualClock(NOW), when_failing="skip")) as bench:
        first = bench.receive()
        bench.restart()
        aside = bench.archived.rename(tmp_path / "aside")
        bench.archived.write_bytes(b"in the way")
        lost = [bench.receive() for _ in range(3)]
        assert bench.spool.totals()["received"] == 8
        report = bench.archive.report()
        assert (report.holds, report.not_kept) == (False, 6)
        assert bench.accept.outage is None
        assert bench.count("passerelle_archive_skipped_messages_total") == 6
        bench.archived.unlink()
        aside.rename(bench.archived)
        bench.clock.advance(2)
        last = bench.receive()
        assert bench.archive.outage is None
        assert [one.arrival.payload for one in bench.kept()] == [
            one.payload for one in (*first, *last)
        ]
        [gap] = [gap for contents in bench.contents() for gap in contents.gaps]
        times = [one.received_ns for batch in lost for one in batch]
        assert (gap.messages, gap.first_ns, gap.last_ns) == (6, min(times), max(times))
        assert "cannot be written" in gap.reason


def test_a_batch_whose_commit_fails_for_a_while_is_kept_once(bench: ArchiveBench) -> None:
    bench.receive()
    bench.spool._db.execute("PRAGMA query_only = ON")
    given = [bench.message()]
    stage = threading.Thread(target=bench.receive, args=given)
    stage.start()
    wait_until(lambda: bench.accept.outage is not None, what="the spool fails", seconds=10)
    bench.spool._db.execute("PRAGMA query_only = OFF")
    stage.join(timeout=20)
    assert len(bench.kept()) == 3
    assert bench.spool.archived == 2


def test_a_block_and_the_batch_it_became_carry_the_same_instant(bench: ArchiveBench) -> None:
    bench.receive()
    [block] = [one for one in blocks_of(bench.segments()[0].path) if isinstance(one, Block)]
    [batch] = bench.spool.batches(sink="store", limit_messages=10)
    assert block.header.written_ns == batch.committed_ns


def test_the_files_are_for_their_owner_alone(bench: ArchiveBench) -> None:
    bench.receive()
    assert bench.archived.stat().st_mode & 0o777 == 0o700
    assert bench.segments()[0].path.stat().st_mode & 0o777 == 0o600
