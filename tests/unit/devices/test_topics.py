"""Topic templates: what they match, which one wins, what is subscribed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.message import MessageKind
from devices.topic_filters import disjoint_filters, overlap
from devices.topics import Found, Router, Template


def template(text: str, kind: str = "telemetry", profile: str = "p", site: str = "") -> Template:
    return Template(text, kind=MessageKind(kind), profile=profile, site=site)


def test_a_template_names_site_and_device() -> None:
    router = Router([template("x/{site}/{device}/data")])
    assert router.find("x/elgazala/n1/data") == Found(0, "elgazala", "n1")
    assert router.find("x/elgazala/n1/other") is None
    assert router.find("x/elgazala/n1/data/more") is None


def test_a_device_may_hold_several_levels() -> None:
    router = Router([template("{site}/zigbee2mqtt/{device*}")])
    assert router.find("s/zigbee2mqtt/kitchen/floor/lamp") == Found(0, "s", "kitchen/floor/lamp")
    assert router.find("s/zigbee2mqtt") is None


def test_the_site_may_come_from_the_binding() -> None:
    router = Router([template("lab/{device}", site="diamniadio")])
    assert router.find("lab/n1") == Found(0, "diamniadio", "n1")


@pytest.mark.parametrize("topic", ["x//n1/data", "x/s//data", "x/s/n1\x00/data", "", "/", "x"])
def test_empty_names_are_no_names(topic: str) -> None:
    assert Router([template("x/{site}/{device}/data")]).find(topic) is None


def test_names_are_bounded() -> None:
    router = Router([template("{site}/z/{device*}")])
    assert router.find(f"s/z/{'a/' * 200}b") is None
    assert router.find(f"{'s' * 65}/z/a") is None


def test_a_topic_of_ten_thousand_levels_is_answered() -> None:
    router = Router(
        [template("{site}/z/{device*}"), template("{site}/z/{device*}/set", "metadata")]
    )
    assert router.find("s/z/" + "/" * 20_000) is None


def test_a_status_topic_wins_over_a_wildcard_for_telemetry() -> None:
    router = Router(
        [
            template("{site}/z/{device*}"),
            template("{site}/z/{device*}/availability", "availability"),
            template("{site}/z/bridge/{any*}", "metadata"),
            template("{site}/z/bridge/devices", "metadata"),
        ]
    )
    assert router.find("s/z/a/b") == Found(0, "s", "a/b")
    assert router.find("s/z/a/b/availability") == Found(1, "s", "a/b")
    assert router.find("s/z/bridge/devices") == Found(3, "s", "z/bridge")
    assert router.find("s/z/bridge/log/x") == Found(2, "s", "z/bridge")
    assert router.find("s/z/bridge/availability") == Found(2, "s", "z/bridge")


def test_the_more_specific_template_wins_over_profiles() -> None:
    special = Router(
        [template("{site}/x/{device}/data"), template("lab/x/{device}/data", profile="q", site="s")]
    )
    assert special.find("lab/x/n/data") == Found(1, "s", "n")
    assert special.find("other/x/n/data") == Found(0, "other", "n")


def test_templates_that_nothing_tells_apart_are_an_error() -> None:
    with pytest.raises(ConfigurationError, match="neither is more specific"):
        Router([template("{site}/b/{device}"), template("a/{device}/{any}", profile="q", site="s")])
    with pytest.raises(ConfigurationError, match="neither is more specific"):
        Router([template("{site}/{device}"), template("{site}/{device}", profile="q")])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x/{device}", "site"),
        ("x/{site}/y", "device"),
        ("x/{site}/{device}/{device*}", "device"),
        ("x/{site}/{device*}/{any*}", "several levels"),
        ("x/{site}/{device}/+", "neither literal"),
        ("x/{site}/{devise}", "neither literal"),
        ("x/{site}/n-{device}", "neither literal"),
        ("x//{site}/{device}", "neither literal"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        template(text)


def test_filters_cover_the_templates() -> None:
    assert template("x/{site}/{device}/data").filter() == "x/+/+/data"
    assert template("{site}/z/{device*}/set").filter() == "+/z/#"


def test_a_filter_inside_another_is_left_out() -> None:
    assert disjoint_filters(["+/z/#", "+/z/bridge/devices", "+/z/#"]) == ("+/z/#",)


def test_filters_that_overlap_in_part_become_one() -> None:
    assert disjoint_filters(["a/+/c", "+/b/c"]) == ("+/+/c",)


LEVEL = st.sampled_from(["a", "b", "+"])
FILTER = st.builds(
    lambda levels, wide: "/".join([*levels, "#"] if wide else levels),
    st.lists(LEVEL, min_size=1, max_size=4),
    st.booleans(),
)


def matches(one: str, topic: str) -> bool:
    return overlap(one.split("/"), topic.split("/"))


@given(st.lists(FILTER, max_size=6), st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5))
def test_no_topic_matches_two_filters_and_none_is_lost(
    filters: list[str], levels: list[str]
) -> None:
    topic = "/".join(levels)
    reduced = disjoint_filters(filters)
    count = sum(matches(one, topic) for one in reduced)
    assert count <= 1
    if any(matches(one, topic) for one in filters):
        assert count == 1
