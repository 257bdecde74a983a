"""Alerts made of verdicts: one alert however it is found, and what happens to it."""

from __future__ import annotations

import msgspec
import pytest

from alerts.evaluate.engine import Late
from alerts.lifecycle import people
from alerts.model import State, Subject
from core.errors import ConflictError, NotFoundError
from core.reading import Reading
from devices.registry.alert_records import AlertState
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires, second, unsure
from tests.unit.alerts.rules import ns


def test_a_verdict_that_fires_is_an_alert_and_is_told_at_once(scene: Scene) -> None:
    scene.say(fires())
    alert = scene.alert()
    assert (alert.state, alert.rule, alert.severity) == ("firing", "hot", "warning")
    assert alert.runbook == "Look at the cooling unit."
    assert (alert.value, alert.unit) == (31.5, "Cel")
    assert scene.told() == ["one firing hot/d"]
    assert scene.events(alert) == ["firing", "told"]
    assert alert.told == "firing"


def test_a_notice_says_what_is_known(scene: Scene) -> None:
    scene.say(fires())
    [notice] = scene.notices()
    [view] = notice.alerts
    assert view.title == {"en": "Something", "fr": "Quelque chose"}
    assert (view.site_name, view.zone) == ("El Gazala", "Africa/Tunis")
    assert view.subject == Subject("elgazala", device="d")
    assert view.runbook == "Look at the cooling unit."


def test_the_end_is_told_to_whom_the_beginning_was(scene: Scene) -> None:
    scene.say(fires())
    scene.say(ends(at=60, alert=0))
    alert = scene.alert()
    assert (alert.state, second(alert.until_ns)) == ("resolved", 60)
    assert scene.told() == ["one firing hot/d", "one resolved hot/d"]


def test_two_subjects_are_two_alerts(scene: Scene) -> None:
    scene.say(fires(device="a"), fires(device="b"))
    assert [one.device for one in scene.alerts()] == ["a", "b"]


def test_the_next_time_is_another_alert(scene: Scene) -> None:
    scene.say(fires(), ends(at=60, alert=0), fires(at=60))
    assert [(second(one.at_ns), one.state) for one in scene.alerts()] == [
        (0, "resolved"),
        (60, "firing"),
    ]


def test_an_alert_found_anew_at_another_instant_is_the_same(scene: Scene) -> None:
    scene.say(fires(at=0))
    scene.say(fires(at=30, seen=500, version=2))
    alert = scene.alert()
    assert (second(alert.at_ns), alert.version) == (0, 2)
    scene.say(ends(at=600, alert=30))
    assert second(scene.alert().until_ns) == 600
    assert scene.told() == ["one firing hot/d", "one resolved hot/d"]


def test_late_values_move_an_end_without_a_word(scene: Scene) -> None:
    scene.say(fires(), ends(at=60, alert=0))
    told = scene.told()
    scene.say(ends(at=50, alert=0, seen=70, late=True))
    assert second(scene.alert().until_ns) == 50
    assert scene.told() == told
    assert "moved" in scene.events(scene.alert())


def test_late_values_show_that_it_goes_on(scene: Scene) -> None:
    scene.say(fires())
    scene.say(ends(at=60, alert=0))
    scene.say(fires(at=0, seen=90, late=True))
    assert scene.alert().state == "firing"
    assert scene.told() == ["one firing hot/d", "one resolved hot/d", "one firing hot/d"]


def test_what_was_told_and_never_was_is_told_as_over_and_withdrawn(scene: Scene) -> None:
    scene.say(fires())
    scene.say(ends(at=0, alert=0, seen=60, withdrawn=True, late=True))
    assert scene.alert().state == "withdrawn"
    assert scene.told() == ["one firing hot/d", "one resolved hot/d"]
    [view] = scene.notices()[-1].alerts
    assert view.state == "resolved"
    assert view.facts["withdrawn"] == 1


def test_what_was_not_told_and_never_was_is_never_told(scene: Scene) -> None:
    scene.say(fires("silent"))
    scene.say(ends("silent", at=0, alert=0, seen=5, withdrawn=True, late=True))
    scene.at(3600)
    assert scene.told() == []


def test_what_was_withdrawn_may_come_again(scene: Scene) -> None:
    scene.say(fires())
    scene.say(ends(at=0, alert=0, seen=60, withdrawn=True, late=True))
    scene.say(fires(seen=80, late=True))
    alert = scene.alert()
    assert alert.state == "firing"
    assert "withdrawn" not in msgspec.json.decode(alert.facts)
    assert scene.told()[-1] == "one firing hot/d"


def test_what_is_pending_is_listed_and_forgotten_when_it_ends(scene: Scene) -> None:
    scene.say(unsure(State.PENDING))
    assert scene.alert().state == "pending"
    scene.say(unsure(State.CLEAR, at=30))
    assert scene.alerts() == []
    assert scene.told() == []


