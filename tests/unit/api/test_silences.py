from __future__ import annotations

from typing import Any

import pytest

from core.access import Domain, Grant, Role
from tests.unit.api.alerting import OTHER, PULSE, SITE, audited, caller, keep_rule, problem
from tests.unit.api.world import Caller, World

HEALTH = Grant(Role.VIEWER, SITE, Domain.HEALTH)


def order(**match: Any) -> dict[str, Any]:
    return {"match": match, "reason": "work on the wiring", "end": "now+8h"}


def made(client: Caller, **match: Any) -> dict[str, Any]:
    answer = client.post("/v1/silences", order(**match))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/silences/{found['id']}"
    return found


def listed(client: Caller, **how: Any) -> list[str]:
    return [one["id"] for one in client.get("/v1/silences", **how).json()["silences"]]


@pytest.fixture
def engineer(world: World) -> Caller:
    return caller(world, Role.ENGINEER)


def test_a_silence_is_made_shown_and_ended(world: World, engineer: Caller) -> None:
    body = order(site=[SITE], building=["A*"], **{"class": ["no_data"]}) | {
        "kind": "maintenance", "start": "now+1h",
    }  # fmt: skip
    found = engineer.post("/v1/silences", body).json()
    assert (found["by"], found["kind"], found["active"]) == ("Amina", "maintenance", False)
    assert found["match"]["class"] == ["no_data"]
    assert (found["start"], found["end"]) == ("2026-11-23T11:00:00Z", "2026-11-23T18:00:00Z")
    world.clock.advance(2 * 3600)
    shown = engineer.get(f"/v1/silences/{found['id']}").json()
    assert (shown["active"], shown["ended_by"]) == (True, None)
    ended = engineer.post(f"/v1/silences/{found['id']}/end").json()
    assert (ended["active"], ended["ended_by"]) == (False, "Amina")
    assert ended["end"] == "2026-11-23T12:00:00Z"
    problem(engineer.post(f"/v1/silences/{found['id']}/end"), "conflict")
    assert audited(world)[0] == f"maintenance {found['id']} ended before its time"
    assert audited(world)[1].endswith("work on the wiring")


def test_silences_that_are_over_are_listed_when_asked_for(world: World, engineer: Caller) -> None:
    first = made(engineer, site=[SITE])["id"]
    engineer.post(f"/v1/silences/{first}/end")
    world.clock.advance(1)
    second = made(engineer, site=[SITE], zone=["x"])["id"]
    assert listed(engineer) == [second]
    assert listed(engineer, over="true") == [second, first]
    assert listed(engineer, kind="maintenance") == []
    page = engineer.get("/v1/silences", over="true", limit=1).json()
    assert [one["id"] for one in engineer.get(page["next"]).json()["silences"]] == [first]


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"end": "now+91d"}, "end"),
        ({"kind": "maintenance", "end": "now+367d"}, "end"),
        ({"end": "now"}, "end"),
        ({"end": "yesterday"}, "end"),
        ({"start": "now+9h"}, "end"),
        ({"start": "now+500d", "end": "now+501d"}, "start"),
        ({"match": {}}, "match"),
        ({"match": {"site": ["mars"]}}, "match.site"),
        ({"match": {"site": []}}, "match.site"),
        ({"match": {"site": [SITE], "room": ["x"]}}, "match.room"),
        ({"reason": ""}, "reason"),
        ({"reason": " "}, "reason"),
        ({"kind": "nap"}, "kind"),
    ],
)
def test_a_silence_says_what_why_and_until_when(
    world: World, engineer: Caller, changes: dict[str, Any], parameter: str
) -> None:
    answer = engineer.post("/v1/silences", order(site=[SITE]) | changes)
    assert problem(answer, "invalid_parameter")["errors"][0]["parameter"] == parameter
    assert world.registry.silences.list() == []


def test_maintenance_may_last_longer_than_a_silence(engineer: Caller) -> None:
    body = order(site=[SITE]) | {"kind": "maintenance", "end": "now+200d"}
    assert engineer.post("/v1/silences", body).status_code == 201


def test_who_holds_one_site_silences_there_and_names_it(world: World, engineer: Caller) -> None:
    problem(engineer.post("/v1/silences", order(rule=["hot"])), "invalid_parameter")
    problem(engineer.post("/v1/silences", order(site=["*"])), "invalid_parameter")
    problem(engineer.post("/v1/silences", order(site=[SITE, OTHER])), "invalid_parameter")
    both = caller(world, Role.ENGINEER, SITE, Grant(Role.VIEWER, OTHER))
    problem(both.post("/v1/silences", order(site=[OTHER])), "forbidden")
    problem(caller(world, Role.VIEWER).post("/v1/silences", order(site=[SITE])), "forbidden")
    assert made(caller(world, Role.OPERATOR, None), rule=["*"])


def test_nobody_mutes_alerts_about_health_without_that_right(
    world: World, engineer: Caller
) -> None:
    keep_rule(world, "hot")
    keep_rule(world, "pulse", "severity: critical", when=PULSE)
    problem(engineer.post("/v1/silences", order(site=[SITE])), "forbidden")
    problem(engineer.post("/v1/silences", order(site=[SITE], rule=["p*"])), "forbidden")
    problem(engineer.post("/v1/silences", order(site=[SITE], person=["p-17"])), "forbidden")
    assert made(engineer, site=[SITE], rule=["hot"])
    assert made(engineer, site=[SITE], severity=["info", "warning"])
    assert made(engineer, site=[SITE], **{"class": ["technical"]})
    named = caller(world, Role.ENGINEER, SITE, HEALTH)
    mute = made(named, site=[SITE], person=["p-17"])["id"]
    pulse = made(named, site=[SITE], rule=["pulse"])["id"]
    assert {mute, pulse}.isdisjoint(listed(engineer))
    problem(engineer.get(f"/v1/silences/{mute}"), "not_found")
    problem(engineer.post(f"/v1/silences/{pulse}/end"), "not_found")
    assert named.post(f"/v1/silences/{mute}/end").status_code == 200


def test_silences_that_name_other_sites_are_not_seen(world: World, engineer: Caller) -> None:
    admin = caller(world, Role.OPERATOR, None)
    there = made(admin, site=[OTHER])["id"]
    both = made(admin, site=[SITE, OTHER])["id"]
    device = made(admin, device=["dia-env-001"])["id"]
    everywhere = made(admin, rule=["hot"])["id"]
    here = made(admin, site=[SITE])["id"]
    assert set(listed(engineer)) == {everywhere, here}
    for one in (there, both, device):
        problem(engineer.get(f"/v1/silences/{one}"), "not_found")
    problem(engineer.post(f"/v1/silences/{everywhere}/end"), "invalid_parameter")
    assert set(listed(admin)) == {there, both, device, everywhere, here}
