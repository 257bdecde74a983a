"""Repetition and escalation: what is told again, and to whom further."""

from __future__ import annotations

from collections.abc import Callable

from alerts.lifecycle import people
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires
from tests.unit.alerts.rules import ns

STEPS = (
    "default:\n"
    "  channels: [one]\n"
    "  group_by: []\n"
    "  repeat: 1h\n"
    "  escalate: [{after: 10m, channels: [two]}, {after: 30m, channels: [three, two]}]\n"
)


def test_each_step_is_taken_once_and_everybody_told_is_reminded(
    play: Callable[..., Scene],
) -> None:
    scene = play(STEPS)
    scene.say(fires())
    scene.at(599)
    assert scene.told() == ["one firing hot/d"]
    scene.at(601)
    assert scene.told()[1:] == ["two escalation hot/d"]
    scene.at(1801)
    assert scene.told()[2:] == ["three escalation hot/d", "two escalation hot/d"]
    scene.at(3601)
    assert scene.told()[4:] == ["one reminder hot/d", "two reminder hot/d", "three reminder hot/d"]
    scene.at(7100)
    assert len(scene.told()) == 7
    alert = scene.alert()
    assert alert.level == 2
    assert scene.events(alert).count("escalated") == 2


def test_after_an_outage_the_steps_that_were_missed_are_one(play: Callable[..., Scene]) -> None:
    scene = play(STEPS)
    scene.say(fires())
    scene.clock.advance(2000)
    scene.start(STEPS).tick()
    scene.lifecycle.tick()
    assert scene.told()[1:] == ["two escalation hot/d", "three escalation hot/d"]
    assert scene.alert().level == 2


def test_who_acknowledges_stops_the_steps_and_who_lets_go_begins_them_anew(
    play: Callable[..., Scene],
) -> None:
    scene = play(STEPS)
    scene.say(fires())
    scene.at(300)
    people.acknowledge(scene.registry, scene.alert().id, by="nurse", now_ns=ns(300))
    scene.at(5000)
    people.unacknowledge(scene.registry, scene.alert().id, by="nurse", now_ns=ns(5000))
    scene.at(5590)
    assert scene.told() == ["one firing hot/d"]
    scene.at(5602)
    assert scene.told() == ["one firing hot/d", "two escalation hot/d"]


def test_nothing_is_repeated_once_it_is_over(play: Callable[..., Scene]) -> None:
    scene = play(STEPS)
    scene.say(fires())
    scene.say(ends(at=60, alert=0))
    scene.at(20_000)
    assert scene.told()[:1] == ["one firing hot/d"]
    assert scene.told()[1:] == ["one resolved hot/d"]


def test_information_is_not_repeated_and_a_warning_less_often_than_what_is_critical(
    scene: Scene,
) -> None:
    scene.say(fires("warm"), fires("hot"), fires("burning"))
    scene.at(5 * 3600)
    told = scene.told()
    assert told.count("one reminder warm/d") == 0
    assert told.count("one reminder hot/d") == 1
    assert told.count("one reminder burning/d") in (4, 5)


def test_a_reminder_names_all_that_goes_on_in_the_group(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one], repeat: 1h}\n")
    scene.say(fires(device="a"))
    scene.at(100)
    scene.say(fires(device="b", at=100), fires(device="c", at=100))
    scene.at(200)
    people.acknowledge(scene.registry, scene.alert(device="c").id, by="x", now_ns=ns(200))
    scene.at(3700)
    assert scene.told()[2:] == ["one reminder hot/a hot/b"]
    scene.at(7100)
    assert len(scene.told()) == 3


def test_never_means_never(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one], repeat: never}\n")
    scene.say(fires("burning"))
    for _ in range(50):
        scene.clock.advance(1800)
        scene.lifecycle.tick()
    assert scene.told() == ["one firing burning/d"]
