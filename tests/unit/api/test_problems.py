from __future__ import annotations

from typing import Any

import pytest
import structlog.testing

from api.problems import ParameterProblem, Problem
from core.errors import StoreUnavailableError
from storage.backends.memory import MemoryStore
from tests.unit.api.world import World


class FailingStore(MemoryStore):
    """A store that raises while it has an `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error

    def latest(self, *arguments: Any, **named: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().latest(*arguments, **named)


def problem(answer: Any) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(answer.text)
    assert found.status == answer.status_code
    return found


def test_an_unknown_path_is_a_problem(world: World) -> None:
    found = problem(world.client.get("/v1/nothing"))
    assert (found.status, found.type) == (404, "urn:passerelle:problem:not_found")
    assert found.instance == "/v1/nothing"


def test_an_unknown_identifier_is_a_problem_that_names_it(world: World) -> None:
    for path in ("sites", "devices", "dead-letters"):
        found = problem(world.client.get(f"/v1/{path}/no-such-one"))
        assert found.status == 404
        assert "no-such-one" in found.detail


def test_a_wrong_method_says_which_are_right(world: World) -> None:
    answer = world.client.request("PUT", "/v1/sites")
    assert problem(answer).type == "urn:passerelle:problem:method_not_allowed"
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/devices?limit=0", "limit"),
        ("/v1/devices?limit=99999999999999999999999", "limit"),
        ("/v1/devices?limit=ten", "limit"),
        ("/v1/devices?limit=1&limit=2", "limit"),
        ("/v1/devices?site=%00", "site"),
        ("/v1/devices?site=nowhere", "site"),
        ("/v1/devices?cursor=nonsense", "cursor"),
        ("/v1/devices?sight=elgazala", "sight"),
        ("/v1/quantities?category=food", "category"),
        ("/v1/sites?x=1", "x"),
        ("/v1/sites/%00", "id"),
        ("/v1/completeness?group=planet", "group"),
        ("/v1/completeness?from=now&to=-1h", "to"),
        ("/v1/completeness?site=nowhere", "site"),
        ("/v1/dead-letters?reason=boredom", "reason"),
        ("/v1/dead-letters?since=tomorrow", "since"),
        ("/v1/dead-letters?since=now&until=-1h", "until"),
        ("/v1/replays/seven", "id"),
        ("/v1/replays/99999999999999999999", "id"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(world: World, path: str, parameter: str) -> None:
    found = problem(world.client.request("GET", path))
    assert found.status == 422
    first = found.errors[0]
    assert isinstance(first, ParameterProblem)
    assert first.parameter == parameter
    assert first.detail


def test_a_misspelt_parameter_gets_the_closest_one_as_a_hint(world: World) -> None:
    found = problem(world.client.get("/v1/readings", device="x"))
    assert "did you mean devices" in found.detail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 422),
        (b"", 422),
        (b"[]", 422),
        (b"\xff\xfe", 422),
        (b'{"id": NaN}', 422),
        (b"[" * 100_000, 400),
        (b'{"id": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(world: World, body: bytes, status: int) -> None:
    answer = world.client.request(
        "POST", "/v1/devices", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer).status == status


def test_a_body_that_hides_its_length_is_bounded_too(world: World) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 65_536

    answer = world.client.request(
        "POST", "/v1/devices", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert problem(answer).type == "urn:passerelle:problem:body_too_large"


def test_a_failure_gives_a_reference_and_nothing_else(world: World) -> None:
    world.device("d-1")
    client = world.app_with(store=FailingStore(RuntimeError("the secret is 42")))
    with structlog.testing.capture_logs() as logged:
        answer = client.get("/v1/devices/d-1/latest")
    found = problem(answer)
    assert found.status == 500
    assert "secret" not in answer.text
    assert [entry["event"] for entry in logged] == ["request_failed"]
    assert logged[0]["reference"] == found.reference
    assert logged[0]["exc_info"]


def test_an_outage_of_the_store_is_logged_when_it_begins_and_when_it_ends(world: World) -> None:
    world.device("d-1")
    store = FailingStore(StoreUnavailableError("the store at x did not answer"))
    client = world.app_with(store=store)
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            assert client.get("/v1/devices/d-1/latest").status_code == 503
        store.error = None
        for _ in range(2):
            assert client.get("/v1/devices/d-1/latest").status_code == 200
    assert [entry["event"] for entry in logged] == ["store_unavailable", "store_back"]


def test_a_store_that_is_down_says_when_to_ask_again(world: World) -> None:
    world.device("d-1")
    error = StoreUnavailableError("the store at x did not answer", retry_after_s=7.2)
    answer = world.app_with(store=FailingStore(error)).get("/v1/devices/d-1/latest")
    assert problem(answer).type == "urn:passerelle:problem:store_unavailable"
    assert answer.headers["retry-after"] == "8"
