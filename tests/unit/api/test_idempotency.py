"""A write that is sent again with the same key is done once and answered as the first time."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from api.idempotency import HEADER, REPLAYED
from core.access import EVERYTHING
from core.clock import NS_PER_HOUR
from devices.registry.answered import Claimed
from tests.unit.api.world import PROFILE, Caller, World

BODY = {"id": "thermo-1", "site": "elgazala", "profile": PROFILE}


def post(
    world: World, key: str | list[str], body: object = BODY, path: str = "/v1/devices"
) -> httpx.Response:
    keys = [key] if isinstance(key, str) else key
    return world.client.request("POST", path, json=body, headers=[(HEADER, one) for one in keys])


def test_the_second_time_gives_the_first_answer_and_does_nothing(world: World) -> None:
    first = post(world, "key-1")
    again = post(world, "key-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert len(world.registry.devices.all()) == 1


def test_without_a_key_the_second_time_is_a_conflict(world: World) -> None:
    assert world.client.post("/v1/devices", BODY).status_code == 201
    assert world.client.post("/v1/devices", BODY).status_code == 409


def test_a_refusal_is_repeated_too(world: World) -> None:
    bad = BODY | {"site": "nowhere"}
    first, again = post(world, "key-1", bad), post(world, "key-1", bad)
    assert first.status_code == again.status_code == 422
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.json() == first.json()


def test_a_key_that_stands_for_another_request_is_refused(world: World) -> None:
    post(world, "key-1")
    other = post(world, "key-1", BODY | {"id": "thermo-2"})
    assert other.status_code == 422
    assert other.json()["type"] == "urn:passerelle:problem:idempotency_key_reused"
    assert len(world.registry.devices.all()) == 1


def test_the_same_key_on_another_path_or_of_another_caller_is_another_key(world: World) -> None:
    post(world, "key-1")
    gone = world.client.request("DELETE", "/v1/devices/thermo-1", headers={HEADER: "key-1"})
    assert gone.status_code == 204
    secret, _ = world.registry.keys.create("somebody else", grants=EVERYTHING)
    other = world.caller(world.app, key=secret).request(
        "POST", "/v1/devices", json=BODY, headers={HEADER: "key-1"}
    )
    assert other.status_code == 201
    assert REPLAYED not in other.headers


def test_an_answer_without_a_body_is_repeated(world: World) -> None:
    post(world, "key-1")
    for replayed in (False, True):
        answer = world.client.request("DELETE", "/v1/devices/thermo-1", headers={HEADER: "key-2"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert (REPLAYED in answer.headers) is replayed


def test_while_the_first_is_under_way_the_second_is_told_to_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        world.registry.answered, "claim", lambda _key, _fingerprint: Claimed.UNDER_WAY
    )
    answer = post(world, "key-1")
    assert answer.status_code == 409
    assert answer.headers["Retry-After"] == "1"


def test_after_a_day_the_key_is_forgotten(world: World) -> None:
    post(world, "key-1")
    world.clock.advance(25 * NS_PER_HOUR / 1e9)
    assert post(world, "key-1").status_code == 409


def test_a_failure_of_ours_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.registry.devices, "add", lambda _device: 1 / 0)
        assert post(world, "key-1").status_code == 500
    assert post(world, "key-1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "two words", ["a", "b"]])
def test_a_key_that_is_none_is_refused(world: World, key: str | list[str]) -> None:
    answer = post(world, key)
    assert answer.status_code == 400
    assert HEADER in answer.json()["detail"]
    assert not world.registry.devices.all()


def test_a_body_that_is_too_long_is_refused_with_a_key_as_without(world: World) -> None:
    answer = post(world, "key-1", BODY | {"name": "x" * 1024 * 1024})
    assert answer.status_code == 413


def test_without_an_api_key_no_answer_is_repeated(world: World) -> None:
    post(world, "key-1")
    stranger = world.caller(world.app, key=None)
    answer = stranger.request("POST", "/v1/devices", json=BODY, headers={HEADER: "key-1"})
    assert answer.status_code == 401


def test_a_public_path_writes_nothing_and_needs_nobody(
    world: World, caller: Callable[..., Caller]
) -> None:
    nobody = caller(world.app, key=None)
    answer = nobody.request("POST", "/health/live", headers={HEADER: "key-1"})
    assert answer.status_code == 405
