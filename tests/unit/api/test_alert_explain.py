from __future__ import annotations

from typing import Any

import pytest

from alerts.lifecycle import people
from core.access import Domain, Grant, Role
from core.clock import NS_PER_S
from core.reading import Point, Reading
from tests.unit.api.alerting import (
    MINUTE_NS,
    OTHER,
    PULSE,
    SITE,
    caller,
    keep_alert,
    keep_rule,
)
from tests.unit.api.world import NOW_NS, World

OVERRIDES = """\
overrides:
- {device: thermo-1, set: {threshold: {above: 27}}, author: n.ba, reason: thin walls,
   expires: 2027-06-30}
- {device: thermo-1, set: {threshold: {above: 40}}, author: n.ba, reason: of last year,
   expires: 2025-06-30}
- {device: other, set: {threshold: {above: 33}}, author: n.ba, reason: another,
   expires: 2027-06-30}"""
TAKEN = Reading(SITE, "thermo-1", "air_temperature", NOW_NS - 5 * MINUTE_NS, 29.5)


@pytest.fixture
def warm(world: World) -> World:
    """A device that became too warm ten minutes ago, with a value each minute of two hours."""
    world.device("thermo-1", interval_s=60)
    keep_rule(world, "hot", "for: 5m", OVERRIDES)
    for minute in range(120):
        value = 29.5 if minute <= 10 else 21.0
        world.store_value("thermo-1", NOW_NS - minute * MINUTE_NS, value, quality=16)
    keep_alert(world, "a", evidence=(TAKEN,))
    return world


def explained(world: World, alert: str = "a", **how: Any) -> dict[str, Any]:
    answer = world.client.request("GET", f"/v1/alerts/{alert}/explain", **how)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_explanation_names_rule_values_limits_and_overrides(warm: World) -> None:
    found = explained(warm)
    rule = found["rule"]
    assert rule["condition"] == "air temperature above 27 °C, until it is back inside by 1 °C"
    assert (rule["version"], rule["author"], rule["for"]) == (1, "the tests", "5 min")
    assert rule["source"].startswith("rule: hot")
    assert found["evidence"] == [
        {
            "site": SITE, "device": "thermo-1", "quantity": "air_temperature", "unit": "Cel",
            "time": "2026-11-23T10:55:00+01:00", "value": 29.5, "quality": [],
        }
    ]  # fmt: skip
    assert [(one["kind"], one["value"], one["unit"]) for one in found["limits"]] == [
        ("above", 27.0, "Cel"), ("clear_above", 26.0, "Cel"),
    ]  # fmt: skip
    assert [(one["number"], one["reason"], one["counted"]) for one in found["overrides"]] == [
        (1, "thin walls", True), (2, "of last year", False),
    ]  # fmt: skip


def test_the_stored_values_around_are_shown_with_time_unit_and_quality(warm: World) -> None:
    found = explained(warm)
    assert found["zone"] == "Africa/Tunis"
    [series] = found["series"]
    assert (series["device"], series["unit"], series["of"]) == ("thermo-1", "Cel", 40)
    assert series["points"][-1] == {
        "time": "2026-11-23T10:59:00+01:00", "value": 29.5, "quality": ["simulated"],
    }  # fmt: skip
    values = [one["value"] for one in series["points"]]
    assert values == [21.0] * 30 + [29.5] * 10
    assert (found["start"], found["end"]) == (
        "2026-11-23T10:20:00+01:00", "2026-11-23T11:00:00+01:00",
    )  # fmt: skip


def test_an_alert_of_a_series_is_explained_by_what_was_asked_of_its_quantity(warm: World) -> None:
    override = (
        "overrides: [{device: thermo-1, set: {threshold: {above: 27}}, author: n.ba, "
        "reason: thin walls, expires: 2027-06-30}]"
    )
    select = f"select: {{site: {SITE}, quantity: '*_temperature'}}"
    keep_rule(
        warm, "each", "per: series", select, override,
        when="{threshold: {above: 40, margin: 1 K}}", site=None,
    )  # fmt: skip
    keep_alert(warm, "b", rule="each", quantity="air_temperature", evidence=(TAKEN,))
    found = explained(warm, "b")
    assert found["alert"]["quantity"] == "air_temperature"
    said = "air temperature above 27 °C, until it is back inside by 1 °C"
    assert found["rule"]["condition"] == said
    assert [one["condition"] for one in found["overrides"]] == [said]
    assert [(one["quantity"], one["kind"], one["value"]) for one in found["limits"]] == [
        ("air_temperature", "above", 27.0), ("air_temperature", "clear_above", 26.0),
    ]  # fmt: skip
    assert [(one["device"], one["quantity"]) for one in found["series"]] == [
        ("thermo-1", "air_temperature")
    ]


