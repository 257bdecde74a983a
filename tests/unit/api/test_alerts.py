from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from alerts.deliver.bodies import record_of
from alerts.model import Notice, Occasion
from core.access import Domain, Grant, Role
from core.reading import Reading
from devices.registry import AuditFilter
from devices.registry.alert_records import AttemptOutcome
from devices.registry.alert_telling import LateValue
from tests.unit.api.alerting import (
    MINUTE_NS,
    OTHER,
    PULSE,
    SITE,
    audited,
    caller,
    keep_alert,
    keep_rule,
    problem,
)
from tests.unit.api.world import NOW_NS, World

HEALTH = Grant(Role.VIEWER, SITE, Domain.HEALTH)


@pytest.fixture
def site(world: World) -> World:
    """Three devices at two sites, a rule about warmth at each and one about pulses."""
    for device, at in (("thermo-1", SITE), ("bed-1", SITE), ("thermo-2", OTHER)):
        world.device(device, site=at)
    keep_rule(world, "hot")
    keep_rule(world, "hot-there", site=OTHER)
    keep_rule(world, "pulse", when=PULSE)
    return world


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["alerts"]]


def test_what_is_not_over_is_listed_newest_first(site: World) -> None:
    for number, state in enumerate(
        ("pending", "incomplete", "firing", "acknowledged", "resolved", "withdrawn")
    ):
        keep_alert(site, f"a{number}", state=state, opened_ns=NOW_NS + number)
    assert ids(site.client.get("/v1/alerts")) == ["a3", "a2", "a1", "a0"]
    assert ids(site.client.get("/v1/alerts", state=["resolved", "firing"])) == ["a4", "a2"]
    assert ids(site.client.get("/v1/alerts", state="resolved, firing")) == ["a4", "a2"]
    problem(site.client.get("/v1/alerts", state="resolved,quiet"), "invalid_parameter")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rule", "pulse"), ("site", OTHER), ("building", "B"), ("zone", "B-1"),
        ("device", "bed-1"), ("person", "p-17"), ("severity", "critical"), ("class", "no_data"),
    ],
)  # fmt: skip
def test_every_filter_chooses(site: World, name: str, value: str) -> None:
    keep_alert(site, "plain")
    field = "alarm_class" if name == "class" else name
    keep_alert(site, "meant", **{field: value})
    assert ids(site.client.get("/v1/alerts", **{name: value})) == ["meant"]


def test_alerts_are_found_by_when_they_were_opened(site: World) -> None:
    for hours in (1, 2, 3):
        keep_alert(site, f"a{hours}", opened_ns=NOW_NS - hours * 60 * MINUTE_NS)
    assert ids(site.client.get("/v1/alerts", since="-150min", until="-90min")) == ["a2"]
    problem(site.client.get("/v1/alerts", since="now", until="-1h"), "invalid_parameter")


def test_pages_hold_every_alert_once_although_some_are_hidden(site: World) -> None:
    for number in range(240):
        rule = "pulse" if number % 3 else "hot"
        keep_alert(site, f"a{number:03d}", rule=rule, opened_ns=NOW_NS + number)
    viewer = caller(site, Role.VIEWER)
    found, path = [], "/v1/alerts?limit=7"
    while path:
        answer = viewer.get(path).json()
        found += [one["id"] for one in answer["alerts"]]
        path = answer["next"]
    assert found == [f"a{number:03d}" for number in range(237, -1, -3)]


def test_an_alert_says_what_is_wrong_in_the_time_of_its_site(site: World) -> None:
    keep_alert(
        site, "a", facts={"above": 28.0}, state="acknowledged", acknowledged_ns=NOW_NS,
        acknowledged_by="Amina", acknowledged_note="on my way", runbook="Open a window.",
    )  # fmt: skip
    found = site.client.get("/v1/alerts/a").json()
    assert found["at"] == "2026-11-23T10:55:00+01:00"
    assert found["title"] == {"en": "Too warm", "fr": "Trop chaud"}
    assert (found["class"], found["value"], found["unit"]) == ("measured", 29.5, "Cel")
    assert found["facts"] == {"above": 28.0}
    assert found["acknowledged"] == {
        "by": "Amina", "time": "2026-11-23T11:00:00+01:00", "note": "on my way",
    }  # fmt: skip
    assert (found["cause"], found["silence"], found["until"]) == (None, None, None)


