"""What dead letters quote of vital signs is for those to whom health is granted."""

from __future__ import annotations

import msgspec
import pytest

from api.letter_payloads import WITHHELD
from core.access import EVERYTHING, Domain, Grant, Role
from devices.registry import DeadLetter, DeadLetterState, LetterOutcome
from tests.unit.api.world import NOW_NS, World

HEART = "hr: 350 /min is outside 0 to 300 /min"
LETTER = DeadLetter(
    id="w-1",
    worker="w",
    scope="message",
    reason="out_of_range",
    detail=HEART,
    site="elgazala",
    device="ward-1",
    profile="passerelle-json",
    topic="passerelle/v1/elgazala/ward-1/telemetry",
    payload=b'{"v":{"hr":350}}',
    properties={},
    received_ns=NOW_NS,
    state=DeadLetterState.OPEN,
)
ENGINEER = Grant(Role.ENGINEER, "elgazala")
WARD = Grant(Role.VIEWER, "elgazala", Domain.HEALTH)


def details(world: World, *grants: Grant) -> list[str]:
    secret, _ = world.registry.keys.create("a caller", grants=grants)
    answer = world.caller(world.app, key=secret).get("/v1/dead-letters").json()
    return [one["detail"] for one in answer["dead_letters"]]


@pytest.mark.parametrize(
    ("scope", "reason", "detail", "quotes"),
    [
        ("message", "out_of_range", HEART, True),
        ("field", "out_of_range", "t: 215 Cel is outside -100 to 150 Cel", True),
        ("field", "wrong_type", "t: air_temperature is a number, not the text 'x'", False),
        ("field", "wrong_type", "t: air_temperature is a number, not 'x'; hr: it is text", True),
        ("field", "wrong_type", "hr: heart_rate is a number, not the text '72'", True),
        ("message", "malformed", "the payload is not JSON: it ends at byte 6", False),
        ("message", "unknown_device", "no device 'ward-9' is registered", False),
        ("points", "store_refused", "field type conflict: input 71.5", True),
    ],
)
def test_a_list_withholds_what_may_quote_a_vital_sign(
    world: World, scope: str, reason: str, detail: str, *, quotes: bool
) -> None:
    letter = msgspec.structs.replace(LETTER, scope=scope, reason=reason, detail=detail)
    world.registry.dead_letters.publish([letter])
    assert details(world, ENGINEER) == [WITHHELD if quotes else detail]
    assert details(world, ENGINEER, WARD) == [detail]


def test_a_letter_without_its_payload_quotes_no_more_than_the_list(world: World) -> None:
    settled = msgspec.structs.replace(LETTER, payload=b"", state=DeadLetterState.DISCARDED)
    world.registry.dead_letters.publish([settled])
    for grants, expected in (((ENGINEER,), WITHHELD), ((ENGINEER, WARD), HEART)):
        secret, _ = world.registry.keys.create("a caller", grants=grants)
        answer = world.caller(world.app, key=secret).get("/v1/dead-letters/w-1")
        assert (answer.status_code, answer.json()["detail"]) == (200, expected)


def test_how_far_a_replay_is_quotes_no_more_than_the_list(world: World) -> None:
    world.registry.dead_letters.publish([LETTER])
    for grants, expected in (
        ((ENGINEER,), WITHHELD),
        ((ENGINEER, WARD), HEART),
        (EVERYTHING, HEART),
    ):
        secret, _ = world.registry.keys.create("a caller", grants=grants)
        caller = world.caller(world.app, key=secret)
        order = {"filter": {"site": "elgazala"}, "dry_run": True}
        [asked] = caller.post("/v1/dead-letters/replays", order).json()["requests"]
        [request] = world.registry.dead_letters.replay_requests("w")
        outcome = LetterOutcome("out_of_range", "open", 1, "out_of_range", HEART)
        world.registry.dead_letters.note_progress(
            msgspec.structs.replace(request, done=1, outcomes=(outcome,))
        )
        for method, path in (("GET", ""), ("POST", "/pause"), ("POST", "/resume")):
            answer = caller.request(method, f"/v1/dead-letters/replays/{asked['id']}{path}")
            assert answer.json()["outcomes"][0]["detail"] == expected, (grants, path)
        world.registry.dead_letters.finish_replay(asked["id"], 1, 0)