def test_it_looks_on_for_a_while_after_the_end_of_an_alert(warm: World) -> None:
    keep_alert(warm, "b", state="resolved", until_ns=NOW_NS - 60 * MINUTE_NS,
               at_ns=NOW_NS - 70 * MINUTE_NS, since_ns=NOW_NS - 75 * MINUTE_NS)  # fmt: skip
    found = explained(warm, "b")
    assert (found["start"], found["end"]) == (
        "2026-11-23T09:15:00+01:00", "2026-11-23T10:15:00+01:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("", "fr-TN, fr;q=0.9, en;q=0.5", "fr"),
        ("", "en;q=0.5, fr;q=0.6", "fr"),
        ("", "de, *;q=0.1", "en"),
        ("", "fr;q=none", "en"),
        ("?language=fr", "en", "fr"),
        ("?language=en", "fr", "en"),
    ],
)
def test_it_speaks_the_language_that_is_asked_for(
    warm: World, query: str, header: str | None, language: str
) -> None:
    headers = {} if header is None else {"Accept-Language": header}
    answer = warm.client.request("GET", f"/v1/alerts/a/explain{query}", headers=headers)
    assert answer.headers["Content-Language"] == language == answer.json()["language"]
    assert ("Accept-Language" in answer.headers["Vary"]) is not bool(query)
    said = answer.json()["rule"]["condition"]
    assert said.startswith("air" if language == "en" else "température")


def test_it_says_what_inhibited_and_what_silenced(warm: World) -> None:
    keep_alert(warm, "gateway", rule="hot", device="thermo-0", state="firing")
    silence = people.silence(
        warm.registry, {"rule": ["hot"]}, by="Amina", reason="serviced",
        until_ns=NOW_NS + 3600 * NS_PER_S, now_ns=NOW_NS,
    )  # fmt: skip
    keep_alert(warm, "b", cause="gateway", silence=silence.id)
    people.acknowledge(warm.registry, "b", by="Amina", now_ns=NOW_NS)
    found = explained(warm, "b")
    assert (found["cause"]["id"], found["cause"]["device"]) == ("gateway", "thermo-0")
    assert (found["silence"]["by"], found["silence"]["reason"]) == ("Amina", "serviced")
    assert [(one["kind"], one["actor"]) for one in found["events"]] == [("acknowledged", "Amina")]


def test_a_cause_that_the_caller_may_not_know_is_left_out(warm: World) -> None:
    keep_rule(warm, "there", site=OTHER)
    keep_alert(warm, "cause", site=OTHER, rule="there")
    keep_alert(warm, "b", cause="cause")
    assert explained(warm, "b")["cause"]["id"] == "cause"
    answer = caller(warm, Role.VIEWER).get("/v1/alerts/b/explain")
    assert answer.json()["cause"] is None
    assert OTHER not in answer.text


def test_an_alarm_of_the_platform_is_explained_without_a_rule(warm: World) -> None:
    keep_alert(warm, "own", rule="platform.deaf", site="", device="", value=None, unit="")
    found = explained(warm, "own")
    assert (found["rule"], found["series"], found["zone"]) == (None, [], "UTC")


def test_silence_shows_what_the_device_sends_otherwise(warm: World) -> None:
    keep_rule(warm, "silent", when="{absence: {after: 10m}}")
    keep_alert(warm, "b", rule="silent", value=None, unit="", alarm_class="no_data")
    [series] = explained(warm, "b")["series"]
    assert series["quantity"] == "air_temperature"


def test_of_a_room_every_device_is_shown_up_to_a_bound(world: World) -> None:
    keep_rule(world, "room", "per: zone")
    for number in range(25):
        device = world.device(f"thermo-{number:02d}", building="A", zone="A-1").id
        world.store_value(device, NOW_NS - MINUTE_NS, 20.0)
    world.device("elsewhere", building="A", zone="A-2")
    keep_alert(world, "a", rule="room", device="", building="A", zone="A-1")
    found = explained(world)
    assert len(found["series"]) == 20
    assert found["devices_left_out"] == 5


def test_a_person_is_explained_by_the_devices_worn_then_to_who_may_read_vital_signs(
    world: World,
) -> None:
    world.device("bed-1")
    world.device("bed-2")
    keep_rule(world, "pulse", "per: person", when=PULSE)
    world.registry.assignments.assign(
        "bed-1", "p-17", start_ns=0, end_ns=NOW_NS + MINUTE_NS, by="Amina"
    )
    for device in ("bed-1", "bed-2"):
        world.store.write(
            [Point(SITE, device, "vital_signs", NOW_NS - MINUTE_NS, {"heart_rate": 140.0})]
        )
    keep_alert(world, "a", rule="pulse", device="", person="p-17", value=140.0, unit="/min")
    nurse = caller(world, Role.VIEWER, SITE, domain=Domain.HEALTH)
    found = nurse.get("/v1/alerts/a/explain").json()
    assert [(one["device"], one["quantity"]) for one in found["series"]] == [
        ("bed-1", "heart_rate")
    ]
    blind = caller(world, Role.VIEWER, SITE, Grant(Role.VIEWER, OTHER, Domain.HEALTH))
    assert blind.get("/v1/alerts/a/explain").status_code == 404
