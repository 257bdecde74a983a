"""How answers travel: entity tags, compression, browsers of other origins."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.conditional import matches
from core.access import EVERYTHING
from core.clock import ManualClock
from core.metrics import Metrics
from core.settings import load_settings
from devices.registry import Registry
from storage.backends.memory import MemoryStore
from tests.unit.api.world import NOW_NS, Caller, World

PAGE = "https://maps.example"


@pytest.fixture
def open_to_pages(tmp_path: Path, caller: Callable[..., Caller]) -> Iterator[Caller]:
    """An API that a page of another origin may call."""
    clock = ManualClock(NOW_NS)
    settings = load_settings(data_dir=tmp_path, api={"cors_origins": [PAGE]})
    registry = Registry.open(settings.registry_url, clock=clock)
    registry.migrate()
    registry.seed([], [])
    key, _ = registry.keys.create("tests", grants=EVERYTHING)
    app = create_app(
        settings=settings, registry=registry, store=MemoryStore(), metrics=Metrics(), clock=clock
    )
    yield caller(app, key=key)
    registry.close()


def test_an_answer_that_did_not_change_is_not_sent_again(world: World) -> None:
    first = world.client.get("/v1/sites")
    tag = first.headers["ETag"]
    again = world.client.request("GET", "/v1/sites", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == tag
    assert "Content-Type" not in again.headers
    assert again.headers["RateLimit-Policy"] == first.headers["RateLimit-Policy"]
    assert again.headers["RateLimit"].startswith('"key";r=')


def test_an_answer_that_changed_is_sent_with_another_tag(world: World) -> None:
    tag = world.client.get("/v1/devices").headers["ETag"]
    world.device("thermo-1")
    again = world.client.request("GET", "/v1/devices", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.headers["ETag"] != tag


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (['W/"a"'], True),
        (['"a"'], True),
        (['"b", W/"a"'], True),
        (['"b"', '"a"'], True),
        (["*"], True),
        (['"b"'], False),
        (["a"], False),
        ([""], False),
        ([], False),
    ],
)
def test_tags_are_compared_weakly(wanted: list[str], found: bool) -> None:  # noqa: FBT001
    assert matches(wanted, 'W/"a"') is found


def test_problems_and_writes_have_no_tag(world: World) -> None:
    assert "ETag" not in world.client.get("/v1/devices/nobody").headers
    body = {"id": "thermo-1", "site": "elgazala", "profile": "passerelle-json"}
    assert "ETag" not in world.client.post("/v1/devices", body).headers


def test_a_key_is_asked_for_before_a_tag_is_looked_at(world: World) -> None:
    tag = world.client.get("/v1/sites").headers["ETag"]
    stranger = world.caller(world.app, key=None)
    answer = stranger.request("GET", "/v1/sites", headers={"If-None-Match": tag})
    assert answer.status_code == 401


def test_long_answers_are_compressed_for_who_accepts_it(world: World) -> None:
    for encoding, expected in (("gzip", "gzip"), ("identity", None)):
        answer = world.client.request(
            "GET", "/v1/quantities", headers={"Accept-Encoding": encoding}
        )
        assert answer.headers.get("Content-Encoding") == expected
        assert "Accept-Encoding" in answer.headers.get("Vary", "Accept-Encoding")
        assert answer.json()
    assert len(gzip.compress(answer.content)) < len(answer.content) / 2


def test_the_tag_of_a_compressed_answer_is_that_of_the_plain_one(world: World) -> None:
    tags = {
        world.client.request("GET", "/v1/quantities", headers={"Accept-Encoding": one}).headers[
            "ETag"
        ]
        for one in ("gzip", "identity")
    }
    assert len(tags) == 1


def test_a_page_of_a_named_origin_may_ask_and_no_other(open_to_pages: Caller) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "X-API-Key"}
    good = open_to_pages.request("OPTIONS", "/v1/sites", headers={"Origin": PAGE, **asked})
    assert good.status_code == 200
    assert good.headers["Access-Control-Allow-Origin"] == PAGE
    bad = open_to_pages.request(
        "OPTIONS", "/v1/sites", headers={"Origin": "https://evil.example", **asked}
    )
    assert "Access-Control-Allow-Origin" not in bad.headers
    answer = open_to_pages.request("GET", "/v1/sites", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


def test_no_page_may_ask_unless_the_setting_says_so(world: World) -> None:
    answer = world.client.request("GET", "/v1/sites", headers={"Origin": PAGE})
    assert "Access-Control-Allow-Origin" not in answer.headers
