from __future__ import annotations

import base64
from typing import Any

import pytest

from devices.registry import DeadLetter
from tests.unit.api.world import NOW_NS, World


def letter(number: int, *, worker: str = "worker-1", **more: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "id": f"{worker}-{number}",
        "worker": worker,
        "scope": "message",
        "reason": "malformed",
        "detail": "the payload is not JSON",
        "site": "elgazala",
        "device": "d-1",
        "profile": "passerelle-json",
        "topic": "passerelle/v1/elgazala/d-1/telemetry",
        "payload": b'{"t": ',
        "properties": {"content-type": "application/json"},
        "received_ns": NOW_NS + number,
        **more,
    }
    return DeadLetter(**fields)


@pytest.fixture
def letters(world: World) -> World:
    world.registry.dead_letters.publish(
        [
            letter(1),
            letter(2, reason="unknown_device", device="stranger"),
            letter(3, worker="worker-2", payload=b"\xff\x00\xfe", site="unassigned"),
            letter(4, scope="field", reason="out_of_range"),
            letter(5, state="replayed"),
        ]
    )
    return world


def ids(world: World, **query: object) -> list[str]:
    answer = world.client.get("/v1/dead-letters", **query)
    assert answer.status_code == 200, answer.text
    return [entry["id"] for entry in answer.json()["dead_letters"]]


def test_the_newest_comes_first(letters: World) -> None:
    assert ids(letters) == ["worker-1-5", "worker-1-4", "worker-2-3", "worker-1-2", "worker-1-1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"site": "unassigned"}, ["worker-2-3"]),
        ({"device": "stranger"}, ["worker-1-2"]),
        ({"worker": "worker-2"}, ["worker-2-3"]),
        ({"reason": "malformed", "state": "open"}, ["worker-2-3", "worker-1-1"]),
        ({"scope": "field"}, ["worker-1-4"]),
        ({"since": "2026-11-23T10:00:00.000000004Z"}, ["worker-1-5", "worker-1-4"]),
        ({"until": "2026-11-23T10:00:00.000000002Z"}, ["worker-1-1"]),
    ],
)
def test_filters_are_combined(letters: World, query: dict[str, str], expected: list[str]) -> None:
    assert ids(letters, **query) == expected


def test_pages_hold_every_one_once(letters: World) -> None:
    seen: list[str] = []
    path = "/v1/dead-letters?limit=2"
    while path:
        answer = letters.client.get(path).json()
        seen.extend(entry["id"] for entry in answer["dead_letters"])
        path = answer["next"]
    assert seen == ids(letters)


def test_a_payload_is_shown_as_text_and_byte_for_byte(letters: World) -> None:
    shown = letters.client.get("/v1/dead-letters/worker-1-1").json()
    assert shown["payload_text"] == '{"t": '
    assert base64.b64decode(shown["payload_base64"]) == b'{"t": '
    assert shown["properties"] == {"content-type": "application/json"}
    binary = letters.client.get("/v1/dead-letters/worker-2-3").json()
    assert binary["payload_text"] is None
    assert base64.b64decode(binary["payload_base64"]) == b"\xff\x00\xfe"
    assert (binary["payload_hex"], binary["size"]) == ("ff 00 fe", 3)


def test_the_summary_counts_by_reason_and_state(letters: World) -> None:
    summary = letters.client.get("/v1/dead-letters/summary").json()
    assert (summary["total"], summary["open"]) == (5, 4)
    assert summary["reasons"][0] == {
        "reason": "malformed",
        "open": 2,
        "replayed": 1,
        "discarded": 0,
        "total": 3,
    }


def test_a_replay_is_asked_of_the_worker_that_holds_it(letters: World) -> None:
    answer = letters.client.post("/v1/dead-letters/worker-1-1/replay")
    assert answer.status_code == 202
    replay = answer.json()
    assert (replay["worker"], replay["dead_letters"]) == ("worker-1", ["worker-1-1"])
    assert (replay["requested_by"], replay["finished"]) == ("tests", None)
    assert letters.client.get(answer.headers["location"]).json() == replay
    waiting = letters.registry.dead_letters.replay_requests("worker-1")
    assert [request.id for request in waiting] == [replay["id"]]


def test_what_became_of_a_replay_is_shown(letters: World) -> None:
    replay = letters.client.post("/v1/dead-letters/worker-1-1/replay").json()
    letters.registry.dead_letters.finish_replay(replay["id"], 1, 0)
    shown = letters.client.get(f"/v1/replays/{replay['id']}").json()
    assert (shown["replayed"], shown["failed"]) == (1, 0)
    assert shown["finished"] == "2026-11-23T10:00:00Z"


def test_one_that_is_not_open_cannot_be_replayed(letters: World) -> None:
    answer = letters.client.post("/v1/dead-letters/worker-1-5/replay")
    assert answer.status_code == 409
    assert letters.client.post("/v1/dead-letters/nobody-1/replay").status_code == 404


def test_several_are_replayed_by_each_of_their_workers(letters: World) -> None:
    answer = letters.client.post(
        "/v1/dead-letters/replay", {"ids": ["worker-1-1", "worker-2-3", "worker-1-1"]}
    )
    assert answer.status_code == 202
    assert sorted(replay["worker"] for replay in answer.json()["replays"]) == [
        "worker-1",
        "worker-2",
    ]
    assert answer.json()["matched"] == ["worker-1-1", "worker-2-3"]


def test_a_filter_replays_the_open_ones_that_match(letters: World) -> None:
    answer = letters.client.post("/v1/dead-letters/replay", {"filter": {"reason": "malformed"}})
    assert answer.status_code == 202
    assert answer.json()["matched"] == ["worker-2-3", "worker-1-1"]
    assert answer.json()["more"] is False


def test_a_dry_run_asks_nothing_of_anybody(letters: World) -> None:
    orders: tuple[dict[str, object], ...] = ({"filter": {}}, {"ids": ["worker-1-1"]})
    for order in orders:
        answer = letters.client.post("/v1/dead-letters/replay", {**order, "dry_run": True})
        assert answer.status_code == 200
        assert answer.json()["matched"]
        assert answer.json()["replays"] == []
    assert letters.registry.dead_letters.replay_requests("worker-1") == []
    unknown = letters.client.post("/v1/dead-letters/replay", {"ids": ["x"], "dry_run": True})
    assert unknown.status_code == 404


def test_a_filter_that_matches_nothing_replays_nothing(letters: World) -> None:
    answer = letters.client.post("/v1/dead-letters/replay", {"filter": {"device": "nobody"}})
    assert answer.status_code == 202
    assert answer.json() == {"dry_run": False, "matched": [], "more": False, "replays": []}


@pytest.mark.parametrize(
    ("order", "parameter"),
    [
        ({}, "body"),
        ({"ids": ["a"], "filter": {}}, "body"),
        ({"ids": []}, "ids"),
        ({"ids": ["\x00"]}, "ids.0"),
        ({"ids": ["x"] * 10_001}, "ids"),
        ({"filter": {"reason": "boredom"}}, "filter.reason"),
        ({"filter": {"site": "nowhere"}}, "filter.site"),
        ({"filter": {"since": "tomorrow"}}, "filter.since"),
        ({"filter": {"sight": "x"}}, "filter.sight"),
    ],
)
def test_an_order_that_cannot_be_carried_out_names_the_field(
    letters: World, order: dict[str, Any], parameter: str
) -> None:
    answer = letters.client.post("/v1/dead-letters/replay", order)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["parameter"], error["location"]) == (parameter, "body")
