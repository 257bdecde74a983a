from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from core.access import Domain, Grant, Role
from devices.registry.alert_records import RuleState
from tests.unit.api.alerting import (
    OTHER,
    PULSE,
    SITE,
    audited,
    caller,
    keep_rule,
    problem,
    rule_text,
)
from tests.unit.api.world import NOW_NS, Caller, World

HEALTH = Grant(Role.VIEWER, SITE, Domain.HEALTH)
OVERRIDE = {
    "device": "thermo-1",
    "set": {"threshold": {"above": "31 Cel"}},
    "reason": "by the oven",
    "expires": "2027-06-30",
}


@pytest.fixture
def site(world: World) -> World:
    for device, at in (("thermo-1", SITE), ("bed-1", SITE), ("thermo-2", OTHER)):
        world.device(device, site=at)
    return world


@pytest.fixture
def engineer(site: World) -> Caller:
    return caller(site, Role.ENGINEER)


def put(
    client: Caller, name: str, source: str | None = None, *, headers: Any = None, **more: Any
) -> httpx.Response:
    body = {"source": source or rule_text(name), "reason": "needed", **more}
    return client.request("PUT", f"/v1/alert-rules/{name}", json=body, headers=headers)


def test_a_rule_is_written_read_and_written_again(site: World, engineer: Caller) -> None:
    made = put(engineer, "hot")
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    again = put(engineer, "hot", rule_text("hot", "severity: critical"))
    assert (again.status_code, again.headers["ETag"]) == (200, '"2"')
    found = engineer.get("/v1/alert-rules/hot").json()
    assert (found["version"], found["state"], found["author"]) == (2, "active", "Amina")
    assert found["meaning"]["severity"] == "critical"
    assert found["meaning"]["condition"]["fr"].startswith("température de l'air au-dessus de 28 °C")
    assert found["source"] == rule_text("hot", "severity: critical")
    versions = engineer.get("/v1/alert-rules/hot/versions").json()["versions"]
    assert [one["version"] for one in versions] == [2, 1]
    assert audited(site) == [
        "rule hot, version 2, written (active): needed",
        "rule hot, version 1, written (active): needed",
    ]


def test_a_rule_may_be_sent_as_yaml(engineer: Caller) -> None:
    answer = engineer.request(
        "PUT", "/v1/alert-rules/hot?reason=warmer+rack",
        content=rule_text("hot").encode(), headers={"Content-Type": "application/yaml"},
    )  # fmt: skip
    assert answer.status_code == 201
    assert answer.json()["reason"] == "warmer rack"


def test_a_rule_needs_a_reason(engineer: Caller) -> None:
    for answer in (
        put(engineer, "hot", reason=" "),
        put(engineer, "hot", reason=""),
        engineer.request(
            "PUT", "/v1/alert-rules/hot", content=rule_text("hot").encode(),
            headers={"Content-Type": "application/yaml"},
        ),
    ):  # fmt: skip
        assert "reason" in problem(answer, "invalid_parameter")["errors"][0]["parameter"]


