"""What the registry promises of requests about dead letters, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_S, ManualClock
from core.errors import ConflictError, NotFoundError
from devices.registry import (
    DeadLetter,
    LetterAction,
    LetterFilter,
    LetterOutcome,
    Registry,
)
from tests.contract.registry_data import DATABASES, NOW_NS, letter, new_address, opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    yield from opened(new_address(request, tmp_path), clock)


def without_payload(one: DeadLetter) -> DeadLetter:
    return msgspec.structs.replace(one, payload=b"")


def test_dead_letters_are_found_without_their_payloads(registry: Registry) -> None:
    letters = [letter(number, payload=b"x" * number) for number in range(1, 4)]
    registry.dead_letters.publish(letters)
    found = registry.dead_letters.find(LetterFilter())
    assert found == [without_payload(one) for one in reversed(letters)]
    assert [one.size for one in found] == [3, 2, 1]
    assert registry.dead_letters.find(LetterFilter(), payloads=True) == letters[::-1]


def test_the_size_is_known_when_the_payload_is_gone(registry: Registry) -> None:
    registry.dead_letters.publish([letter(1)])
    gone = letter(
        1, payload=b"", size=5, state="discarded", settled_by="é" * 300, settled_why="noise\x00"
    )
    registry.dead_letters.publish([gone])
    kept = registry.dead_letters.get("worker-1-1")
    assert (kept.size, kept.payload, len(kept.settled_by)) == (5, b"", 200)
    assert kept.settled_why == "noise\\x00"


def test_they_are_counted_by_reason_within_a_filter(registry: Registry) -> None:
    registry.dead_letters.publish(
        [
            letter(1),
            letter(2, profile="tasmota"),
            letter(3, reason="wrong_type", profile="tasmota"),
            letter(4, state="replayed", profile="tasmota"),
        ]
    )
    counts = registry.dead_letters.counts
    assert counts(LetterFilter(profile="tasmota"), state="open") == {
        ("malformed", "open"): 1,
        ("wrong_type", "open"): 1,
    }
    assert counts(LetterFilter(profile="tasmota"))[("malformed", "replayed")] == 1
    assert counts(LetterFilter(device="nobody")) == {}


def test_a_request_by_filter_is_asked_of_each_worker_that_has_some(registry: Registry) -> None:
    registry.dead_letters.publish(
        [
            letter(1),
            letter(2),
            letter(3, reason="wrong_type"),
            letter(4, state="discarded"),
            letter(5, id="worker-2-5", worker="worker-2"),
            letter(6, id="worker-3-6", worker="worker-3", reason="wrong_type"),
        ]
    )
    wanted = LetterFilter(reason="malformed", since_ns=0)
    first, second = registry.dead_letters.request(
        LetterAction.REPLAY, requested_by="amira", wanted=wanted, rate=12.5
    )
    assert (first.worker, first.matched, first.wanted, first.rate) == ("worker-1", 2, wanted, 12.5)
    assert (second.worker, second.matched, second.dead_letters) == ("worker-2", 1, ())
    assert registry.dead_letters.replay_requests("worker-1") == [first]
    assert registry.dead_letters.get_request(second.id) == second
    assert registry.dead_letters.replay_requests("worker-3") == []


def test_a_filter_that_matches_no_open_one_asks_nothing(registry: Registry) -> None:
    registry.dead_letters.publish([letter(1, state="replayed")])
    asked = registry.dead_letters.request(
        LetterAction.DISCARD, requested_by="amira", wanted=LetterFilter(), why="noise"
    )
    assert asked == []


def test_progress_is_noted_in_absolute_values_until_it_is_done(
    registry: Registry, clock: ManualClock
) -> None:
    registry.dead_letters.publish([letter(1), letter(2)])
    [asked] = registry.dead_letters.request(
        LetterAction.DRY_RUN, requested_by="amira", wanted=LetterFilter()
    )
    half = msgspec.structs.replace(
        asked,
        done=1,
        position=2**40,
        upto=2**41,
        waiting="the disk queue is full",
        outcomes=(LetterOutcome("malformed", "open", 1, "malformed", "cut \x00short"),),
    )
    registry.dead_letters.note_progress(half)
    registry.dead_letters.note_progress(half)
    noted = registry.dead_letters.get_request(asked.id)
    assert (noted.done, noted.position, noted.upto) == (1, 2**40, 2**41)
    assert noted.outcomes[0].detail == "cut \\x00short"
    clock.advance(5)
    registry.dead_letters.note_progress(
        msgspec.structs.replace(half, done=2, finished_ns=clock.now_ns())
    )
    registry.dead_letters.note_progress(msgspec.structs.replace(half, done=7))
    done = registry.dead_letters.get_request(asked.id)
    assert (done.done, done.finished_ns) == (2, NOW_NS + 5 * NS_PER_S)


def test_a_paused_request_is_not_given_to_the_worker_until_it_goes_on(registry: Registry) -> None:
    registry.dead_letters.publish([letter(1)])
    [asked] = registry.dead_letters.request_replay(["worker-1-1"], "amira")
    assert registry.dead_letters.pause(asked.id, paused=True).paused
    assert registry.dead_letters.replay_requests("worker-1") == []
    assert registry.dead_letters.get_request(asked.id).paused
    registry.dead_letters.pause(asked.id, paused=False)
    assert registry.dead_letters.replay_requests("worker-1") == [asked]
    registry.dead_letters.finish_replay(asked.id, 1, 0)
    with pytest.raises(ConflictError, match="finished"):
        registry.dead_letters.pause(asked.id, paused=True)
    with pytest.raises(NotFoundError):
        registry.dead_letters.pause(99, paused=True)


def test_what_was_asked_lately_is_listed_without_the_names(registry: Registry) -> None:
    registry.dead_letters.publish([letter(1), letter(2)])
    [first] = registry.dead_letters.request_replay(["worker-1-1"], "amira")
    [second] = registry.dead_letters.request(
        LetterAction.DISCARD, requested_by="moussa", wanted=LetterFilter(), why="noise"
    )
    listed = registry.dead_letters.requests(limit=2)
    assert listed == [second, msgspec.structs.replace(first, dead_letters=())]
    assert registry.dead_letters.requests(limit=1) == [second]
