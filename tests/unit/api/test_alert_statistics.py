from __future__ import annotations

from typing import Any

import pytest

from core.access import Domain, Grant, Role
from core.clock import NS_PER_S
from tests.unit.api.alerting import OTHER, PULSE, SITE, caller, keep_alert, keep_rule, problem
from tests.unit.api.world import NOW_NS, World

DAY_NS = 86_400 * NS_PER_S


def numbers(world: World, **how: Any) -> dict[str, Any]:
    answer = world.client.get("/v1/alerts/statistics", **how)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def noisy(world: World) -> World:
    """Of eleven devices one is noisy; some alarms were taken on, some are over."""
    keep_rule(world, "hot")
    keep_rule(world, "pulse", when=PULSE)
    for number in range(10):
        keep_alert(world, f"quiet{number}", device=f"d{number}", opened_ns=NOW_NS - DAY_NS,
                   state="resolved")  # fmt: skip
    for number in range(30):
        taken = number < 10
        keep_alert(
            world, f"noisy{number:02d}", device="noisy", severity="critical",
            opened_ns=NOW_NS - 2 * DAY_NS + number, alarm_class="no_data",
            state="withdrawn" if number == 29 else "resolved", retroactive=number > 27,
            acknowledged_ns=NOW_NS - 2 * DAY_NS + number + (number + 1) * NS_PER_S if taken
            else None,
        )  # fmt: skip
    return world


def test_alarms_are_counted_by_what_they_have_in_common(noisy: World) -> None:
    found = numbers(noisy)
    assert (found["alarms"], found["withdrawn"], found["retroactive"]) == (40, 1, 2)
    assert (found["subjects"], found["days"]) == (11, 7.0)
    assert found["alarms_per_subject_day"] == pytest.approx(40 / 11 / 7)
    assert found["by_class"]["no_data"] == {"alarms": 30, "withdrawn": 1, "share": 0.75}
    assert found["by_severity"]["warning"]["alarms"] == 10
    assert found["by_rule"] == [
        {"rule": "hot", "alarms": 40, "withdrawn": 1, "share": 1.0, "subjects": 11}
    ]
    busiest = found["busiest_days"][0]
    assert (busiest["device"], busiest["day"], busiest["alarms"]) == ("noisy", "2026-11-21", 30)


def test_the_noisiest_tenth_of_the_subjects_is_told_with_its_share(noisy: World) -> None:
    found = numbers(noisy)["noisiest"]
    assert (found["subjects"], found["alarms"], found["share"]) == (2, 31, 31 / 40)
    assert [(one["device"], one["alarms"]) for one in found["examples"]] == [
        ("noisy", 30), ("d0", 1),
    ]  # fmt: skip


def test_the_time_until_somebody_looks_is_told_by_rank(noisy: World) -> None:
    found = numbers(noisy)
    assert found["acknowledged"] == {"count": 10, "p50_s": 5.0, "p90_s": 9.0}
    assert found["unattended"] == 30
    keep_alert(noisy, "open")
    keep_alert(noisy, "waiting", state="pending")
    found = numbers(noisy)
    assert (found["alarms"], found["open"], found["unattended"]) == (41, 1, 30)


def test_a_range_a_site_and_a_rule_choose(noisy: World) -> None:
    keep_rule(noisy, "there", site=OTHER)
    keep_alert(noisy, "there", site=OTHER, rule="there")
    assert numbers(noisy, site=OTHER)["alarms"] == 1
    assert numbers(noisy, rule="hot")["alarms"] == 40
    assert numbers(noisy, from_="-36h", site=SITE)["alarms"] == 10
    found = numbers(noisy, from_="2020-01-01", to="2020-01-02")
    assert (found["alarms"], found["alarms_per_subject_day"]) == (0, None)
    assert (found["noisiest"]["share"], found["acknowledged"]["p50_s"]) == (None, None)
    problem(noisy.client.get("/v1/alerts/statistics", from_="now", to="-1h"), "invalid_parameter")


def test_a_rule_that_begins_to_look_at_vital_signs_is_counted_no_more(noisy: World) -> None:
    viewer = caller(noisy, Role.VIEWER)
    assert viewer.get("/v1/alerts/statistics").json()["alarms"] == 40
    keep_rule(noisy, "hot", when=PULSE)
    assert viewer.get("/v1/alerts/statistics").json()["alarms"] == 0


def test_what_the_caller_may_not_know_is_not_counted(noisy: World) -> None:
    keep_alert(noisy, "pulse", rule="pulse", device="bed-1", acknowledged_ns=NOW_NS)
    keep_alert(noisy, "person", rule="hot", device="", person="p-17")
    keep_alert(noisy, "own", rule="platform.deaf", site="", device="")
    assert numbers(noisy)["alarms"] == 43
    answer = caller(noisy, Role.VIEWER).get("/v1/alerts/statistics")
    assert answer.json()["alarms"] == 40
    assert (answer.json()["open"], answer.json()["acknowledged"]["count"]) == (0, 10)
    assert "bed-1" not in answer.text
    named = caller(noisy, Role.VIEWER, SITE, Grant(Role.VIEWER, SITE, Domain.HEALTH))
    assert named.get("/v1/alerts/statistics").json()["alarms"] == 42
