"""Silences and maintenance windows: recorded, not told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.lifecycle import people
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry.alert_records import SilenceKind
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires
from tests.unit.alerts.rules import ns, placed


def silence(scene: Scene, until: float, start: float | None = None, **match: list[str]) -> str:
    return people.silence(
        scene.registry,
        match,
        by="n.ba",
        reason="known",
        until_ns=ns(until),
        from_ns=None if start is None else ns(start),
        now_ns=scene.clock.now_ns(),
    ).id


def test_what_a_silence_fits_is_recorded_and_not_told(scene: Scene) -> None:
    name = silence(scene, 3600, rule=["ho*"], device=["d"])
    scene.say(fires(), fires("burning"), fires(device="e"))
    assert scene.alert(rule="hot", device="d").silence == name
    assert scene.told() == ["one firing burning/d", "one firing hot/e"]


def test_what_still_fires_when_a_silence_is_over_is_told_then(scene: Scene) -> None:
    silence(scene, 600, rule=["hot"])
    scene.say(fires())
    scene.at(599)
    assert scene.told() == []
    scene.at(601)
    assert scene.told() == ["one firing hot/d"]
    assert scene.events(scene.alert()) == ["firing", "silenced", "unsilenced", "told"]


def test_what_ends_in_a_silence_is_never_told(scene: Scene) -> None:
    silence(scene, 600, rule=["hot"])
    scene.say(fires())
    scene.say(ends(at=300, alert=0))
    scene.at(3600)
    assert scene.told() == []


def test_a_silence_mutes_what_fires_already_but_its_end(scene: Scene) -> None:
    scene.say(fires("burning"))
    silence(scene, 5 * 3600, rule=["burning"])
    scene.at(4 * 3600)
    assert scene.told() == ["one firing burning/d"]
    scene.say(ends("burning", at=4 * 3600, alert=0))
    assert scene.told() == ["one firing burning/d", "one resolved burning/d"]


def test_what_was_told_and_silenced_is_told_again_when_the_silence_is_over(scene: Scene) -> None:
    scene.say(fires())
    silence(scene, 600, rule=["hot"])
    scene.at(590)
    assert scene.told() == ["one firing hot/d"]
    scene.at(610)
    assert scene.told() == ["one firing hot/d", "one reminder hot/d"]


def test_a_silence_that_is_ended_tells_what_it_muted(scene: Scene) -> None:
    name = silence(scene, 3600, rule=["hot"])
    scene.say(fires())
    scene.at(10)
    people.end_silence(scene.registry, name, by="n.ba", now_ns=ns(10))
    scene.at(12)
    assert scene.told() == ["one firing hot/d"]
    with pytest.raises(ConflictError, match="over already"):
        people.end_silence(scene.registry, name, by="n.ba", now_ns=ns(20))
    with pytest.raises(NotFoundError):
        people.end_silence(scene.registry, "nothing", by="n.ba", now_ns=ns(20))


def test_a_window_of_maintenance_begins_and_ends_by_the_clock(scene: Scene) -> None:
    people.silence(
        scene.registry,
        {"site": ["elgazala"]},
        by="n.ba",
        reason="new switches",
        from_ns=ns(100),
        until_ns=ns(1000),
        now_ns=ns(0),
        kind=SilenceKind.MAINTENANCE,
    )
    scene.say(fires("burning"))
    scene.at(200)
    scene.say(fires("hot", at=200))
    scene.at(990)
    assert scene.told() == ["one firing burning/d"]
    scene.at(1010)
    assert sorted(scene.told()[1:]) == ["one firing hot/d", "one reminder burning/d"]


def test_a_silence_of_a_place_fits_the_devices_in_it(play: Callable[..., Scene]) -> None:
    scene = play(devices=[placed("d", building="A", zone="hall"), placed("e", building="B")])
    silence(scene, 600, building=["A"])
    scene.say(fires(device="d"), fires(device="e"))
    assert scene.told() == ["one firing hot/e"]


def test_an_alert_is_silenced_with_what_its_rule_says_of_the_same_subject(scene: Scene) -> None:
    scene.say(fires())
    made = people.silence_alert(
        scene.registry, scene.alert().id, by="n.ba", reason="known", until_ns=ns(600), now_ns=ns(0)
    )
    assert made.match == '{"rule":["hot"],"site":["elgazala"],"device":["d"]}'
    scene.say(ends(at=10, alert=0))
    scene.say(fires(at=20))
    scene.say(fires("burning", at=20))
    told = ["one firing hot/d", "one resolved hot/d", "one firing burning/d"]
    assert sorted(scene.told()) == sorted(told)


def test_of_two_silences_the_alert_stays_muted_until_both_are_over(scene: Scene) -> None:
    silence(scene, 600, rule=["hot"])
    silence(scene, 900, device=["d"])
    scene.say(fires())
    scene.at(890)
    assert scene.told() == []
    scene.at(910)
    assert scene.told() == ["one firing hot/d"]


@pytest.mark.parametrize(
    ("match", "sentence"),
    [
        ({}, "say which alerts"),
        ({"colour": ["red"]}, "match.colour: unknown"),
        ({"rule": []}, "match.rule: 1 to 100"),
    ],
)
def test_a_silence_that_says_nothing_is_refused(
    scene: Scene, match: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        silence(scene, 600, None, **match)


def test_a_silence_needs_an_author_a_reason_and_a_time(scene: Scene) -> None:
    for by, reason, until in (("", "why", 60), ("who", " ", 60), ("who", "why", 0)):
        with pytest.raises(ConfigurationError, match="a silence"):
            people.silence(
                scene.registry,
                {"rule": ["hot"]},
                by=by,
                reason=reason,
                until_ns=ns(until),
                now_ns=ns(0),
            )
