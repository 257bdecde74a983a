"""Flapping: told once, then quiet until it holds still."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.lifecycle import people
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires
from tests.unit.alerts.rules import ns

FLAPS = (
    "default: {channels: [one], group_by: [], group_interval: 0s, repeat: never, "
    "flapping: {changes: 4, within: 1h, steady: 30m}}\n"
)


@pytest.fixture
def flaps(play: Callable[..., Scene]) -> Scene:
    return play(FLAPS)


def change(scene: Scene, *seconds: float) -> None:
    """Begin and end in turn, at these instants."""
    for place, at in enumerate(seconds):
        scene.at(at)
        scene.say(ends(at=at, alert=seconds[place - 1]) if place % 2 else fires(at=at))


def test_what_flaps_is_told_once_and_again_when_it_holds_still(flaps: Scene) -> None:
    change(flaps, 0, 60, 120, 180, 240, 300, 360)
    assert flaps.told() == [
        "one firing hot/d",
        "one resolved hot/d",
        "one firing hot/d",
        "one resolved hot/d",
    ]
    assert flaps.notices()[3].alerts[0].facts["flapping"] == 4
    flaps.at(360 + 1799)
    assert len(flaps.told()) == 4
    flaps.at(360 + 1801)
    assert flaps.told()[4:] == ["one firing hot/d"]
    [view] = flaps.notices()[4].alerts
    assert (view.at_ns, view.facts["steady"]) == (ns(360), 1)
    flaps.say(ends(at=3000, alert=360))
    assert flaps.told()[5:] == ["one resolved hot/d"]


def test_what_holds_still_when_it_is_over_is_told_as_over(flaps: Scene) -> None:
    change(flaps, 0, 60, 120, 180, 240, 300)
    flaps.at(300 + 1801)
    assert flaps.told()[4:] == ["one resolved hot/d"]
    assert not any(one.flapping for one in flaps.alerts())


def test_changes_far_apart_are_each_told(flaps: Scene) -> None:
    change(flaps, 0, 1500, 3000, 4500, 6000, 7500)
    assert len(flaps.told()) == 6


def test_what_late_values_show_of_the_past_does_not_flap(flaps: Scene) -> None:
    flaps.clock.advance(10_000)
    flaps.say(
        *(fires(at=at, until=at + 5, seen=1e4, late=True) for at in range(0, 600, 60)),
    )
    assert not any(one.flapping for one in flaps.alerts())


def test_only_the_newest_alert_of_what_flaps_is_said_to_flap(flaps: Scene) -> None:
    change(flaps, 0, 60, 120, 180, 240, 300)
    assert [one.flapping for one in flaps.alerts()] == [False, False, True]


def test_what_flaps_in_silence_is_told_when_the_silence_is_over(flaps: Scene) -> None:
    people.silence(
        flaps.registry, {"rule": ["hot"]}, by="a", reason="b", until_ns=ns(400), now_ns=ns(0)
    )
    change(flaps, 0, 60, 120, 180, 240, 300, 360)
    assert flaps.told() == []
    flaps.at(402)
    assert flaps.told() == ["one firing hot/d"]
    assert "flapping" in flaps.notices()[0].alerts[0].facts


def test_what_flaps_survives_a_new_process(flaps: Scene) -> None:
    change(flaps, 0, 60, 120, 180)
    flaps.start(FLAPS)
    flaps.say(fires(at=240))
    assert len(flaps.told()) == 4
    flaps.at(240 + 1801)
    assert flaps.told()[4:] == ["one firing hot/d"]