@pytest.mark.parametrize(
    ("source", "line", "field", "words"),
    [
        (rule_text("hot", "severty: critical"), 4, "severty", "did you mean severity"),
        (rule_text("hot", when="{threshold: {quantity: heart_rate, above: 20 kg}}"), 3,
         "when.threshold.above", "kg"),
        ("rule: hot\ntitle: {en: a\n", 3, "", "not YAML"),
        ("- a\n", 1, "", "mapping"),
        (rule_text("cold"), 1, "rule", "called 'cold'"),
        (rule_text("hot") + "overrides: [{device: a}]\n", 5, "overrides[0]", "author is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_told_with_its_place(
    engineer: Caller, source: str, line: int, field: str, words: str
) -> None:
    [place] = problem(put(engineer, "hot", source), "invalid_rule")["errors"]
    assert (place["line"], place["field"]) == (line, field)
    assert words in place["detail"]


def test_a_rule_that_was_changed_meanwhile_is_not_overwritten(engineer: Caller) -> None:
    put(engineer, "hot")
    tag = engineer.get("/v1/alert-rules/hot").headers["ETag"]
    assert put(engineer, "hot", headers={"If-Match": tag}).status_code == 200
    told = problem(put(engineer, "hot", headers={"If-Match": tag}), "precondition_failed")
    assert "version 1 was expected, but there is version 2 by Amina" in told["detail"]
    for method, path, body in (
        ("DELETE", "/v1/alert-rules/hot?reason=x", None),
        ("POST", "/v1/alert-rules/hot/disable", {"reason": "x"}),
        ("POST", "/v1/alert-rules/hot/overrides", OVERRIDE),
    ):
        answer = engineer.request(method, path, json=body, headers={"If-Match": tag})
        problem(answer, "precondition_failed")
    bad = put(engineer, "hot", headers={"If-Match": '"three"'})
    assert problem(bad, "invalid_parameter")["errors"][0]["location"] == "header"


def test_a_rule_may_be_written_only_when_there_is_none(engineer: Caller) -> None:
    new = {"If-None-Match": "*"}
    assert put(engineer, "hot", headers=new).status_code == 201
    problem(put(engineer, "hot", headers=new), "precondition_failed")
    engineer.request("DELETE", "/v1/alert-rules/hot?reason=x")
    assert put(engineer, "hot", headers=new).status_code == 201


def test_a_rule_that_is_sent_twice_is_one_version(site: World, engineer: Caller) -> None:
    for _ in range(2):
        answer = put(engineer, "hot", headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert site.registry.rules.get("hot").version == 1


def test_an_unchanged_rule_is_not_sent_again(engineer: Caller) -> None:
    put(engineer, "hot")
    found = engineer.request("GET", "/v1/alert-rules/hot", headers={"If-None-Match": '"1"'})
    assert found.status_code == 304


def test_a_rule_is_switched_off_and_on_and_deleted(site: World, engineer: Caller) -> None:
    put(engineer, "hot")
    off = engineer.post("/v1/alert-rules/hot/disable", {"reason": "too many"}).json()
    assert (off["state"], off["version"], off["reason"]) == ("disabled", 2, "too many")
    assert put(engineer, "hot").json()["state"] == "disabled"
    on = engineer.post("/v1/alert-rules/hot/enable", {"reason": "tuned"}).json()
    assert (on["state"], on["version"]) == ("active", 4)
    gone = engineer.request("DELETE", "/v1/alert-rules/hot?reason=not+needed")
    assert gone.status_code == 204
    problem(engineer.get("/v1/alert-rules/hot"), "not_found")
    problem(engineer.post("/v1/alert-rules/hot/enable", {"reason": "x"}), "not_found")
    assert engineer.get("/v1/alert-rules").json()["rules"] == []
    [deleted] = engineer.get("/v1/alert-rules", state="deleted").json()["rules"]
    assert (deleted["state"], deleted["reason"]) == ("deleted", "not needed")
    assert audited(site)[0] == "rule hot, version 5, deleted (deleted): not needed"
    problem(put(engineer, "hot", state="deleted"), "invalid_parameter")


def test_a_rule_works_where_its_author_may_say_so(site: World, engineer: Caller) -> None:
    for pattern in ("elg*", f"[{SITE}, {OTHER}]", OTHER, None):
        problem(put(engineer, "hot", rule_text("hot", site=pattern)), "forbidden")
    keep_rule(site, "there", site=OTHER)
    problem(put(engineer, "there", rule_text("there")), "forbidden")
    problem(engineer.request("DELETE", "/v1/alert-rules/there?reason=x"), "not_found")
    everywhere = caller(site, Role.OPERATOR, None)
    assert put(everywhere, "hot", rule_text("hot", site=None)).status_code == 201
    problem(engineer.request("DELETE", "/v1/alert-rules/hot?reason=x"), "forbidden")
    problem(put(caller(site, Role.VIEWER), "warm"), "forbidden")


def test_a_rule_about_health_needs_health(site: World, engineer: Caller) -> None:
    told = problem(put(engineer, "pulse", rule_text("pulse", when=PULSE)), "forbidden")
    assert "read_health" in told["detail"]
    named = caller(site, Role.ENGINEER, SITE, HEALTH)
    assert put(named, "pulse", rule_text("pulse", when=PULSE)).status_code == 201
    problem(engineer.get("/v1/alert-rules/pulse"), "not_found")
    problem(engineer.get("/v1/alert-rules/pulse/versions"), "not_found")
    assert engineer.get("/v1/alert-rules").json()["rules"] == []
    problem(engineer.post("/v1/alert-rules/pulse/disable", {"reason": "x"}), "not_found")


def test_a_rule_for_every_site_is_seen_in_words_and_its_text_by_who_sees_every_site(
    site: World, engineer: Caller
) -> None:
    overrides = "".join(
        f"\n- {{device: {device}, set: {{threshold: {{above: 30}}}}, author: a, reason: b, "
        "expires: 2027-01-01}"
        for device in ("thermo-1", "thermo-2")
    )
    keep_rule(site, "hot", f"overrides:{overrides}", site=None)
    answer = engineer.get("/v1/alert-rules/hot")
    found = answer.json()
    assert not answer.headers["ETag"].startswith('"1"')
    assert (found["source"], found["reason"]) == (None, "")
    assert [one["device"] for one in found["overrides"]] == ["thermo-1"]
    assert "thermo-2" not in answer.text
    whole = caller(site, Role.VIEWER, None).get("/v1/alert-rules/hot").json()
    assert [one["device"] for one in whole["overrides"]] == ["thermo-1", "thermo-2"]
    assert whole["source"] is not None


def test_a_rule_that_cannot_be_read_any_more_says_why(site: World) -> None:
    site.registry.rules.put("old", "rule: old\n", author="a", reason="b")
    found = site.client.get("/v1/alert-rules/old").json()
    assert found["meaning"] is None
    assert "title is missing" in found["problem"]
    problem(caller(site, Role.OPERATOR, None).get("/v1/alert-rules/old"), "not_found")


def test_a_rule_is_looked_at_before_it_is_kept(site: World, engineer: Caller) -> None:
    found = engineer.post("/v1/alert-rules/check", {"source": rule_text("hot")}).json()
    assert (found["devices"], found["subjects"]) == (2, 2)
    assert found["examples"] == ["bed-1", "thermo-1"]
    assert found["warnings"] == ["none of the devices has sent air_temperature yet"]
    site.store_value("thermo-1", NOW_NS, 20.0)
    site.clock.advance(60)
    found = engineer.post("/v1/alert-rules/check", {"source": rule_text("hot")}).json()
    assert found["warnings"] == []
    assert engineer.get("/v1/alert-rules").json()["rules"] == []


def test_a_check_of_a_rule_per_series_counts_the_series_that_are_there(
    site: World, engineer: Caller
) -> None:
    def checked(*patterns: str) -> dict[str, Any]:
        select = f"select: {{site: {SITE}, quantity: [{', '.join(patterns)}]}}"
        text = rule_text("r", "per: series", select, when="{absence: {after: 5m}}", site=None)
        answer = engineer.post("/v1/alert-rules/check", {"source": text})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    unsent = "none of the devices has sent a quantity that is selected yet"
    assert checked("air_*", "dew_point")["warnings"] == [
        f"{unsent}: the rule has nothing to be about",
        "none of the devices has sent dew_point yet",
    ]
    for device in ("thermo-1", "bed-1"):
        site.store_value(device, NOW_NS, 20.0)
    site.clock.advance(60)
    found = checked("air_*", "dew_point")
    assert (found["devices"], found["subjects"]) == (2, 2)
    assert found["examples"] == ["bed-1", "thermo-1"]
    assert found["warnings"] == ["none of the devices has sent dew_point yet"]
    assert found["meaning"]["per"] == "series"
    assert not found["meaning"]["health"]


def test_a_check_warns_of_what_is_likely_not_meant(engineer: Caller) -> None:
    def warnings(*more: str, **how: Any) -> list[str]:
        answer = engineer.post("/v1/alert-rules/check", {"source": rule_text("hot", *more, **how)})
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json()["warnings"]
        return found

    assert warnings(site="nowhere") == [
        "no registered device fits select: the rule looks at nothing"
    ]
    assert "none of the devices has a zone: the rule has nothing to be about" in warnings(
        "per: zone"
    )
    override = (
        "overrides: [{{device: {}, set: {{threshold: {{above: 30}}}}, author: a, reason: b, "
        "expires: {}}}]"
    )
    assert "override 1 has expired: it does not count" in warnings(
        override.format("thermo-1", "2020-01-01")
    )
    assert "override 1 is for thermo-9, at which the rule does not look" in warnings(
        override.format("thermo-9", "2030-01-01")
    )
    problem(engineer.post("/v1/alert-rules/check", {"source": "rule: hot"}), "invalid_rule")


def test_a_check_of_a_yaml_body_keeps_nothing(site: World, engineer: Caller) -> None:
    answer = engineer.request(
        "POST", "/v1/alert-rules/check", content=rule_text("hot").encode(),
        headers={"Content-Type": "text/yaml; charset=utf-8"},
    )  # fmt: skip
    assert answer.json()["name"] == "hot"
    assert site.registry.rules.newest() == []


def test_an_override_is_added_by_its_author_and_taken_away(site: World, engineer: Caller) -> None:
    put(engineer, "hot")
    made = engineer.post("/v1/alert-rules/hot/overrides", OVERRIDE)
    assert (made.status_code, made.headers["ETag"]) == (201, '"2"')
    [one] = made.json()["overrides"]
    assert (one["number"], one["device"], one["author"]) == (1, "thermo-1", "Amina")
    assert one["condition"]["en"].startswith("air temperature above 31 °C")
    assert one["expires"] == "2027-06-30T00:00:00Z"
    gone = engineer.request("DELETE", "/v1/alert-rules/hot/overrides/1?reason=moved")
    assert (gone.json()["overrides"], gone.json()["source"]) == ([], rule_text("hot"))
    problem(engineer.request("DELETE", "/v1/alert-rules/hot/overrides/1?reason=x"), "not_found")
    assert audited(site)[:2] == [
        "rule hot, version 3, override 1 for thermo-1 taken away (active): moved",
        "rule hot, version 2, override for thermo-1 added (active): by the oven",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"device": "nobody"}, "invalid_parameter"),
        ({"person": "p-17"}, "invalid_parameter"),
        ({"device": None}, "invalid_parameter"),
        ({"set": {"threshold": {"over": 3}}}, "invalid_rule"),
        ({"when": {}}, "invalid_parameter"),
        ({"expires": "soon"}, "invalid_rule"),
        ({"device": None, "person": "p-17"}, "invalid_rule"),
        ({"reason": ""}, "invalid_parameter"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(
    engineer: Caller, changes: dict[str, Any], code: str
) -> None:
    put(engineer, "hot")
    problem(engineer.post("/v1/alert-rules/hot/overrides", {**OVERRIDE, **changes}), code)


def test_an_override_that_is_nested_without_end_is_refused(engineer: Caller) -> None:
    put(engineer, "hot")
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"not": deep}
    order = {**OVERRIDE, "set": deep}
    problem(engineer.post("/v1/alert-rules/hot/overrides", order), "invalid_parameter")


def test_an_override_for_a_device_needs_the_right_at_its_site_only(
    site: World, engineer: Caller
) -> None:
    keep_rule(site, "hot", site=None)
    assert engineer.post("/v1/alert-rules/hot/overrides", OVERRIDE).status_code == 201
    other = {**OVERRIDE, "device": "thermo-2"}
    problem(engineer.post("/v1/alert-rules/hot/overrides", other), "invalid_parameter")
    pulse = {key: value for key, value in OVERRIDE.items() if key != "set"}
    pulse["when"] = {"threshold": {"quantity": "heart_rate", "above": 130}}
    problem(engineer.post("/v1/alert-rules/hot/overrides", pulse), "forbidden")
    assert site.registry.rules.get("hot").version == 2


def test_the_states_of_rules_are_those_of_the_registry(site: World, engineer: Caller) -> None:
    put(engineer, "a", state="disabled")
    put(engineer, "b")
    found = engineer.get("/v1/alert-rules", state=["disabled"]).json()["rules"]
    assert [one["name"] for one in found] == ["a"]
    newest = site.registry.rules.newest(states=[RuleState.ACTIVE])
    assert [one.name for one in newest] == ["b"]


BOMB = "a: &a [x]\n" + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [*a, *a]" for n in range(9))


@pytest.mark.parametrize(
    "body",
    [
        b"rule: !!python/object/apply:os.system [id]\n",
        BOMB.encode(),
        b"[" * 50_000,
        b"rule: " + b"{a: " * 20_000,
        b"rule: hot\x00\n",
        b"rule: \xff\xfe\n",
        b"rule: hot\nrule: hot\n",
        b"",
        b"%YAML 9.9\n---\n",
        b"rule: " + b"x" * 210_000,
        b"- - - -\n",
        b"? [a, b]\n: c\n",
    ],
)
@pytest.mark.parametrize("path", ["/v1/alert-rules/hot?reason=x", "/v1/alert-rules/check"])
def test_hostile_yaml_is_refused(site: World, engineer: Caller, body: bytes, path: str) -> None:
    answer = engineer.request(
        "POST" if path.endswith("check") else "PUT",
        path,
        content=body,
        headers={"Content-Type": "application/yaml"},
    )
    assert answer.status_code == 422, answer.text
    assert site.registry.rules.newest() == []


@pytest.mark.parametrize("reason", ["a\x00b", "\ud800"])
def test_a_reason_that_cannot_be_kept_is_refused(
    site: World, engineer: Caller, reason: str
) -> None:
    answer = engineer.request(
        "PUT",
        "/v1/alert-rules/hot",
        content=json.dumps({"source": rule_text("hot"), "reason": reason}),
        headers={"Content-Type": "application/json"},
    )
    problem(answer, "invalid_parameter")
    assert site.registry.rules.newest() == []
