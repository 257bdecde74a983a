from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.routing import WebSocketRoute

from api.documentation import DocumentedApi
from api.security import CACHE_S, PUBLIC_PATHS
from core.access import EVERYTHING
from devices.registry import Registry
from tests.unit.api.world import Caller, World


def every_route(app: DocumentedApi) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route, also of those inside included routers."""

    def walk(routes: list[Any]) -> Iterator[tuple[str, str]]:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                yield from walk(inner.routes)
            elif not isinstance(route, WebSocketRoute):  # those: test_live.py
                for method in sorted(route.methods):
                    yield method, route.path

    yield from walk(app.routes)


def test_every_route_but_health_and_the_description_refuses_without_a_key(
    world: World, caller: Callable[..., Caller]
) -> None:
    nobody = caller(world.app, key=None)
    asked = 0
    for method, template in every_route(world.app):
        path = re.sub(r"\{\w+\}", "1", template)
        answer = nobody.request(method, path)
        if template in PUBLIC_PATHS:
            assert answer.status_code != 401, path
            continue
        asked += 1
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
    assert asked >= 18


def test_a_path_that_does_not_exist_tells_nothing_to_a_caller_without_a_key(
    world: World, caller: Callable[..., Caller]
) -> None:
    assert caller(world.app, key=None).get("/v1/secret").status_code == 401


def test_a_key_is_taken_from_either_header(world: World, caller: Callable[..., Caller]) -> None:
    nobody = caller(world.app, key=None)
    for headers in (
        {"X-API-Key": world.key},
        {"Authorization": f"Bearer {world.key}"},
        {"Authorization": f"bearer  {world.key} "},
    ):
        answer = nobody.request("GET", "/v1/sites", headers=headers)
        assert answer.status_code == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "psl_unknown_unknown"},
        {"X-API-Key": "psl_"},
        {"X-API-Key": "psl_" + "x" * 5000},
        {"X-API-Key": b"psl_\xff\xfe_\x80"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ' OR 1=1 --"},
    ],
)
def test_what_is_no_key_is_refused(
    world: World, caller: Callable[..., Caller], headers: dict[str, Any]
) -> None:
    assert (
        caller(world.app, key=None).request("GET", "/v1/sites", headers=headers).status_code == 401
    )


def test_a_key_in_the_address_is_not_taken(world: World, caller: Callable[..., Caller]) -> None:
    nobody = caller(world.app, key=None)
    assert nobody.get("/v1/sites", api_key=world.key).status_code == 401


def test_a_revoked_key_stops_working_once_the_memory_of_it_is_over(world: World) -> None:
    assert world.client.get("/v1/sites").status_code == 200
    for key in world.registry.keys.list():
        world.registry.keys.revoke(key.id)
    world.clock.advance(CACHE_S)
    assert world.client.get("/v1/sites").status_code == 401


def test_a_new_key_works_at_once(world: World, caller: Callable[..., Caller]) -> None:
    assert caller(world.app, key="psl_soon_x").get("/v1/sites").status_code == 401
    plain, _ = world.registry.keys.create("another", grants=EVERYTHING)
    assert caller(world.app, key=plain).get("/v1/sites").status_code == 200


def test_a_key_verified_just_now_does_not_trouble_the_registry(world: World) -> None:
    assert world.client.get("/v1/quantities").status_code == 200
    for key in world.registry.keys.list():
        world.registry.keys.revoke(key.id)
    assert world.client.get("/v1/quantities").status_code == 200


def test_a_registry_that_is_down_is_said_to_be_and_not_mistaken_for_a_wrong_key(
    world: World,
) -> None:
    down = Registry.open("postgresql+psycopg://nobody@127.0.0.1:1/none", clock=world.clock)
    try:
        answer = world.app_with(registry=down).get("/v1/sites")
    finally:
        down.close()
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:passerelle:problem:registry_unavailable"
    assert int(answer.headers["retry-after"]) >= 1