def test_alerts_about_health_do_not_exist_without_that_right(site: World) -> None:
    keep_alert(site, "warm")
    keep_alert(site, "pulse", rule="pulse", device="bed-1", value=140.0, unit="/min")
    keep_alert(site, "person", rule="hot", device="", person="p-17")
    without = caller(site, Role.OPERATOR)
    assert ids(without.get("/v1/alerts")) == ["warm"]
    for path in ("", "/history", "/notices", "/explain"):
        problem(without.get(f"/v1/alerts/pulse{path}"), "not_found")
    problem(without.post("/v1/alerts/pulse/acknowledge", {}), "not_found")
    problem(without.post("/v1/alerts/person/silence", {"for": "1h", "reason": "x"}), "not_found")
    assert "alert pulse, about health" in audited(site, "refused")[-1]
    named = caller(site, Role.OPERATOR, SITE, HEALTH)
    assert sorted(ids(named.get("/v1/alerts"))) == ["person", "pulse", "warm"]


def test_whoever_reads_a_vital_sign_in_an_alert_is_written_down(site: World) -> None:
    taken = Reading(SITE, "bed-1", "heart_rate", NOW_NS, 140.0)
    keep_alert(site, "pulse", rule="pulse", device="bed-1", evidence=(taken,))
    reader = caller(site, Role.VIEWER, SITE, domain=Domain.HEALTH)
    for path in ("/v1/alerts", "/v1/alerts/pulse", "/v1/alerts/pulse/explain"):
        assert reader.get(path).status_code == 200
    rows = site.registry.audit.list(AuditFilter(event="read"), limit=10)
    assert [row.route for row in rows] == [
        "/v1/alerts/{id}/explain", "/v1/alerts/{id}", "/v1/alerts",
    ]  # fmt: skip
    assert all(row.quantities == ("heart_rate",) and row.sites == (SITE,) for row in rows)


def test_a_rule_that_once_looked_at_vital_signs_stays_hidden(site: World) -> None:
    keep_alert(site, "old", rule="pulse", version=1)
    keep_rule(site, "pulse")
    keep_alert(site, "new", rule="pulse", version=2)
    assert ids(caller(site, Role.VIEWER).get("/v1/alerts")) == []


def test_a_rule_that_begins_to_look_at_vital_signs_is_hidden_at_once(site: World) -> None:
    viewer = caller(site, Role.VIEWER)
    keep_alert(site, "a")
    assert ids(viewer.get("/v1/alerts")) == ["a"]
    keep_rule(site, "hot", when=PULSE)
    keep_alert(site, "b", version=2)
    assert ids(viewer.get("/v1/alerts")) == []


def test_an_alert_of_a_rule_that_is_not_known_is_taken_to_be_about_health(site: World) -> None:
    keep_alert(site, "a", rule="gone")
    assert ids(caller(site, Role.VIEWER).get("/v1/alerts")) == []
    assert ids(site.client.get("/v1/alerts")) == ["a"]


def test_what_was_measured_in_another_domain_is_withheld(site: World) -> None:
    taken = Reading(SITE, "thermo-1", "air_temperature", NOW_NS, 29.5)
    keep_alert(site, "a", facts={"value": 29.5}, evidence=(taken,))
    found = caller(site, Role.VIEWER, SITE, domain=Domain.ENERGY).get("/v1/alerts/a/explain")
    answer = found.json()
    assert answer["alert"]["withheld"]
    assert (answer["alert"]["value"], answer["alert"]["facts"]) == (None, {})
    assert (answer["evidence"], answer["series"], answer["limits"]) == ([], [], [])


def test_alerts_of_another_site_and_of_the_platform_are_not_seen(site: World) -> None:
    keep_alert(site, "there", site=OTHER, rule="hot-there", device="thermo-2")
    keep_alert(site, "own", site="", rule="platform.deaf", device="")
    here = caller(site, Role.OPERATOR)
    everywhere = caller(site, Role.OPERATOR, None)
    assert ids(here.get("/v1/alerts")) == []
    for alert in ("there", "own", "nothing"):
        told = problem(here.get(f"/v1/alerts/{alert}"), "not_found")
        assert told["detail"] == f"there is no alert {alert!r}; see /v1/alerts"
    assert sorted(ids(everywhere.get("/v1/alerts"))) == ["own", "there"]
    assert everywhere.get("/v1/alerts/own").json()["at"].endswith("Z")


