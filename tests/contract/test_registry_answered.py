"""What the registry promises of writes under idempotency keys, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.clock import NS_PER_S, ManualClock
from devices.registry import Registry
from devices.registry.answered import GIVEN_UP_NS, KEPT_NS, Answered, Claimed
from tests.contract.registry_data import DATABASES, NOW_NS, new_address

KEY, WRITE, OTHER = "k" * 64, "w" * 64, "o" * 64
ANSWER = Answered(201, {"location": "/v1/devices/x"}, b'{"id":"x"}\x00\xff')


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    made = Registry.open(new_address(request, tmp_path), clock=clock)
    made.migrate()
    yield made
    made.close()


def test_a_key_is_claimed_once_and_then_has_its_answer(registry: Registry) -> None:
    assert registry.answered.claim(KEY, WRITE) is Claimed.NOW
    assert registry.answered.claim(KEY, WRITE) is Claimed.UNDER_WAY
    assert registry.answered.claim(KEY, OTHER) is Claimed.ANOTHER
    registry.answered.answer(KEY, ANSWER)
    assert registry.answered.claim(KEY, WRITE) == ANSWER
    assert registry.answered.claim(KEY, OTHER) is Claimed.ANOTHER


def test_a_claim_that_was_let_go_can_be_made_again(registry: Registry) -> None:
    registry.answered.claim(KEY, WRITE)
    registry.answered.give_up(KEY)
    assert registry.answered.claim(KEY, WRITE) is Claimed.NOW


def test_an_answer_is_not_let_go(registry: Registry) -> None:
    registry.answered.claim(KEY, WRITE)
    registry.answered.answer(KEY, ANSWER)
    registry.answered.give_up(KEY)
    assert registry.answered.claim(KEY, WRITE) == ANSWER


def test_a_claim_without_an_answer_is_given_up_and_an_answer_forgotten(
    registry: Registry, clock: ManualClock
) -> None:
    registry.answered.claim(KEY, WRITE)
    clock.advance(GIVEN_UP_NS / NS_PER_S + 1)
    assert registry.answered.claim(KEY, WRITE) is Claimed.NOW
    registry.answered.answer(KEY, ANSWER)
    clock.advance(KEPT_NS / NS_PER_S - 10)
    assert registry.answered.claim(KEY, WRITE) == ANSWER
    clock.advance(11)
    assert registry.answered.claim(KEY, WRITE) is Claimed.NOW


def test_of_many_who_claim_at_once_one_has_it(registry: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: registry.answered.claim(KEY, WRITE), range(16)))
    assert told.count(Claimed.NOW) == 1
    assert told.count(Claimed.UNDER_WAY) == 15
