"""How often a key may ask, and an address guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rate_limits import Buckets
from core.access import EVERYTHING
from core.clock import ManualClock
from tests.unit.api.test_problems import problem
from tests.unit.api.world import World


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4)), max_size=60),
    st.floats(0.1, 20),
    st.integers(4, 30),
)
def test_no_more_is_allowed_than_burst_and_rate(
    asked: list[tuple[float, int]], per_s: float, burst: int
) -> None:
    clock = ManualClock(0)
    buckets = Buckets(per_s=per_s, burst=burst, clock=clock)
    allowed, passed_s = 0, 0.0
    for wait_s, cost in asked:
        clock.advance(wait_s)
        passed_s += wait_s
        outcome = buckets.take("a", cost)
        allowed += cost if outcome.allowed else 0
        assert allowed <= burst + per_s * passed_s + 1e-6
        if not outcome.allowed:
            clock.advance(outcome.wait_s + 1e-9)
            passed_s += outcome.wait_s + 1e-9
            assert buckets.take("a", cost).allowed
            allowed += cost


def test_callers_are_counted_apart_and_only_so_many_are_remembered() -> None:
    buckets = Buckets(per_s=1, burst=1, clock=ManualClock(0), callers=2)
    assert buckets.take("a").allowed
    assert buckets.take("b").allowed
    assert not buckets.take("a").allowed
    assert buckets.take("c").allowed  # the first is forgotten
    assert buckets.take("a").allowed
    assert not buckets.take("a").allowed


def test_what_costs_more_than_a_full_bucket_takes_a_full_one() -> None:
    buckets = Buckets(per_s=1, burst=5, clock=ManualClock(0))
    assert buckets.take("a", 20).allowed
    assert buckets.take("a").wait_s == pytest.approx(1)


def test_a_key_that_asks_too_often_waits_and_then_goes_on(world: World) -> None:
    client = world.app_with(rate_limit_per_s=2, rate_limit_burst=3)
    first = client.get("/v1/sites")
    assert first.headers["RateLimit-Policy"] == '"key";q=3;w=2'
    assert first.headers["RateLimit"] == '"key";r=2;t=1'
    for _ in range(2):
        assert client.get("/v1/sites").status_code == 200
    refused = client.get("/v1/sites")
    found = problem(refused)
    assert (found.status, found.type) == (429, "urn:passerelle:problem:rate_limited")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit"] == '"key";r=0;t=2'
    assert client.get("/health/live").status_code == 200
    world.clock.advance(0.5)
    assert client.get("/v1/sites").status_code == 200
    counted = world.metrics.registry.get_sample_value(
        "passerelle_api_rate_limited_total", {"bound": "key"}
    )
    assert counted == 1


def test_one_key_does_not_use_up_another_ones(world: World) -> None:
    client = world.app_with(rate_limit_burst=1)
    other, _ = world.registry.keys.create("other", grants=EVERYTHING)
    assert client.get("/v1/sites").status_code == 200
    assert client.get("/v1/sites").status_code == 429
    answer = client.request("GET", "/v1/sites", headers={"X-API-Key": other})
    assert answer.status_code == 200


def test_an_export_counts_as_many_requests(world: World) -> None:
    world.device("d-1")
    client = world.app_with(rate_limit_burst=30, rate_limit_per_s=0.001)
    assert client.get("/v1/exports", devices="d-1", format="csv").status_code == 200
    assert client.get("/v1/exports", devices="d-1", format="csv").status_code == 429
    assert client.get("/v1/sites").status_code == 200


def test_an_address_that_guesses_is_slowed_and_good_keys_go_on(world: World) -> None:
    client = world.app_with(wrong_keys_per_minute=2)
    assert client.get("/v1/sites").status_code == 200

    def guess() -> int:
        wrong = {"X-API-Key": "psl_wrong_key"}
        return client.request("GET", "/v1/sites", headers=wrong).status_code

    assert [guess() for _ in range(3)] == [401, 401, 429]
    world.clock.advance(10)  # the good key has to be asked for again
    assert client.get("/v1/sites").status_code == 200
    other, _ = world.registry.keys.create("other", grants=EVERYTHING)
    unknown = {"X-API-Key": other}
    assert client.request("GET", "/v1/sites", headers=unknown).status_code == 429
    world.clock.advance(30)
    assert client.request("GET", "/v1/sites", headers=unknown).status_code == 200
    assert guess() == 401


def test_no_bound_is_no_header(world: World) -> None:
    client = world.app_with(rate_limit_per_s=0, wrong_keys_per_minute=0)
    assert "RateLimit" not in client.get("/v1/sites").headers
