"""Groups: alerts told together, and when; the past told in digests."""

from __future__ import annotations

from collections.abc import Callable

from alerts.model import AlarmClass, Occasion
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires
from tests.unit.alerts.rules import ns

GROUPED = (
    "default: {channels: [one, two], group_by: [site, rule], group_wait: 30s, group_interval: 5m}\n"
)


def test_what_comes_within_the_wait_is_one_notice_per_channel(play: Callable[..., Scene]) -> None:
    scene = play(GROUPED)
    scene.say(fires(device="a"))
    scene.at(20)
    scene.say(fires(device="b", at=20))
    scene.say(fires("burning", "c", at=20))
    assert scene.told() == []
    scene.at(31)
    assert scene.told() == ["one firing hot/a hot/b", "two firing hot/a hot/b"]
    assert scene.notices()[0].group == "site=elgazala rule=hot"
    scene.at(51)
    assert scene.told()[2:] == ["one firing burning/c", "two firing burning/c"]


def test_a_group_that_was_told_waits_for_its_interval(play: Callable[..., Scene]) -> None:
    scene = play(GROUPED)
    scene.say(fires(device="a"))
    scene.at(40)
    scene.say(fires(device="b", at=40), ends(device="a", at=40, alert=0))
    scene.at(325)
    assert len(scene.told()) == 2
    scene.at(332)
    assert sorted(scene.told()[2:]) == [
        "one firing hot/b",
        "one resolved hot/a",
        "two firing hot/b",
        "two resolved hot/a",
    ]


def test_silence_waits_ten_seconds_for_its_cause_where_nothing_is_said(scene: Scene) -> None:
    scene.say(fires("silent"), fires())
    assert scene.told() == ["one firing hot/d"]
    scene.at(9)
    assert scene.told() == ["one firing hot/d"]
    scene.at(10)
    assert scene.told() == ["one firing hot/d", "one firing silent/d"]


def test_a_notice_shows_the_gravest_twenty_and_counts_the_rest(
    play: Callable[..., Scene],
) -> None:
    scene = play("default: {channels: [one], group_by: [site]}\n")
    scene.say(
        *(fires("warm", f"w{number:02}") for number in range(15)),
        *(fires("burning", f"b{number:02}") for number in range(3)),
        *(fires("hot", f"h{number:02}") for number in range(15)),
    )
    [notice] = scene.notices()
    assert len(notice.alerts) == 20
    assert notice.omitted == 13
    assert [one.severity.value for one in notice.alerts] == (
        ["critical"] * 3 + ["warning"] * 15 + ["info"] * 2
    )


def test_an_alarm_that_was_over_before_its_notice_is_told_as_the_past(
    play: Callable[..., Scene],
) -> None:
    scene = play(GROUPED)
    scene.say(fires(device="a"))
    scene.at(10)
    scene.say(ends(device="a", at=10, alert=0))
    scene.at(400)
    assert scene.told() == ["one retroactive hot/a", "two retroactive hot/a"]


def test_silence_that_was_over_before_its_notice_is_not_told(scene: Scene) -> None:
    scene.say(fires("silent"))
    scene.at(5)
    scene.say(ends("silent", at=5, alert=0))
    scene.at(3600)
    assert scene.told() == []


def test_ends_are_told_only_where_the_route_says_so(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one], group_by: [], resolved: false}\n")
    scene.say(fires())
    scene.say(ends(at=60, alert=0))
    scene.at(600)
    assert scene.told() == ["one firing hot/d"]


def test_routes_are_asked_in_order_and_on_while_they_say_so(play: Callable[..., Scene]) -> None:
    scene = play(
        "routes:\n"
        "  - {name: all, match: {site: elg*}, channels: [one], group_by: [], continue: true}\n"
        "  - {name: grave, match: {severity: critical}, channels: [two], group_by: []}\n"
        "  - {name: never, match: {rule: burning}, channels: [three], group_by: []}\n"
        "default: {channels: [three], group_by: []}\n"
    )
    scene.say(fires("burning"), fires("hot"))
    assert sorted(scene.told()) == [
        "one firing burning/d",
        "one firing hot/d",
        "two firing burning/d",
    ]
    assert scene.alert(rule="burning").route == "all,grave"


def test_a_route_without_channels_tells_nobody(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: []}\n")
    scene.say(fires())
    assert scene.told() == []
    assert scene.alert().state == "firing"


# --- the past


def test_ten_thousand_alarms_of_the_past_are_one_notice_per_group(
    play: Callable[..., Scene],
) -> None:
    scene = play("default: {channels: [one]}\n")
    scene.clock.advance(100_000)
    found = [
        fires(rule, f"d{number % 50}", at=number * 5, until=number * 5 + 4, seen=1e5, late=True)
        for number in range(5000)
        for rule in ("hot", "burning")
    ]
    for start in range(0, len(found), 2500):
        scene.say(*found[start : start + 2500])
    assert scene.told() == []
    scene.at(100_000 + 60)
    notices = scene.notices()
    assert [one.occasion for one in notices] == [Occasion.RETROACTIVE] * 2
    for one in notices:
        assert one.facts["count"] == 5000
        assert (one.facts["from_ns"], one.facts["to_ns"]) == (ns(0), ns(4999 * 5 + 4))
        assert len(one.alerts) == 20
        assert one.omitted == 4980
    scene.at(101_000)
    assert len(scene.told()) == 2


def test_alerts_that_are_told_alone_share_the_digest_of_their_rule(scene: Scene) -> None:
    scene.clock.advance(5000)
    scene.say(*(fires(device=name, until=10, seen=5000, late=True) for name in "abc"))
    assert scene.told() == ["one retroactive hot/a hot/b hot/c"]


def test_the_past_is_told_one_by_one_where_the_route_says_so(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one], retroactive: each}\n")
    scene.say(*(fires(device=name, until=10, seen=5000, late=True) for name in "ab"))
    assert sorted(scene.told()) == ["one retroactive hot/a", "one retroactive hot/b"]


def test_the_past_is_not_told_where_route_or_rule_say_so(play: Callable[..., Scene]) -> None:
    scene = play("default: {channels: [one], retroactive: none}\n")
    scene.say(fires(until=10, seen=5000, late=True))
    scene.at(3600)
    assert scene.told() == []
    scene = play()
    scene.say(fires("listed", until=10, seen=5000, late=True))
    scene.at(3600)
    assert scene.told() == []
    assert scene.alert().state == "resolved"


def test_what_is_found_late_and_still_fires_is_told_as_firing(scene: Scene) -> None:
    scene.clock.advance(5000)
    scene.say(fires("listed", seen=5000, late=True))
    assert scene.told() == ["one firing listed/d"]
    assert scene.notices()[0].alerts[0].facts["retroactive"] == 1
    assert scene.alert().retroactive


def test_what_was_told_as_the_past_and_never_was_is_told_as_withdrawn(scene: Scene) -> None:
    scene.clock.advance(5000)
    scene.say(fires(until=10, seen=5000, late=True))
    scene.say(ends(at=0, alert=0, seen=5001, late=True, withdrawn=True))
    assert scene.told() == ["one retroactive hot/d", "one resolved hot/d"]
    assert scene.notices()[-1].alerts[0].facts["withdrawn"] == 1


def test_the_alarm_class_is_told(scene: Scene) -> None:
    scene.say(fires("silent"))
    scene.at(10)
    assert scene.notices()[0].alerts[0].alarm_class is AlarmClass.NO_DATA
