"""A whole worker that is asked about its dead letters: replays, dry runs, discards, poison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.message import Decoded
from core.metrics import Metrics
from core.reasons import Reason, Scope
from core.settings import Settings, load_settings
from devices.registry import (
    Device,
    LetterAction,
    LetterFilter,
    LetterRequest,
)
from ingest.accept import Accept
from ingest.arrival import Arrival
from ingest.directory import Directory
from ingest.memory_source import MemorySource
from ingest.spool import Spool
from ingest.validate import ClockPolicy
from tests.servers.waiting import wait_until
from tests.support.bench import NOW, TOPIC, Bench, message
from tests.support.directory import directory_of
from tests.support.letters import new_letter, set_aside

GOOD = {"air_temperature": 21.5}
NEWCOMER = "passerelle/v1/elgazala/newcomer/telemetry"
ALL = LetterFilter()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1})


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    made = Bench(settings)
    made.start()
    yield made
    made.stop()


def register(bench: Bench) -> None:
    bench.registry.devices.add(
        Device(id="thermo-2", site="elgazala", profile="passerelle", external_id="newcomer")
    )


def ask(
    bench: Bench, action: LetterAction, wanted: LetterFilter = ALL, *, rate: float = 0
) -> LetterRequest:
    [request] = bench.registry.dead_letters.request(
        action, requested_by="amira", wanted=wanted, rate=rate, why="noise"
    )
    return request


def done(bench: Bench, request: LetterRequest) -> LetterRequest:
    def finished() -> bool:
        return bench.registry.dead_letters.get_request(request.id).finished_ns is not None

    wait_until(finished, what=f"request {request.id} is done", seconds=20)
    return bench.registry.dead_letters.get_request(request.id)


def told(bench: Bench, count: int) -> None:
    wait_until(lambda: len(bench.letters()) == count, what=f"{count} are told", seconds=20)


def outcomes(request: LetterRequest) -> dict[tuple[str, str, str], int]:
    return {(one.reason, one.fate, one.reason_now): one.count for one in request.outcomes}


def account(bench: Bench) -> tuple[int, int, int, int]:
    totals = bench.worker.totals()
    return (
        totals["received"], totals["stored"], totals["duplicate"], totals["dead_lettered"],
    )  # fmt: skip


def test_a_dry_run_foretells_the_replay_and_changes_nothing(bench: Bench) -> None:
    for seq in range(30):
        bench.publish(message(seq, GOOD), NEWCOMER)
    bench.publish(message(3, GOOD), NEWCOMER)
    bench.publish(b"{", NEWCOMER)
    bench.settle()
    told(bench, 32)
    register(bench)
    before = bench.letters()
    foretold = done(bench, ask(bench, LetterAction.DRY_RUN))
    assert outcomes(foretold) == {
        ("malformed", "open", "malformed"): 1,
        ("unknown_device", "duplicate", ""): 1,
        ("unknown_device", "stored", ""): 30,
    }
    assert account(bench) == (32, 0, 0, 32)
    assert bench.letters() == before

    replayed = done(bench, ask(bench, LetterAction.REPLAY))
    assert outcomes(replayed) == {
        ("malformed", "open", "malformed"): 1,
        ("unknown_device", "replayed", ""): 31,
    }
    assert (replayed.matched, replayed.done, replayed.replayed, replayed.failed) == (32, 32, 31, 1)
    assert bench.worker.settle(timeout_s=20)
    assert account(bench) == (32, 30, 1, 1)


def test_one_that_was_replayed_is_known_by_who_asked_and_is_not_replayed_again(
    bench: Bench,
) -> None:
    bench.publish(message(1, GOOD), NEWCOMER)
    bench.settle()
    told(bench, 1)
    register(bench)
    done(bench, ask(bench, LetterAction.REPLAY))
    [letter] = bench.letters()
    assert (letter.state, letter.settled_by, letter.payload) == ("replayed", "amira", b"")
    assert letter.size == len(message(1, GOOD))
    assert (
        bench.registry.dead_letters.request(LetterAction.REPLAY, requested_by="amira", wanted=ALL)
        == []
    )


def test_a_field_is_replayed_also_while_its_message_is_remembered(
    settings: Settings, bench: Bench
) -> None:
    """The message was stored a moment ago: it is no duplicate of itself."""
    late = settings.model_copy(
        update={"ingest": settings.ingest.model_copy(update={"clock_ahead_s": 10**9})}
    )
    bench.publish(message(1, GOOD, t="2040-01-01T00:00:00Z"))
    bench.settle()
    told(bench, 1)
    [letter] = bench.letters()
    assert (letter.reason, letter.scope) == (Reason.DEVICE_CLOCK, Scope.FIELD)
    bench.stop()
    again = Bench(late, source=bench.source)
    again.start()
    try:
        foretold = done(again, ask(again, LetterAction.DRY_RUN))
        assert outcomes(foretold) == {("device_clock", "stored", ""): 1}
        assert done(again, ask(again, LetterAction.REPLAY)).replayed == 1
        assert again.worker.settle(timeout_s=20)
        assert account(again) == (1, 1, 0, 0)
    finally:
        again.worker.stop(drain_s=0.5)


def test_what_is_discarded_keeps_its_row_and_its_account(bench: Bench) -> None:
    for number in range(5):
        bench.publish(b"{" * (number + 1))
    bench.publish(message(1, {"warmth": 1}))
    bench.settle()
    told(bench, 6)
    request = done(bench, ask(bench, LetterAction.DISCARD, LetterFilter(reason="malformed")))
    assert outcomes(request) == {("malformed", "discarded", ""): 5}
    discarded = [one for one in bench.letters() if one.state == "discarded"]
    assert len(discarded) == 5
    assert {(one.payload, one.settled_by, one.settled_why) for one in discarded} == {
        (b"", "amira", "noise")
    }
    assert account(bench) == (6, 0, 0, 6)


def test_a_replay_that_is_paused_stays_where_it_is_and_goes_on_when_it_is_resumed(
    bench: Bench,
) -> None:
    for seq in range(40):
        bench.publish(message(seq, GOOD), NEWCOMER)
    bench.settle()
    told(bench, 40)
    register(bench)
    dead_letters = bench.registry.dead_letters
    request = ask(bench, LetterAction.REPLAY, rate=5)
    wait_until(lambda: dead_letters.get_request(request.id).replayed, what="it has begun")
    dead_letters.pause(request.id, paused=True)
    dry = done(bench, ask(bench, LetterAction.DRY_RUN))
    stopped = dead_letters.get_request(request.id)
    assert 0 < stopped.replayed < 40
    assert dry.done == 40 - stopped.replayed
    assert stopped.finished_ns is None
    dead_letters.pause(request.id, paused=False)
    finished = done(bench, request)
    assert (finished.replayed, finished.failed) == (40, 0)
    assert bench.worker.settle(timeout_s=20)
    assert account(bench) == (40, 40, 0, 0)


def test_a_replay_goes_on_in_the_next_worker_and_counts_exactly(
    settings: Settings, bench: Bench
) -> None:
    for seq in range(60):
        bench.publish(message(seq, GOOD) if seq % 3 else b"{" * (seq + 1), NEWCOMER)
    bench.settle()
    told(bench, 60)
    register(bench)
    request = ask(bench, LetterAction.REPLAY, rate=10)
    get = bench.registry.dead_letters.get_request
    wait_until(lambda: get(request.id).replayed, what="it has begun")
    bench.stop()
    again = Bench(settings, source=bench.source)
    again.start()
    try:
        finished = done(again, request)
        assert (finished.done, finished.replayed, finished.failed) == (60, 40, 20)
        assert again.worker.settle(timeout_s=20)
        assert account(again) == (60, 40, 0, 20)
    finally:
        again.worker.stop(drain_s=0.5)


def test_named_ones_that_the_worker_does_not_have_are_counted_as_missing(
    settings: Settings, bench: Bench, tmp_path: Path
) -> None:
    bench.publish(b"{")
    bench.settle()
    told(bench, 1)
    bench.stop()
    for file in tmp_path.glob("spool-*"):
        file.unlink()
    again = Bench(settings, source=bench.source)
    again.start()
    try:
        [request] = again.registry.dead_letters.request_replay(["worker-1-1"], "amira")
        finished = done(again, request)
        assert (finished.replayed, finished.failed) == (0, 1)
        assert outcomes(finished) == {("", "missing", ""): 1}
    finally:
        again.worker.stop(drain_s=0.5)


def test_when_they_are_full_it_holds_and_says_why_until_an_operator_decides(
    settings: Settings,
) -> None:
    tight = settings.model_copy(
        update={"dead_letters": settings.dead_letters.model_copy(update={"max_bytes": 100})}
    )
    bench = Bench(tight)
    bench.start()
    try:
        bench.publish(b"{" * 200)
        bench.settle()
        told(bench, 1)
        bench.publish(message(1, GOOD))
        wait_until(lambda: bench.worker.full, what="it holds")
        assert bench.source.unacknowledged == 1

        def said() -> bool:
            [status] = bench.registry.workers.list()
            why = str(status.facts.get("spool", ""))
            return status.spool_full and "dead_letters.max_bytes" in why

        wait_until(said, what="it says why")
        done(bench, ask(bench, LetterAction.DISCARD))
        bench.settle()
        assert bench.source.unacknowledged == 0
        assert account(bench) == (2, 1, 0, 1)
    finally:
        bench.stop()


def test_one_that_is_damaged_stays_and_the_others_are_replayed(settings: Settings) -> None:
    spool = Spool(path=settings.spool_path)
    poison = new_letter(scope=Scope.POINTS, payload=b"not points", reason=Reason.STORE_REFUSED)
    topic = TOPIC.encode()
    letters = [
        new_letter(topic=topic, payload=message(seq, GOOD), received_ns=NOW) for seq in range(20)
    ]
    set_aside(spool, *letters[:10], poison, *letters[10:])
    spool.close()
    bench = Bench(settings)
    bench.start()
    try:
        told(bench, 21)
        foretold = done(bench, ask(bench, LetterAction.DRY_RUN))
        assert outcomes(foretold) == {
            ("malformed", "stored", ""): 20,
            ("store_refused", "open", "internal_error"): 1,
        }
        replayed = done(bench, ask(bench, LetterAction.REPLAY))
        assert (replayed.replayed, replayed.failed) == (20, 1)
        [left] = bench.registry.dead_letters.list(state="open")
        assert (left.id, left.reason, left.attempts) == ("worker-1-11", "internal_error", 1)
        assert "please report it" in left.detail
        assert bench.worker.settle(timeout_s=20)
        assert account(bench) == (21, 20, 0, 1)
    finally:
        bench.stop()


class PoisonedDirectory(Directory):
    """A defect of our own: it fails on one device, and works for every other."""

    def resolve(self, decoded: Decoded, *, enrol: bool) -> Device | None:
        if decoded.external_id == "poison":
            raise ZeroDivisionError("a defect of our own")
        return super().resolve(decoded, enrol=enrol)


@pytest.fixture
def poisoned(tmp_path: Path) -> Iterator[tuple[Accept, Spool, Callable[[list[Arrival]], None]]]:
    clock = SystemClock()
    settings = load_settings(data_dir=tmp_path)
    spool = Spool(path=tmp_path / "spool.db")
    known = directory_of(
        Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")
    )
    source = MemorySource(clock=clock)
    accept = Accept(
        source=source,
        spool=spool,
        directory=PoisonedDirectory(known.snapshot),
        policy=ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300),
        clock=clock,
        metrics=Metrics(),
        ingest=settings.ingest,
        limits=settings.spool,
        on_commit=lambda: None,
        on_facts=lambda _facts: None,
    )
    yield accept, spool, accept.process
    spool.close()


def test_a_message_that_makes_our_own_code_fail_costs_only_itself(
    poisoned: tuple[Accept, Spool, Callable[[list[Arrival]], None]],
) -> None:
    accept, spool, process = poisoned
    now_ns = SystemClock().now_ns()
    poison = Arrival(
        b"passerelle/v1/elgazala/poison/telemetry", message(1, GOOD), now_ns, mid=1, qos=1
    )
    good = [Arrival(TOPIC.encode(), message(seq, GOOD), now_ns, mid=seq, qos=1) for seq in (2, 3)]
    process([good[0], poison, good[1]])
    totals = spool.totals()
    assert (totals["received"], totals["pending"], totals["dead_lettered"]) == (3, 2, 1)
    [kept] = spool.dead_letters([1])
    assert kept.letter.reason == Reason.INTERNAL_ERROR
    assert "a defect of our own" in kept.letter.detail

    result = accept.replay([kept])
    assert (result.replayed, result.failed) == (0, 1)
    assert spool.totals() == totals


def test_one_that_was_let_go_meanwhile_is_not_replayed(
    poisoned: tuple[Accept, Spool, Callable[[list[Arrival]], None]],
) -> None:
    accept, spool, _ = poisoned
    letters = [
        new_letter(topic=TOPIC.encode(), payload=message(seq, GOOD), received_ns=NOW)
        for seq in (1, 2)
    ]
    set_aside(spool, *letters)
    kept = spool.dead_letters([1, 2])
    spool.letters.discard([1], by="dead_letters.max_bytes", why="the oldest", now_ns=NOW)
    result = accept.replay(kept)
    assert (result.replayed, result.failed) == (1, 0)
    assert [one.state for one in spool.dead_letters([1, 2])] == ["discarded", "replayed"]
    totals = spool.totals()
    assert (totals["received"], totals["pending"], totals["dead_lettered"]) == (2, 1, 1)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b'{"v":{"\\ud800":1}}', id="half a character as a name"),
        pytest.param(b'{"v":{"a\\u0000b":1}}', id="NUL in a name"),
        pytest.param(b'{"boot":99999999999999999999,"v":{"air_temperature":1}}', id="huge boot"),
        pytest.param(b'{"seq":9223372036854775808,"v":{"air_temperature":1}}', id="huge seq"),
        pytest.param(b'{"boot":-5,"seq":-1,"v":{"air_temperature":1}}', id="negative counters"),
        pytest.param(b'{"t":99999999999999999999,"v":{"air_temperature":1}}', id="huge time"),
        pytest.param(b'{"v":{"air_temperature":1e999}}', id="infinite"),
    ],
)
def test_a_hostile_message_does_not_hold_up_the_next(bench: Bench, payload: bytes) -> None:
    bench.publish(payload)
    bench.publish(message(1, GOOD))
    bench.settle()
    received, stored, duplicate, dead = account(bench)
    assert received == 2 == stored + duplicate + dead
    assert bench.source.unacknowledged == 0
