"""The platform's own alarms, and policies that change under what fires."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.lifecycle import Lifecycle
from alerts.lifecycle.platform_rules import PLATFORM
from alerts.model import AlarmClass, Occasion
from alerts.policy import parse_policy
from core.errors import RuleError
from core.metrics import Metrics
from devices.registry.errors import LeaseLostError
from tests.unit.alerts.lifecycle.scene import ALONE, CHANNELS, Scene, ends, fires
from tests.unit.alerts.rules import rule

BOTH = "default: {channels: [one, two], group_by: []}\n"


def test_a_channel_that_is_down_is_told_through_the_others(play: Callable[..., Scene]) -> None:
    scene = play(BOTH)
    scene.lifecycle.platform("channel_down", "one", active=True, facts={"error": "refused"})
    [notice] = scene.notices()
    assert (notice.occasion, notice.channel) == (Occasion.CHANNEL_DOWN, "two")
    assert notice.facts == {"channel": "one", "error": "refused"}
    [view] = notice.alerts
    assert view.alarm_class is AlarmClass.TECHNICAL
    assert set(view.title) == {"en", "fr"}


def test_where_no_other_channel_of_the_route_is_left_any_other_one_is_taken(
    scene: Scene,
) -> None:
    scene.lifecycle.platform("channel_down", "one", active=True)
    assert [one.channel for one in scene.notices()] == ["two", "three"]


def test_a_channel_that_is_down_as_well_is_not_asked(play: Callable[..., Scene]) -> None:
    scene = play(BOTH)
    scene.lifecycle.platform("channel_down", "one", active=True)
    scene.clock.advance(1)
    scene.lifecycle.platform("channel_down", "two", active=True)
    assert [(one.channel, one.facts["channel"]) for one in scene.notices()] == [
        ("two", "one"),
        ("three", "two"),
    ]


def test_the_same_said_again_changes_nothing(play: Callable[..., Scene]) -> None:
    scene = play(BOTH)
    for _ in range(3):
        scene.lifecycle.platform("channel_down", "one", active=True, facts={"error": "refused"})
    assert len(scene.alerts()) == 1
    for _ in range(3):
        scene.clock.advance(100)
        scene.lifecycle.platform("channel_down", "one", active=False)
        scene.lifecycle.tick()
    assert [(one.occasion.value, one.channel) for one in scene.notices()] == [
        ("channel_down", "two"),
        ("channel_up", "two"),
    ]
    assert scene.alert().state == "resolved"


def test_alarms_of_the_platform_outlive_the_rules(scene: Scene) -> None:
    scene.lifecycle.platform("stream_gap", "worker-1", active=True)
    scene.lifecycle.resolve_orphans([])
    assert scene.alert().state == "firing"


def test_no_rule_takes_a_name_of_the_platform() -> None:
    with pytest.raises(RuleError, match="platform's own"):
        rule("{threshold: {quantity: air_temperature, above: 28}}", name="platform.deaf")
    assert all(name.startswith("platform.") for name in PLATFORM)


def test_a_restart_neither_repeats_nor_forgets(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one]}\n")
    scene.say(fires("silent"), fires("hot"))
    scene.start("default: {channels: [one]}\n")
    scene.at(9)
    assert scene.told() == ["one firing hot/d"]
    scene.start("default: {channels: [one]}\n")
    scene.at(11)
    assert scene.told() == ["one firing hot/d", "one firing silent/d"]


def test_another_policy_takes_over_what_was_told(play: Callable[..., Scene]) -> None:
    scene = play(
        "routes:\n"
        "  - {name: old, match: {rule: hot}, channels: [one], group_by: []}\n"
        "default: {channels: [two], group_by: []}\n"
    )
    scene.say(fires())
    scene.start("default: {channels: [three], group_by: []}\n")
    scene.at(100)
    assert scene.told() == ["one firing hot/d"]
    assert scene.alert().route == "default"
    scene.at(4 * 3600 + 60)
    assert scene.told()[1:] == ["three reminder hot/d"]
    scene.say(ends(at=15_000, alert=0))
    assert scene.told()[2:] == ["three resolved hot/d"]


def test_what_waits_for_a_route_that_is_gone_is_told_by_the_new_one(
    play: Callable[..., Scene],
) -> None:
    scene = play(
        "routes:\n"
        "  - {name: old, match: {rule: '*'}, channels: [one], group_wait: 1h}\n"
        "default: {channels: [two]}\n"
    )
    scene.say(fires(), fires(device="late", until=5, seen=0, late=True))
    scene.start("default: {channels: [two]}\n")
    scene.at(7200)
    assert scene.told() == ["two firing hot/d", "two retroactive hot/late"]


def test_who_lost_the_lease_changes_nothing(scene: Scene) -> None:
    lifecycle = scene.start(holder="me")
    with pytest.raises(LeaseLostError):
        lifecycle.apply([fires()])
    scene.registry.leases.hold("alerts", holder="me", for_s=30)
    lifecycle.apply([fires()])
    scene.clock.advance(100)
    scene.registry.leases.hold("alerts", holder="other", for_s=30)
    with pytest.raises(LeaseLostError):
        lifecycle.apply([ends(at=60, alert=0)])
    assert scene.alert().state == "firing"
    assert scene.told() == ["one firing hot/d"]


def test_a_clock_that_steps_back_loses_no_alarm(scene: Scene) -> None:
    scene.clock.advance(3600)
    scene.say(fires(at=3600))
    scene.clock.step_to(scene.clock.now_ns() - 3600 * 10**9)
    scene.say(ends(at=3700, alert=3600, seen=0))
    scene.say(fires(at=3800, seen=10))
    told = ["one firing hot/d", "one resolved hot/d", "one firing hot/d"]
    assert sorted(scene.told()) == sorted(told)
    of_first = [one for one in scene.records() if scene.alerts()[0].id in one.alerts]
    assert [one.occasion for one in of_first] == ["firing", "resolved"]


def test_what_is_shown_in_metrics_is_what_there_is(play: Callable[..., Scene]) -> None:
    scene = play()
    metrics = Metrics()
    lifecycle = Lifecycle(
        registry=scene.registry,
        policy=parse_policy(CHANNELS + ALONE, origin="test"),
        clock=scene.clock,
        metrics=metrics,
    )
    lifecycle.apply([fires(), fires(device="e"), ends(device="e", at=9, alert=0)])

    def sample(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"passerelle_alerts_{name}", labels)

    labels = {"severity": "warning", "alarm_class": "measured", "state": "firing"}
    assert sample("open", **labels) == 1
    assert sample("events_total", kind="firing") == 2
    assert sample("notices_total", occasion="firing") == 1