def test_somebody_takes_an_alert_on_and_gives_it_back(site: World) -> None:
    keep_alert(site, "a")
    nurse = caller(site, Role.OPERATOR, SITE)
    taken = nurse.post("/v1/alerts/a/acknowledge", {"note": "on my way"}).json()
    assert taken["state"] == "acknowledged"
    assert (taken["acknowledged"]["by"], taken["acknowledged"]["note"]) == ("Amina", "on my way")
    told = problem(nurse.post("/v1/alerts/a/acknowledge", {"note": "me too"}), "conflict")
    assert "Amina looks after alert a already" in told["detail"]
    back = nurse.post("/v1/alerts/a/unacknowledge").json()
    assert (back["state"], back["acknowledged"]) == ("firing", None)
    problem(nurse.post("/v1/alerts/a/unacknowledge"), "conflict")
    events = nurse.get("/v1/alerts/a/history").json()["events"]
    assert [(one["kind"], one["actor"]) for one in events] == [
        ("acknowledged", "Amina"), ("unacknowledged", "Amina"),
    ]  # fmt: skip
    assert events[0]["detail"] == {"note": "on my way"}
    assert audited(site) == [
        "alert a of rule hot given back", "alert a of rule hot acknowledged: on my way",
    ]  # fmt: skip


def test_an_acknowledgement_that_is_sent_twice_is_one(site: World) -> None:
    keep_alert(site, "a")
    for _ in range(2):
        answer = site.client.request(
            "POST", "/v1/alerts/a/acknowledge", json={}, headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == 200
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_an_alert_that_is_over_cannot_be_taken_on(site: World) -> None:
    keep_alert(site, "a", state="resolved")
    problem(site.client.post("/v1/alerts/a/acknowledge", {}), "conflict")
    problem(site.client.post("/v1/alerts/a/acknowledge", {"note": "x" * 2001}), "invalid_parameter")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "é" * 2000])
