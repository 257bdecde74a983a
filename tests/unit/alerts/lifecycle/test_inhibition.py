"""Inhibition: of alerts that have one cause, people hear of the cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.lifecycle.inhibition import causes
from alerts.lifecycle.known import Known
from alerts.model import Subject
from alerts.policy import parse_policy
from alerts.policy.model import Inhibit
from alerts.rules.inventory import Inventory, Placed
from devices.registry.alert_work import Standing
from tests.unit.alerts.lifecycle.scene import ALONE, CHANNELS, SITE, Scene, ends, fires
from tests.unit.alerts.rules import placed

SITE_SUBJECT = Subject(SITE)
DEVICES = (
    placed("gw", building="A", zone="roof"),
    placed("near", building="A", zone="hall", labels={"gateway": "gw"}),
    placed("far", building="B", zone="lab", labels={"gateway": "near"}),
    placed("other", building="A", zone="hall"),
)


@pytest.fixture
def site(play: Callable[..., Scene]) -> Scene:
    return play(devices=DEVICES)


def explained(scene: Scene) -> dict[str, str]:
    """Return the rule and device of what explains each alert that is explained."""
    by_id = {one.id: f"{one.rule}/{one.device}" for one in scene.alerts()}
    return {f"{one.rule}/{one.device}": by_id[one.cause] for one in scene.alerts() if one.cause}


def test_a_dead_site_is_one_alarm_that_says_how_many_it_stands_for(site: Scene) -> None:
    site.say(fires("silent", "near"), fires("silent", "far"), fires("silent", "other"))
    site.say(fires("site-silent", at=5, subject=SITE_SUBJECT))
    site.at(3000)
    assert site.told() == [f"one firing site-silent/{SITE}"]
    [view] = site.notices()[0].alerts
    assert view.facts["stands_for"] == 3
    assert explained(site) == {
        f"silent/{name}": "site-silent/" for name in ("near", "far", "other")
    }
    assert "inhibited" in site.events(site.alert(device="near"))


def test_what_still_fires_when_its_cause_ends_is_told_then(site: Scene) -> None:
    site.say(fires("site-silent", subject=SITE_SUBJECT), fires("silent", "near"))
    site.at(60)
    site.say(ends("site-silent", at=60, alert=0, subject=SITE_SUBJECT))
    assert "one firing silent/near" not in site.told()
    site.at(80)
    assert site.told() == [
        f"one firing site-silent/{SITE}",
        f"one resolved site-silent/{SITE}",
        "one firing silent/near",
    ]


def test_what_ends_with_its_cause_is_never_told(site: Scene) -> None:
    site.say(fires("site-silent", subject=SITE_SUBJECT), fires("silent", "near"))
    site.at(60)
    site.say(
        ends("silent", "near", at=60, alert=0),
        ends("site-silent", at=60, alert=0, subject=SITE_SUBJECT),
    )
    site.at(3600)
    assert site.told() == [f"one firing site-silent/{SITE}", f"one resolved site-silent/{SITE}"]


def test_a_silent_device_explains_the_silence_of_its_series_which_explains_nothing(
    site: Scene,
) -> None:
    series = Subject(SITE, device="near", quantity="air_temperature")
    other = Subject(SITE, device="near", quantity="relative_humidity")
    site.say(fires("silent", subject=series), fires("patient-silent", subject=other))
    assert explained(site) == {}
    site.say(fires("patient-silent", "near", at=5))
    [whole] = [one for one in site.alerts() if not one.quantity]
    assert {one.quantity: one.cause for one in site.alerts()} == {
        "": "", "air_temperature": whole.id, "relative_humidity": whole.id,
    }  # fmt: skip


def test_a_dead_gateway_explains_what_speaks_through_it_step_by_step(site: Scene) -> None:
    site.say(fires("silent", "far"), fires("silent", "near"), fires("silent", "other"))
    assert explained(site) == {"silent/far": "silent/near"}
    site.say(fires("silent", "gw", at=5))
    assert explained(site) == {"silent/far": "silent/gw", "silent/near": "silent/gw"}
    site.at(60)
    assert sorted(site.told()) == ["one firing silent/gw", "one firing silent/other"]


def test_a_silent_zone_explains_the_devices_that_stand_in_it(site: Scene) -> None:
    hall = Subject(SITE, building="A", zone="hall")
    site.say(fires("zone-silent", subject=hall), fires("silent", "other"), fires("silent", "far"))
    assert explained(site) == {"silent/other": "zone-silent/"}


def test_what_is_measured_is_not_explained_by_silence(site: Scene) -> None:
    site.say(fires("site-silent", subject=SITE_SUBJECT), fires("hot", "near"))
    assert explained(site) == {}
    assert "one firing hot/near" in site.told()


def test_nothing_critical_keeps_quiet_because_of_a_warning(site: Scene) -> None:
    site.say(fires("silent", "gw"), fires("patient-silent", "near"))
    assert explained(site) == {}


def test_when_alerting_hears_nothing_no_silence_is_told(site: Scene) -> None:
    site.lifecycle.platform("deaf", "", active=True)
    site.say(fires("silent", "near"), fires("site-silent", subject=SITE_SUBJECT), fires("hot"))
    assert explained(site) == {
        "silent/near": "platform.deaf/",
        "site-silent/": "platform.deaf/",
    }
    site.at(60)
    assert sorted(site.told()) == ["one firing hot/d", "one firing platform.deaf/"]


def test_what_was_told_before_its_cause_is_told_no_more_but_its_end(site: Scene) -> None:
    site.say(fires("patient-silent", "near"))
    site.at(20)
    site.say(fires("site-silent", at=20, subject=SITE_SUBJECT))
    site.at(4 * 3600)
    assert [one for one in site.told() if "near" in one] == ["one firing patient-silent/near"]
    site.say(ends("patient-silent", "near", at=4 * 3600, alert=0))
    assert site.told()[-1] == "one resolved patient-silent/near"


def test_gateways_in_a_circle_leave_one_that_is_told(play: Callable[..., Scene]) -> None:
    ring = (
        placed("a", labels={"gateway": "b"}),
        placed("b", labels={"gateway": "c"}),
        placed("c", labels={"gateway": "a"}),
    )
    scene = play(devices=ring)
    scene.say(*(fires("silent", one) for one in "abc"))
    scene.at(60)
    assert len(scene.told()) == 1
    [root] = [one for one in scene.alerts() if not one.cause]
    assert {one.cause for one in scene.alerts() if one.cause} == {root.id}


def test_the_policy_has_causes_of_its_own(play: Callable[..., Scene]) -> None:
    policy = ALONE + (
        "inhibit:\n"
        "  - {source: {rule: power-out}, target: {rule: [hot, power-out]}, equal: [building]}\n"
    )
    scene = play(policy, devices=DEVICES)
    scene.say(
        fires("power-out", "other"),
        fires("hot", "near"),
        fires("hot", "far"),
        fires("power-out", "gw"),
    )
    assert explained(scene) in ({"hot/near": "power-out/other"}, {"hot/near": "power-out/gw"})


def test_causes_never_form_a_circle() -> None:
    inhibits = parse_policy(
        CHANNELS
        + ALONE
        + "inhibit:\n"
        + "  - {source: {rule: a}, target: {rule: b}}\n"
        + "  - {source: {rule: b}, target: {rule: c}}\n"
        + "  - {source: {rule: c}, target: {rule: a}}\n",
        origin="test",
    ).inhibits
    for order in ("abc", "acb", "bac", "bca", "cab", "cba"):
        found = caused(order, inhibits)
        assert len(found) == 2
        [root] = set("abc") - set(found)
        assert set(found.values()) == {root}


def caused(rules: str, inhibits: tuple[Inhibit, ...]) -> dict[str, str]:
    standing = [
        Standing(rule, rule, "warning", "measured", SITE, "", "", "d", "", "", 0, place, "", "")
        for place, rule in enumerate(rules)
    ]
    return causes(standing, Known(), inhibits)


def test_a_device_that_names_itself_as_gateway_is_its_own_root() -> None:
    devices = (Placed(SITE, "a", labels={"gateway": "a"}),)
    known = Known(inventory=Inventory(devices, {}))
    assert known.gateways(SITE, "a") == ()
