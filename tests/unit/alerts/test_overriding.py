from __future__ import annotations

import pytest

from alerts.rules.overriding import with_override, without_override
from alerts.rules.source import parse_rule
from core.errors import NotFoundError, RuleError

HEAD = """\
# why this rule is: the server room
rule: hot
title: {en: Hot, fr: Chaud}   # in both languages
when:
  threshold: {quantity: air_temperature, above: 28 Cel}
"""
LISTED = """\
overrides:
  - device: a
    set: {threshold: {above: 30 Cel}}  # lost
    author: n.ba
    reason: "by the oven"
    expires: 2027-06-30

# what to do
runbook: Call facilities.
"""
FLOW = """\
{rule: hot, title: {en: Hot, fr: Chaud},
 when: {threshold: {quantity: air_temperature, above: 28}}}"""
NEW = {
    "device": "b",
    "set": {"threshold": {"above": "31 Cel"}},
    "author": "a.bennour",
    "reason": "près de la fenêtre: soleil",
    "expires": "2027-01-31",
}


def devices(text: str) -> list[str]:
    return [one.device for one in parse_rule(text, origin="test").overrides]


@pytest.mark.parametrize(
    "source",
    [
        HEAD,
        HEAD + "...\n",
        "---\n" + HEAD,
        "\n".join(f"  {line}" for line in HEAD.splitlines()),
        FLOW,
    ],
)
def test_an_override_is_added_however_the_rule_is_written(source: str) -> None:
    once = with_override(source, NEW, origin="hot")
    twice = with_override(once, NEW | {"device": "c"}, origin="hot")
    assert devices(twice) == ["b", "c"]
    first = parse_rule(once, origin="test").overrides[0]
    assert (first.author, first.reason) == ("a.bennour", NEW["reason"])
    assert devices(without_override(twice, 1, origin="hot")) == ["c"]
    assert devices(without_override(once, 1, origin="hot")) == []


def test_the_rest_of_the_text_stays_as_it_was_with_its_comments() -> None:
    made = with_override(HEAD + LISTED, NEW, origin="hot")
    assert made.startswith(HEAD)
    assert made.endswith("\n# what to do\nrunbook: Call facilities.\n")
    assert devices(made) == ["a", "b"]
    gone = without_override(HEAD + LISTED, 1, origin="hot")
    assert gone == HEAD + "\n# what to do\nrunbook: Call facilities.\n"


def test_an_override_that_is_not_there_cannot_be_taken_out() -> None:
    with pytest.raises(NotFoundError, match="no override 2"):
        without_override(HEAD + LISTED, 2, origin="hot")
    with pytest.raises(NotFoundError):
        without_override(HEAD, 0, origin="hot")


def test_an_override_that_does_not_fit_the_rule_is_refused_with_its_place() -> None:
    with pytest.raises(RuleError) as refused:
        with_override(HEAD + LISTED, NEW | {"set": {"threshold": {"over": 3}}}, origin="hot")
    place = refused.value.place
    assert place is not None
    assert place.field == "overrides[1].set.threshold.over"
    assert "unknown key" in place.detail


def test_a_rule_has_a_bounded_number_of_overrides() -> None:
    source = (
        HEAD
        + "overrides:\n"
        + "- {device: a, set: {}, author: b, reason: c, expires: 2027-01-01}\n" * 200
    )
    with pytest.raises(RuleError, match="at most 200"):
        with_override(source, NEW, origin="hot")