def test_a_note_is_kept_as_far_as_it_can_be_or_refused(site: World, text: str) -> None:
    keep_alert(site, "a")
    for path, body in (
        ("acknowledge", {"note": text}),
        ("silence", {"for": "1h", "reason": text}),
    ):
        answer = site.client.request(
            "POST", f"/v1/alerts/a/{path}", content=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status_code in {200, 201, 422}, answer.text
        assert "\x00" not in answer.text


def test_who_only_looks_may_not_take_on_nor_silence(site: World) -> None:
    keep_alert(site, "a")
    viewer = caller(site, Role.VIEWER)
    problem(viewer.post("/v1/alerts/a/acknowledge", {}), "forbidden")
    problem(viewer.post("/v1/alerts/a/silence", {"for": "1h", "reason": "x"}), "forbidden")


def test_a_nurse_holds_vital_signs_and_their_alerts_and_nothing_else(site: World) -> None:
    keep_alert(site, "pulse", rule="pulse", device="bed-1")
    nurse = caller(site, Role.OPERATOR, SITE, domain=Domain.HEALTH)
    assert nurse.post("/v1/alerts/pulse/acknowledge", {}).status_code == 200
    for method, path in (
        ("DELETE", "/v1/devices/bed-1"), ("GET", "/v1/dead-letters"), ("GET", "/metrics"),
        ("DELETE", "/v1/alert-rules/pulse?reason=x"),
    ):  # fmt: skip
        problem(nurse.request(method, path), "forbidden")


def test_an_alert_is_silenced_for_a_while(site: World) -> None:
    keep_alert(site, "a", building="A")
    answer = site.client.post("/v1/alerts/a/silence", {"for": "2h", "reason": "being serviced"})
    assert answer.status_code == 201
    made = answer.json()
    kept = {name: some for name, some in made["match"].items() if some}
    assert kept == {"rule": ["hot"], "site": [SITE], "building": ["A"], "device": ["thermo-1"]}
    assert (made["by"], made["reason"], made["active"]) == ("tests", "being serviced", True)
    assert (made["start"], made["end"]) == ("2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z")
    assert audited(site) == [f"silence {made['id']} on alert a of rule hot: being serviced"]


@pytest.mark.parametrize("length", ["91d", "0s", "", "soon", "-1h", "1e9d"])
def test_a_silence_of_an_alert_has_an_end_that_is_not_far(site: World, length: str) -> None:
    keep_alert(site, "a")
    answer = site.client.post("/v1/alerts/a/silence", {"for": length, "reason": "x"})
    assert problem(answer, "invalid_parameter")["errors"][0]["location"] == "body"


def test_who_was_told_is_shown_with_every_attempt(site: World) -> None:
    keep_alert(site, "a")
    for number in range(3):
        notice = Notice(f"n{number}", Occasion.FIRING, "mail", NOW_NS + number)
        record = record_of(notice)
        with site.registry.alerts.work() as work:
            work.notices.append(msgspec.structs.replace(record, alerts="a,b"))
    notices = site.registry.notices
    begun = notices.begin("n0", NOW_NS + MINUTE_NS)
    notices.finish(
        begun, AttemptOutcome.RETRY, detail="no answer", next_ns=NOW_NS + 2 * MINUTE_NS,
        now_ns=NOW_NS + MINUTE_NS,
    )  # fmt: skip
    begun = notices.begin("n0", NOW_NS + 2 * MINUTE_NS)
    notices.finish(
        begun,
        AttemptOutcome.DELIVERED,
        detail="250 OK",
        next_ns=None,
        now_ns=NOW_NS + 3 * MINUTE_NS,
    )
    first = site.client.get("/v1/alerts/a/notices", limit=2).json()
    assert [one["id"] for one in first["notices"]] == ["n2", "n1"]
    assert first["notices"][0]["following"] == "2026-11-23T11:00:00.000000002+01:00"
    last = site.client.get(first["next"]).json()
    assert last["next"] is None
    [told] = last["notices"]
    assert (told["channel"], told["occasion"], told["state"], told["alerts"]) == (
        "mail", "firing", "delivered", 2,
    )  # fmt: skip
    assert [(one["outcome"], one["detail"]) for one in told["attempts"]] == [
        ("retry", "no answer"), ("delivered", "250 OK"),
    ]  # fmt: skip


def test_history_comes_in_pages(site: World) -> None:
    keep_alert(site, "a")
    for _ in range(3):
        site.client.post("/v1/alerts/a/acknowledge", {})
        site.client.post("/v1/alerts/a/unacknowledge")
    first = site.client.get("/v1/alerts/a/history", limit=4).json()
    rest = site.client.get(first["next"]).json()
    numbers = [one["id"] for one in (*first["events"], *rest["events"])]
    assert len(numbers) == 6
    assert numbers == sorted(set(numbers))
    assert rest["next"] is None


def late(rule: str, **fields: Any) -> LateValue:
    said: dict[str, Any] = {
        "rule": rule, "site": SITE, "device": "thermo-1", "quantity": "air_temperature",
        "time_ns": NOW_NS - 60 * MINUTE_NS, "value": 29.0, "seen_ns": NOW_NS,
    }  # fmt: skip
    return LateValue(**(said | fields))


def test_values_that_came_too_late_are_listed_to_who_may_read_them(site: World) -> None:
    with site.registry.alerts.work() as work:
        work.late += [
            late("hot"),
            late("hot", time_ns=NOW_NS - MINUTE_NS),
            late("pulse", device="bed-1", quantity="heart_rate", value=140.0),
            late("hot-there", site=OTHER, device="thermo-2"),
        ]
    whole = site.client.get("/v1/alerts/late").json()["values"]
    assert [one["rule"] for one in whole] == ["hot-there", "pulse", "hot", "hot"]
    assert whole[1]["unit"] == "/min"
    here = caller(site, Role.VIEWER)
    first = here.get("/v1/alerts/late", limit=1).json()
    assert first["values"][0]["time"] == "2026-11-23T10:59:00+01:00"
    rest = here.get(first["next"]).json()
    assert [one["rule"] for one in rest["values"]] == ["hot"]
    assert rest["next"] is None
    assert site.client.get("/v1/alerts/late", rule="pulse", site=SITE).json()["values"][0][
        "value"
    ] == 140.0  # fmt: skip
    energy = caller(site, Role.VIEWER, SITE, domain=Domain.ENERGY)
    assert energy.get("/v1/alerts/late").json()["values"] == []
