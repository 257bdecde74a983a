"""Who wears which device, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import EVERYTHING, Domain, Grant, Role
from devices.registry import AuditEntry, AuditFilter
from tests.unit.api.world import NOW_NS, Caller, World

WARD = (Grant(Role.ENGINEER, "elgazala"), Grant(Role.VIEWER, "elgazala", Domain.HEALTH))
PATH = "/v1/assignments"


@pytest.fixture
def ward(world: World) -> World:
    """Hold two watches here and one at the other site."""
    world.device("watch-1")
    world.device("watch-2")
    world.device("far-1", site="diamniadio")
    return world


def caller_with(world: World, *grants: Grant) -> Caller:
    secret, _ = world.registry.keys.create("ward tablet", grants=grants)
    return world.caller(world.app, key=secret)


def audited(world: World) -> list[AuditEntry]:
    return world.registry.audit.list(AuditFilter())


def given(world: World, device: str, person: str, **more: Any) -> dict[str, Any]:
    answer = world.client.post(PATH, {"device": device, "person": person} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_device_is_given_to_a_person_and_taken_back(ward: World) -> None:
    tablet = caller_with(ward, *WARD)
    answer = tablet.post(PATH, {"device": "watch-1", "person": "p-1", "from": "-1h"})
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": made["id"],
        "device": "watch-1",
        "site": "elgazala",
        "person": "p-1",
        "from": "2026-11-23T09:00:00Z",
        "to": None,
        "by": "ward tablet",
        "ended_by": "",
    }
    ended = tablet.post(f"{PATH}/{made['id']}/end", {}).json()
    assert ended == made | {"to": "2026-11-23T10:00:00Z", "ended_by": "ward tablet"}
    assert tablet.get(PATH).json()["assignments"] == [ended]


def test_a_day_begins_where_the_device_is(ward: World) -> None:
    made = given(ward, "watch-1", "p-1", **{"from": "2026-11-20", "to": "2026-11-21"})
    assert (made["from"], made["to"]) == ("2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z")


def test_a_device_is_with_one_person_at_a_time(ward: World) -> None:
    given(ward, "watch-1", "p-1", **{"from": "-1h", "to": "now+1h"})
    answer = ward.client.post(PATH, {"device": "watch-1", "person": "p-2"})
    assert answer.status_code == 409
    assert "from 2026-11-23T09:00:00Z until 2026-11-23T11:00:00Z" in answer.json()["detail"]
    given(ward, "watch-1", "p-2", **{"from": "now+1h"})


def test_filters_are_combined(ward: World) -> None:
    given(ward, "watch-1", "p-1", **{"from": "-3h", "to": "-2h"})
    given(ward, "watch-1", "p-2", **{"from": "-2h"})
    given(ward, "watch-2", "p-2")
    given(ward, "far-1", "p-3")

    def found(**query: str) -> list[tuple[str, str]]:
        answer = ward.client.get(PATH, **query)
        return [(one["device"], one["person"]) for one in answer.json()["assignments"]]

    assert found(person="p-2") == [("watch-2", "p-2"), ("watch-1", "p-2")]
    assert found(person="p-2", device="watch-1") == [("watch-1", "p-2")]
    assert found(site="diamniadio") == [("far-1", "p-3")]
    assert found(device="watch-1", at="-150min") == [("watch-1", "p-1")]
    assert found(device="watch-1", at="now") == [("watch-1", "p-2")]
    assert found(person="nobody") == []


def test_pages_list_every_assignment_once(ward: World) -> None:
    for day in range(10, 17):
        given(ward, "watch-1", "p-1", **{"from": f"2026-11-{day}", "to": f"2026-11-{day + 1}"})
    seen: list[str] = []
    path = f"{PATH}?limit=3&site=elgazala"
    while path:
        answer = ward.client.get(path).json()
        seen += [one["from"] for one in answer["assignments"]]
        path = answer["next"]
        if len(seen) == 3:
            given(ward, "watch-2", "p-2")
    assert seen == [f"2026-11-{day - 1:02}T23:00:00Z" for day in range(16, 9, -1)]


def test_it_is_written_down_who_reads_or_says_who_wears_what(ward: World) -> None:
    tablet = caller_with(ward, *WARD)
    made = tablet.post(PATH, {"device": "watch-1", "person": "p-1"}).json()
    tablet.get(PATH)
    tablet.post(f"{PATH}/{made['id']}/end", {})
    rows = audited(ward)
    assert [(row.event, row.method, row.route) for row in rows] == [
        ("read", "POST", f"{PATH}/{{id}}/end"),
        ("read", "GET", PATH),
        ("read", "POST", PATH),
    ]
    for row in rows:
        assert (row.actor.name, row.sites, row.devices) == ("ward tablet", ("elgazala",), 1)
        assert row.quantities == ("person",)


def test_it_needs_the_right_to_vital_signs_and_to_devices(ward: World) -> None:
    made = given(ward, "watch-1", "p-1")
    wanted = {"device": "watch-2", "person": "p-2"}
    end = f"{PATH}/{made['id']}/end"

    engineer = caller_with(ward, WARD[0])
    assert engineer.get(PATH).status_code == 403
    for path, body in ((PATH, wanted), (end, {})):
        answer = engineer.post(path, body)
        assert answer.status_code == 403
        assert "read_health in the domain health at site 'elgazala'" in answer.json()["detail"]

    nurse = caller_with(ward, WARD[1])
    assert [one["id"] for one in nurse.get(PATH).json()["assignments"]] == [made["id"]]
    assert nurse.post(PATH, wanted).status_code == 403
    assert nurse.post(end, {}).status_code == 403
    assert ward.registry.assignments.get(made["id"]).end_ns is None
    assert len(ward.registry.assignments.list()) == 1


def test_what_is_at_another_site_is_as_if_it_did_not_exist(ward: World) -> None:
    made = given(ward, "far-1", "p-3")
    tablet = caller_with(ward, *WARD)
    assert tablet.get(PATH, person="p-3").json()["assignments"] == []
    hidden = tablet.post(f"{PATH}/{made['id']}/end", {})
    unknown = tablet.post(f"{PATH}/{made['id'] + 1}/end", {})
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert hidden.json()["detail"] == unknown.json()["detail"].replace(
        str(made["id"] + 1), str(made["id"])
    )
    answer = tablet.post(PATH, {"device": "far-1", "person": "p-9"})
    other = tablet.post(PATH, {"device": "far-2", "person": "p-9"})
    assert answer.json()["detail"].replace("far-1", "far-2") == other.json()["detail"]
    assert tablet.get(PATH, site="diamniadio").status_code == 422
    assert ward.registry.assignments.get(made["id"]).end_ns is None


def test_what_a_removed_device_was_stays_known_at_its_site(ward: World) -> None:
    made = given(ward, "watch-1", "p-1")
    ward.clock.advance(60)
    ward.registry.devices.remove("watch-1")
    [found] = caller_with(ward, *WARD).get(PATH).json()["assignments"]
    assert found == made | {"to": "2026-11-23T10:01:00Z"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"person": "Amina Ben Salah"}, "person"),
        ({"person": ""}, "person"),
        ({"from": "yesterday"}, "from"),
        ({"to": "tomorrow"}, "to"),
        ({"to": "-1h"}, "to"),
        ({"to": "now"}, "to"),
        ({"start": "x" * 65}, "start"),
        ({"name": "Amina"}, "name"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(
    ward: World, change: dict[str, str], field: str
) -> None:
    answer = ward.client.post(PATH, {"device": "watch-1", "person": "p-1"} | change)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["parameter"], error["location"]) == (field, "body")
    assert ward.registry.assignments.list() == []


def test_an_end_that_cannot_be_is_refused(ward: World) -> None:
    made = given(ward, "watch-1", "p-1", **{"from": "-2h", "to": "-1h"})
    path = f"{PATH}/{made['id']}/end"
    before = ward.client.post(path, {"at": "-3h"})
    assert before.status_code == 422
    assert before.json()["errors"][0]["parameter"] == "at"
    assert ward.client.post(path, {"at": "now"}).status_code == 409
    assert ward.client.post(path, {"at": "-90min"}).status_code == 200
    for number in ("0", "-1", str(2**31), "seven"):
        assert ward.client.post(f"{PATH}/{number}/end", {}).status_code == 422
    assert ward.client.post(f"{PATH}/{2**31 - 1}/end", {}).status_code == 404


def test_an_assignment_answered_under_an_idempotency_key_is_made_once(ward: World) -> None:
    caller = caller_with(ward, *EVERYTHING)
    headers = {"Idempotency-Key": "a-press-of-a-button"}
    body = {"device": "watch-1", "person": "p-1"}
    first = caller.request("POST", PATH, json=body, headers=headers)
    again = caller.request("POST", PATH, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(ward.registry.assignments.list(at_ns=NOW_NS)) == 1
