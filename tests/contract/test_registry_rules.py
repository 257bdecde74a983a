"""What the registry promises of alert rules, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.clock import NS_PER_S, ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import Registry, RuleState, RuleVersion
from devices.registry.rules import LONGEST_SOURCE
from tests.contract.registry_data import DATABASES, HOSTILE, NOW_NS, new_address, opened

SOURCE = "rule: hot\ntitle: {en: Hot}\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_address(request, tmp_path)


@pytest.fixture
def registry(url: str, clock: ManualClock) -> Iterator[Registry]:
    yield from opened(url, clock)


def put(registry: Registry, name: str = "hot", source: str = SOURCE, **more: Any) -> RuleVersion:
    said: dict[str, Any] = {"author": "n.ba", "reason": "the oven is new"}
    return registry.rules.put(name, source, **(said | more))


def told(rules: list[RuleVersion]) -> list[tuple[str, int]]:
    return [(one.name, one.version) for one in rules]


def test_every_version_is_kept_with_its_author_and_reason(
    registry: Registry, clock: ManualClock
) -> None:
    first = put(registry)
    clock.advance(1)
    second = put(registry, source="rule: hot\n", author="a.diop", reason="too many alarms")
    assert first == RuleVersion(
        name="hot",
        version=1,
        source=SOURCE,
        author="n.ba",
        reason="the oven is new",
        created_ns=NOW_NS,
        state="active",
    )
    assert (second.version, second.created_ns) == (2, NOW_NS + NS_PER_S)
    assert registry.rules.versions("hot") == [second, first]
    assert registry.rules.get("hot") == second
    assert registry.rules.get("hot", 1) == first


def test_the_same_text_again_is_a_new_version_as_somebody_says_so(registry: Registry) -> None:
    put(registry)
    assert put(registry, reason="checked once more").version == 2


def test_the_newest_versions_are_listed_by_name_and_state(registry: Registry) -> None:
    put(registry, "b-rule")
    put(registry, "a-rule")
    put(registry, "a-rule")
    put(registry, "c-rule", state=RuleState.DISABLED)
    put(registry, "d-rule")
    put(registry, "d-rule", state=RuleState.DELETED)
    newest = registry.rules.newest
    assert told(newest()) == [("a-rule", 2), ("b-rule", 1), ("c-rule", 1)]
    assert told(newest(states=[RuleState.ACTIVE])) == [("a-rule", 2), ("b-rule", 1)]
    assert told(newest(states=[RuleState.DELETED])) == [("d-rule", 2)]
    assert newest(states=[]) == []


def test_a_deleted_rule_is_not_forgotten_and_its_name_may_be_used_again(
    registry: Registry,
) -> None:
    put(registry, expected=0)
    put(registry, state=RuleState.DELETED, reason="the oven is gone")
    assert registry.rules.get("hot").state == RuleState.DELETED
    again = put(registry, expected=0, reason="a new oven")
    assert (again.version, again.state) == (3, "active")
    assert [one.state for one in registry.rules.versions("hot")] == ["active", "deleted", "active"]


def test_who_expects_another_version_is_told_whose_is_the_newest(registry: Registry) -> None:
    with pytest.raises(ConflictError, match="version 1 was expected, but there is none"):
        put(registry, expected=1)
    put(registry)
    with pytest.raises(ConflictError, match=r"none was expected, but there is version 1 by n\.ba"):
        put(registry, expected=0)
    put(registry, author="a.diop", expected=1)
    with pytest.raises(ConflictError, match=r"version 1 was expected, .* version 2 by a\.diop"):
        put(registry, expected=1)
    assert told(registry.rules.versions("hot")) == [("hot", 2), ("hot", 1)]


def test_writers_at_once_get_a_version_each(url: str, registry: Registry) -> None:
    other = Registry.open(url, clock=ManualClock(NOW_NS))
    with ThreadPoolExecutor(4) as pool:
        made = list(
            pool.map(
                lambda number: put((registry, other)[number % 2], reason=f"{number}"), range(12)
            )
        )
    other.close()
    assert sorted(one.version for one in made) == list(range(1, 13))
    kept = {one.version: one for one in registry.rules.versions("hot")}
    assert kept == {one.version: one for one in made}


def test_of_writers_that_expect_the_same_version_one_is_heard(url: str, registry: Registry) -> None:
    put(registry)
    other = Registry.open(url, clock=ManualClock(NOW_NS))

    def tried(number: int) -> int | None:
        try:
            return put((registry, other)[number % 2], reason=f"{number}", expected=1).version
        except ConflictError:
            return None

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(tried, range(8)))
    other.close()
    assert sorted(outcomes, key=str) == [2, *[None] * 7]
    assert told(registry.rules.versions("hot")) == [("hot", 2), ("hot", 1)]


def test_the_revision_grows_with_every_version(registry: Registry) -> None:
    before = registry.revision()
    put(registry)
    put(registry)
    assert registry.revision() == before + 2
    with pytest.raises(ConflictError):
        put(registry, expected=7)
    assert registry.revision() == before + 2


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("Hot", {}, "rule name 'Hot' must be 1 to 64"),
        ("platform.deaf", {}, "begins with 'platform.'"),
        ("hot", {"source": " \n"}, "its text is missing"),
        ("hot", {"source": "x" * (LONGEST_SOURCE + 1)}, "its text is longer than 200000"),
        ("hot", {"source": "a\0b"}, "cannot be kept"),
        ("hot", {"author": ""}, "the author is missing"),
        ("hot", {"author": "x" * 201}, "the author is longer than 200"),
        ("hot", {"reason": " "}, "the reason is missing"),
        ("hot", {"reason": "x" * 2001}, "the reason is longer than 2000"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(
    registry: Registry, name: str, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        put(registry, name, **more)
    assert registry.rules.newest() == []


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_was(registry: Registry, text: str) -> None:
    made = put(registry, source=text, author=text, reason=text)
    assert registry.rules.get("hot") == made
    assert (made.source, made.author, made.reason) == (text, text, text)


@pytest.mark.parametrize("name", ["hot", "", "a\0b", "\udc80", *HOSTILE])
def test_a_rule_that_is_not_there_is_not_found(registry: Registry, name: str) -> None:
    with pytest.raises(NotFoundError, match="there is no rule"):
        registry.rules.get(name)
    with pytest.raises(NotFoundError, match="there is no rule"):
        registry.rules.versions(name)


def test_a_version_that_is_not_there_is_not_found(registry: Registry) -> None:
    put(registry)
    with pytest.raises(NotFoundError, match="there is no rule 'hot', version 2"):
        registry.rules.get("hot", 2)
