from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.registry import LetterAction, LetterFilter, LetterOutcome
from tests.unit.api.test_dead_letters import letter
from tests.unit.api.test_health import status
from tests.unit.api.world import World

REPLAYS = "/v1/dead-letters/replays"
DISCARDS = "/v1/dead-letters/discards"


@pytest.fixture
def letters(world: World) -> World:
    world.registry.dead_letters.publish(
        [
            letter(1),
            letter(2, reason="unknown_device", device="stranger"),
            letter(3, worker="worker-2"),
            letter(5, state="replayed"),
            letter(6, profile="tasmota", scope="field", reason="out_of_range"),
        ]
    )
    return world


def waiting(world: World, worker: str = "worker-1") -> list[Any]:
    return world.registry.dead_letters.replay_requests(worker)


def test_a_replay_by_filter_is_asked_of_each_worker(letters: World) -> None:
    answer = letters.client.post(REPLAYS, {"filter": {"reason": "malformed"}, "rate": 50})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["matched"], body["by_reason"]) == (2, {"malformed": 2})
    assert [one["worker"] for one in body["requests"]] == ["worker-1", "worker-2"]
    [asked] = waiting(letters)
    assert (asked.action, asked.wanted, asked.rate, asked.requested_by) == (
        "replay",
        LetterFilter(reason="malformed"),
        50,
        "tests",
    )


def test_a_dry_run_is_the_workers_work_too(letters: World) -> None:
    body = letters.client.post(REPLAYS, {"ids": ["worker-1-1"], "dry_run": True}).json()
    assert body["requests"][0]["action"] == "dry_run"
    assert waiting(letters)[0].action == LetterAction.DRY_RUN
    assert letters.client.get(f"{REPLAYS}/{body['requests'][0]['id']}").status_code == 200


def test_how_far_it_is_is_shown(letters: World) -> None:
    [asked] = letters.client.post(REPLAYS, {"filter": {"worker": "worker-1"}}).json()["requests"]
    [request] = waiting(letters)
    letters.registry.dead_letters.note_progress(
        msgspec.structs.replace(
            request,
            done=2,
            replayed=1,
            failed=1,
            waiting="the disk queue is full",
            outcomes=(LetterOutcome("malformed", "open", 1, "wrong_type", "text"),),
        )
    )
    shown = letters.client.get(f"{REPLAYS}/{asked['id']}").json()
    assert (shown["matched"], shown["done"], shown["replayed"], shown["failed"]) == (3, 2, 1, 1)
    assert shown["waiting"] == "the disk queue is full"
    assert shown["outcomes"] == [
        {
            "reason": "malformed", "fate": "open", "count": 1,
            "reason_now": "wrong_type", "detail": "text",
        }
    ]  # fmt: skip


def test_a_replay_is_paused_and_resumed(letters: World) -> None:
    [asked] = letters.client.post(REPLAYS, {"filter": {"worker": "worker-1"}}).json()["requests"]
    assert letters.client.post(f"{REPLAYS}/{asked['id']}/pause").json()["paused"] is True
    assert waiting(letters) == []
    assert letters.client.post(f"{REPLAYS}/{asked['id']}/resume").json()["paused"] is False
    letters.registry.dead_letters.finish_replay(asked["id"], 3, 0)
    assert letters.client.post(f"{REPLAYS}/{asked['id']}/pause").status_code == 409
    assert letters.client.post(f"{REPLAYS}/999/pause").status_code == 404


def test_a_discard_keeps_why(letters: World) -> None:
    order = {"filter": {"profile": "tasmota"}, "why": "test bench"}
    dry = letters.client.post(DISCARDS, {**order, "dry_run": True})
    assert dry.status_code == 200
    assert dry.json() == {"matched": 1, "by_reason": {"out_of_range": 1}, "requests": []}
    assert waiting(letters) == []
    answer = letters.client.post(DISCARDS, order)
    assert answer.status_code == 202
    [asked] = waiting(letters)
    assert (asked.action, asked.why) == ("discard", "test bench")
    assert letters.client.get(f"{DISCARDS}/{asked.id}").json()["why"] == "test bench"
    assert letters.client.get(f"{REPLAYS}/{asked.id}").status_code == 404


def test_named_ones_must_exist_and_be_open(letters: World) -> None:
    for path, more in ((REPLAYS, {}), (DISCARDS, {"why": "noise"})):
        assert letters.client.post(path, {"ids": ["nobody-1"], **more}).status_code == 404
        assert letters.client.post(path, {"ids": ["worker-1-5"], **more}).status_code == 409
    gone = letters.client.post(DISCARDS, {"ids": ["x"], "why": "noise", "dry_run": True})
    assert gone.status_code == 404
    named = letters.client.post(
        DISCARDS, {"ids": ["worker-1-1"], "why": "noise", "dry_run": True}
    ).json()
    assert named["matched"] == 1


@pytest.mark.parametrize(
    ("path", "order", "parameter"),
    [
        (REPLAYS, {}, "body"),
        (REPLAYS, {"ids": ["a"], "filter": {}}, "body"),
        (REPLAYS, {"filter": {}, "rate": -1}, "rate"),
        (REPLAYS, {"filter": {"site": "nowhere"}}, "filter.site"),
        (REPLAYS, {"filter": {"until": "tomorrow"}}, "filter.until"),
        (DISCARDS, {"filter": {}}, "why"),
        (DISCARDS, {"filter": {}, "why": "  "}, "why"),
    ],
)
def test_an_order_that_cannot_be_carried_out_names_the_field(
    letters: World, path: str, order: dict[str, Any], parameter: str
) -> None:
    answer = letters.client.post(path, order)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_they_are_listed_by_profile_with_their_size(letters: World) -> None:
    [listed] = letters.client.get("/v1/dead-letters", profile="tasmota").json()["dead_letters"]
    assert (listed["id"], listed["size"]) == ("worker-1-6", 6)


def test_one_that_was_discarded_says_by_whom_and_why(letters: World) -> None:
    letters.registry.dead_letters.publish(
        [letter(7, state="discarded", payload=b"", size=6, settled_by="amira", settled_why="noise")]
    )
    shown = letters.client.get("/v1/dead-letters/worker-1-7").json()
    assert (shown["settled_by"], shown["settled_why"], shown["size"]) == ("amira", "noise", 6)
    assert (shown["payload_text"], shown["what_to_do"]) == ("", "correct the firmware")


def test_dead_letters_that_fill_up_are_noted_while_everything_works(world: World) -> None:
    note = "its dead letters hold 600 bytes, 60% of dead_letters.max_bytes"
    world.registry.workers.report(status(facts={"dead_letters": {"open": 9, "note": note}}))
    answer = world.client.get("/health/ready")
    assert answer.status_code == 200
    assert (answer.json()["ready"], answer.json()["degraded"]) == (True, True)
    assert answer.json()["workers"][0]["notes"] == [note]


def test_a_worker_that_holds_because_they_are_full_says_so(world: World) -> None:
    why = "the dead letters hold 100 bytes, dead_letters.max_bytes is 100"
    world.registry.workers.report(status(spool_full=True, facts={"spool": why}))
    answer = world.client.get("/health/ready")
    assert answer.status_code == 503
    assert why in answer.json()["workers"][0]["reasons"][0]
