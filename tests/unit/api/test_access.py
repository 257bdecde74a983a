"""Callers, users, keys and the audit over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from core.access import EVERYTHING, Domain, Grant, Permission, Role
from core.clock import NS_PER_S
from core.reading import Point
from devices.registry import AuditEntry, AuditFilter
from tests.unit.api.world import NOW_NS, Caller, World

VIEWER = Grant(Role.VIEWER, "elgazala")
WARD = Grant(Role.VIEWER, "elgazala", Domain.HEALTH)
HEART = "/v1/readings?devices=ward-1&quantities=heart_rate&from=-2h"


def caller_with(world: World, *grants: Grant, **more: Any) -> Caller:
    secret, _ = world.registry.keys.create("a caller", grants=grants, **more)
    return world.caller(world.app, key=secret)


def audited(world: World) -> list[AuditEntry]:
    return world.registry.audit.list(AuditFilter())


@pytest.fixture
def ward(world: World) -> World:
    """Hold a monitor that sent two heart rates."""
    world.device("ward-1")
    for age_s in (60, 120):
        point = Point(
            "elgazala", "ward-1", "vital_signs", NOW_NS - age_s * NS_PER_S, {"heart_rate": 70.0}
        )
        world.store.write([point])
    return world


def test_a_caller_is_told_what_they_may_do(world: World) -> None:
    caller = caller_with(world, VIEWER, WARD, scopes=[Permission.READ_READINGS])
    me = caller.get("/v1/me").json()
    assert me["grants"] == [
        {"role": "viewer", "site": "elgazala", "domain": None},
        {"role": "viewer", "site": "elgazala", "domain": "health"},
    ]
    assert (me["scopes"], me["permissions"]) == (["read_readings"], ["use", "read_readings"])
    [site] = me["sites"]
    assert site["site"] == "elgazala"
    assert "health" not in site["domains"]  # the scopes leave read_health out


def test_a_scope_narrows_what_a_key_does(world: World) -> None:
    caller = caller_with(world, *EVERYTHING, scopes=[Permission.READ_DEVICES])
    assert caller.get("/v1/devices").status_code == 200
    answer = caller.get("/v1/completeness")
    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:passerelle:problem:forbidden"
    assert "read_account" in answer.json()["detail"]


def test_a_key_that_expires_is_refused_at_once(world: World) -> None:
    caller = caller_with(world, VIEWER, expires_ns=NOW_NS + NS_PER_S)
    assert caller.get("/v1/me").status_code == 200
    world.clock.advance(1)
    assert caller.get("/v1/me").status_code == 401


def test_users_and_their_keys_over_http(world: World) -> None:
    admin = world.client
    user = {"id": "amina", "grants": [{"role": "viewer", "site": "elgazala"}]}
    assert admin.post("/v1/users", user).status_code == 201
    made = admin.post("/v1/keys", {"name": "phone", "user": "amina", "expires": "now+1d"}).json()
    assert made["key"]["expires"] == "2026-11-24T10:00:00Z"
    phone = world.caller(world.app, key=made["secret"])
    assert phone.get("/v1/me").json()["user"] == "amina"
    assert phone.get("/v1/devices").status_code == 200
    assert phone.get("/v1/users").status_code == 403
    changed = admin.request("PATCH", "/v1/users/amina", json={"disabled": True})
    assert changed.json()["disabled"] is not None
    world.clock.advance(3)
    assert phone.get("/v1/me").status_code == 401
    assert [one["id"] for one in admin.get("/v1/users").json()["users"]] == ["amina"]
    details = [one.detail for one in audited(world) if one.event == "access"]
    assert len(details) == 3
    assert "shut out" in details[0]
    assert not any(made["secret"].split("_")[2] in one.detail for one in audited(world))


def test_a_key_is_rotated_and_revoked_over_http(world: World) -> None:
    admin = world.client
    made = admin.post("/v1/keys", {"name": "a", "grants": [{"role": "viewer"}]})
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json()["key"]["id"]
    again = admin.post(f"/v1/keys/{key}/rotate", {"grace_s": 60}).json()
    assert again["key"]["rotated_from"] == key
    new = world.caller(world.app, key=again["secret"])
    assert new.get("/v1/me").status_code == 200
    assert admin.request("DELETE", f"/v1/keys/{again['key']['id']}").json()["revoked"]
    world.clock.advance(3)
    assert new.get("/v1/me").status_code == 401


def test_a_secret_is_not_kept_with_an_idempotency_key(world: World) -> None:
    body = {"name": "a", "grants": [{"role": "viewer"}]}
    headers = {"Idempotency-Key": "one"}
    secrets = {
        world.client.request("POST", "/v1/keys", json=body, headers=headers).json()["secret"]
        for _ in range(2)
    }
    assert len(secrets) == 2
    with world.registry._database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM answered_writes")).scalar() == 0


def test_nobody_gives_more_than_they_hold(world: World) -> None:
    admin = caller_with(world, Grant(Role.ADMINISTRATOR))  # not for vital signs
    narrow = caller_with(world, *EVERYTHING, scopes=[Permission.MANAGE_ACCESS])

    def made(caller: Caller, **grant: str) -> int:
        return caller.post("/v1/keys", {"name": "a", "grants": [grant]}).status_code

    assert made(admin, role="administrator") == 201
    assert made(admin, role="viewer", site="elgazala", domain="energy") == 201
    assert made(admin, role="viewer", site="elgazala", domain="health") == 403
    assert made(narrow, role="viewer") == 403
    world.registry.users.create("doctor", name="", grants=[WARD])
    assert admin.post("/v1/keys", {"name": "a", "user": "doctor"}).status_code == 403
    change: dict[str, Any] = {"grants": []}
    assert admin.request("PATCH", "/v1/users/doctor", json=change).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/keys", {"name": "a", "grants": [{"role": "king"}]}, 422),
        ("POST", "/v1/keys", {"name": "a", "grants": []}, 422),
        ("POST", "/v1/keys", {"name": "a", "grants": [{"role": "viewer", "site": "mars"}]}, 404),
        ("POST", "/v1/keys", {"name": "a", "user": "nobody"}, 404),
        ("POST", "/v1/keys", {"name": "a", "grants": [{"role": "viewer"}], "expires": "x"}, 422),
        ("POST", "/v1/keys", {"name": "a", "grants": [{"role": "viewer"}], "expires": "-1d"}, 422),
        ("POST", "/v1/keys", {"name": " ", "grants": [{"role": "viewer"}]}, 422),
        ("POST", "/v1/keys", {"name": "a\0", "grants": [{"role": "viewer"}]}, 422),
        ("POST", "/v1/keys", {"name": "a", "grants": [{"role": "viewer"}], "scopes": []}, 422),
        ("POST", "/v1/keys/none/rotate", {}, 404),
        ("DELETE", "/v1/keys/none", None, 404),
        ("POST", "/v1/users", {"id": "Not a slug"}, 422),
        ("PATCH", "/v1/users/nobody", {"name": "x"}, 404),
        ("GET", "/v1/audit?from=now&to=-1h", None, 422),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: World, method: str, path: str, body: Any, status: int
) -> None:
    answer = world.client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_read_of_vital_signs_is_written_down(ward: World) -> None:
    caller = caller_with(ward, WARD)
    assert caller.get(HEART).status_code == 200
    [row] = audited(ward)
    assert (row.event, row.outcome, row.actor.name) == ("read", "answered", "a caller")
    assert (row.route, row.permission, row.status) == ("/v1/readings", "read_readings", 200)
    assert (row.sites, row.devices, row.quantities, row.rows) == (
        ("elgazala",),
        1,
        ("heart_rate",),
        2,
    )
    assert (row.start_ns, row.end_ns) == (NOW_NS - 7200 * NS_PER_S, NOW_NS)
    shown = ward.client.get("/v1/audit?event=read").json()["rows"]
    assert shown[0]["quantities"] == ["heart_rate"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/latest?devices=ward-1",
        "/v1/devices/ward-1/latest",
        f"{HEART}&every=1h",
        f"{HEART}&max_points=10",
        f"{HEART}&quality=good",
        f"{HEART}&every=1h&aggregate=min,max",
        "/v1/readings/joined?devices=ward-1&left=heart_rate&right=oxygen_saturation&from=-2h",
        "/v1/exports?devices=ward-1&quantities=heart_rate&from=-2h&format=csv",
        "/v1/readings?devices=ward-1&quantities=oxygen_saturation&from=-2h",
    ],
)
def test_every_way_to_read_vital_signs_is_written_down(ward: World, path: str) -> None:
    answer = ward.client.get(path)
    assert answer.status_code == 200, answer.text
    rows = audited(ward)
    assert rows
    assert {row.event for row in rows} == {"read"}
    assert rows[0].outcome in {"answered", "complete"}


def test_other_reads_leave_nothing(ward: World) -> None:
    for path in (
        "/v1/devices",
        "/v1/completeness",
        "/v1/readings?site=elgazala&quantities=air_temperature",
        "/v1/latest?quantities=air_temperature",
        "/v1/exports?site=elgazala&quantities=air_temperature&format=csv",
    ):
        assert ward.client.get(path).status_code == 200
    assert audited(ward) == []


def test_an_export_is_written_down_as_begun_and_as_complete(ward: World) -> None:
    path = "/v1/exports?devices=ward-1&quantities=heart_rate&from=-2h&format=csv"
    assert ward.client.get(path).status_code == 200
    assert [row.outcome for row in audited(ward)] == ["complete", "begun"]


def test_vital_signs_are_not_handed_out_unless_it_is_written_down(ward: World) -> None:
    with ward.registry._database.write() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO lost"))
    answer = ward.client.get(HEART)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:passerelle:problem:audit_unavailable"
    assert "Retry-After" in answer.headers
    assert ward.client.get("/v1/devices").status_code == 200
    assert caller_with(ward, VIEWER).get(HEART).status_code == 403  # refused all the same
    with ward.registry._database.write() as connection:
        connection.execute(text("ALTER TABLE lost RENAME TO audit"))
    assert ward.client.get(HEART).status_code == 200


def test_refusals_are_written_down(ward: World) -> None:
    caller = caller_with(ward, VIEWER)
    assert caller.get(HEART).status_code == 403
    assert caller.get("/v1/sites/diamniadio").status_code == 404
    assert caller.get("/v1/sites/mars").status_code == 404
    hidden, forbidden = audited(ward)
    assert (forbidden.event, forbidden.status, forbidden.route) == ("refused", 403, "/v1/readings")
    assert (hidden.event, hidden.status, hidden.detail) == ("refused", 404, "site diamniadio")


def test_those_who_were_not_let_in_are_counted(world: World) -> None:
    wrong = world.caller(world.app, key="psl_0123456789ab_" + "0" * 64)
    for _ in range(5):
        assert wrong.get("/v1/me").status_code == 401
    [first] = audited(world)
    assert (first.actor.kind, first.actor.id, first.times) == ("unknown", "0123456789ab", 1)
    rows = world.client.get("/v1/audit").json()["rows"]
    assert [row["times"] for row in rows] == [4, 1]
    assert "0" * 64 not in str(rows)


def test_the_audit_is_paged(ward: World) -> None:
    for _ in range(5):
        assert ward.client.get(HEART).status_code == 200
    seen = []
    path: str | None = "/v1/audit?limit=2"
    while path is not None:
        page = ward.client.get(path).json()
        seen += [row["id"] for row in page["rows"]]
        path = page["next"]
    assert seen == [5, 4, 3, 2, 1]