def test_what_was_pending_fires_as_one_alert_that_remembers_it(scene: Scene) -> None:
    scene.say(unsure(State.PENDING))
    scene.say(fires(at=300))
    alert = scene.alert()
    assert (alert.state, second(alert.at_ns)) == ("firing", 300)
    assert scene.events(alert)[:2] == ["pending", "firing"]


def test_what_was_pending_before_an_alert_stays_forgotten_when_all_is_said_again(
    scene: Scene,
) -> None:
    said = (
        unsure(State.PENDING),
        fires(at=300),
        ends(at=300, alert=300, seen=400, withdrawn=True, late=True),
    )
    for _ in range(2):
        scene.say(*said)
        assert [one.state for one in scene.alerts()] == ["withdrawn"]


def test_what_is_incomplete_says_what_is_missing(scene: Scene) -> None:
    scene.say(unsure(State.INCOMPLETE))
    alert = scene.alert()
    assert alert.state == "incomplete"
    assert msgspec.json.decode(alert.facts) == {"missing": "oxygen_saturation"}
    assert scene.told() == []


def test_values_too_late_to_be_judged_are_listed_once(scene: Scene) -> None:
    late = Late("hot", Subject("elgazala", device="d"), Reading("elgazala", "d", "q", ns(1), 2.5))
    scene.lifecycle.apply([], [late, late])
    scene.lifecycle.apply([], [late])
    [found] = scene.registry.alerts.late()
    assert (found.rule, found.device, found.quantity, found.value) == ("hot", "d", "q", 2.5)


def test_an_acknowledged_alert_is_neither_repeated_nor_escalated(scene: Scene) -> None:
    scene.say(fires("burning"))
    alert = scene.alert()
    people.acknowledge(scene.registry, alert.id, by="nurse", note="on my way", now_ns=ns(10))
    scene.at(8 * 3600)
    assert scene.told() == ["one firing burning/d"]
    alert = scene.alert()
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_note) == (
        "acknowledged",
        "nurse",
        "on my way",
    )
    scene.say(ends("burning", at=9 * 3600, alert=0))
    assert scene.told()[1:] == ["one resolved burning/d"]


def test_what_nobody_looks_after_any_more_is_repeated_again(scene: Scene) -> None:
    scene.say(fires("burning"))
    alert = scene.alert()
    people.acknowledge(scene.registry, alert.id, by="nurse", now_ns=ns(10))
    scene.at(7200)
    people.unacknowledge(scene.registry, alert.id, by="nurse", now_ns=scene.clock.now_ns())
    scene.at(7200 + 3599)
    assert scene.told() == ["one firing burning/d"]
    scene.at(7200 + 3700)
    assert scene.told() == ["one firing burning/d", "one reminder burning/d"]


def test_what_is_acknowledged_before_its_notice_is_due_is_not_told(scene: Scene) -> None:
    scene.say(fires("silent"))
    people.acknowledge(scene.registry, scene.alert().id, by="nurse", now_ns=ns(1))
    scene.at(3600)
    assert scene.told() == []


def test_what_does_not_fire_cannot_be_acknowledged(scene: Scene) -> None:
    with pytest.raises(NotFoundError, match="there is no alert 'nothing'"):
        people.acknowledge(scene.registry, "nothing", by="nurse", now_ns=ns(0))
    scene.say(fires(), ends(at=60, alert=0))
    with pytest.raises(ConflictError, match="does not fire; it is resolved"):
        people.acknowledge(scene.registry, scene.alert().id, by="nurse", now_ns=ns(70))
    scene.say(fires(at=100))
    alert = scene.alert(states=(AlertState.FIRING.value,))
    with pytest.raises(ConflictError, match="nobody acknowledged"):
        people.unacknowledge(scene.registry, alert.id, by="nurse", now_ns=ns(110))
    people.acknowledge(scene.registry, alert.id, by="nurse", now_ns=ns(120))
    with pytest.raises(ConflictError, match="nurse looks after"):
        people.acknowledge(scene.registry, alert.id, by="doctor", now_ns=ns(130))


def test_alerts_of_a_rule_that_is_gone_end_and_say_so(scene: Scene) -> None:
    scene.say(fires(), fires("burning"), unsure(State.PENDING, "warm"))
    scene.lifecycle.resolve_orphans(["burning"])
    assert [(one.rule, one.state) for one in scene.alerts()] == [
        ("burning", "firing"),
        ("hot", "resolved"),
    ]
    assert msgspec.json.decode(scene.alert(rule="hot").facts)["rule_gone"] == 1
    assert scene.told()[-1] == "one resolved hot/d"


def test_a_rule_that_is_back_raises_its_alert_again(scene: Scene) -> None:
    scene.clock.advance(100)
    scene.say(fires(at=50))
    scene.lifecycle.resolve_orphans([])
    scene.say(fires(at=90, seen=100))
    assert [one.state for one in scene.alerts()] == ["resolved", "firing"]


def test_a_verdict_of_an_unknown_rule_is_a_warning_by_its_name(scene: Scene) -> None:
    scene.say(fires("unheard-of"))
    alert = scene.alert()
    assert (alert.severity, msgspec.json.decode(alert.title)["en"]) == ("warning", "unheard-of")
