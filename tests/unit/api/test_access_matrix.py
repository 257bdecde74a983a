"""Every route, as every role, at every site, in every domain: as `docs/access.md` says.

The table is read from the document. A route without a row in it, or without a request here, fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.lifecycle import people
from core.access import EVERYTHING, Domain, Grant, Role
from core.clock import NS_PER_S, hour_of
from core.errors import NotFoundError
from core.reading import Point
from devices.registry import DeadLetter, DeadLetterState, Device, LedgerRow, LetterAction
from devices.registry.alert_records import AlertRecord, AlertState
from tests.unit.api.world import NOW_NS, PROFILE, Caller, World

DOCUMENT = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
SITE, OTHER = "elgazala", "diamniadio"
SITES = (SITE, OTHER)
DOMAINS = (Domain.ENVIRONMENT, Domain.HEALTH)
QUANTITY = {Domain.ENVIRONMENT: "air_temperature", Domain.HEALTH: "heart_rate"}
BESIDE = {Domain.ENVIRONMENT: "relative_humidity", Domain.HEALTH: "oxygen_saturation"}
CATEGORY = {Domain.ENVIRONMENT: "environment", Domain.HEALTH: "vital_signs"}


def documented() -> dict[tuple[str, str], dict[Role, str]]:
    """Return what the document says of each route: role -> what a grant has to be."""
    header, found = "", {}
    for line in DOCUMENT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| route |"):
            header = line
            roles = [Role(name) for name in cells[2:]]
        elif header and line.startswith("| `"):
            method, path = cells[0].strip("`").split(" ")
            found[method, path] = dict(zip(roles, cells[2:], strict=True))
    return found


MATRIX = documented()


class Ask(msgspec.Struct, frozen=True):
    """A request about one site and one domain.

    Attributes:
        path: with its query.
        body: JSON, or None.
    """

    path: str
    body: dict[str, Any] | None = None


class Stage:
    """Something at each site, of each kind that a route shows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.admin = world.caller(world.app, key=world.key)
        self.number = itertools.count()
        registry = world.registry
        for site in SITES:
            for domain in DOMAINS:
                device = self.device(site, domain)
                registry.devices.add(
                    Device(id=device, site=site, profile=PROFILE, external_id=device)
                )
                values = {QUANTITY[domain]: 20.0 if domain is Domain.ENVIRONMENT else 70.0}
                point = Point(site, device, CATEGORY[domain], NOW_NS - 60 * NS_PER_S, values)
                world.store.write([point])
            registry.ledger.publish(
                [
                    LedgerRow(
                        site=site,
                        device=self.device(site, Domain.ENVIRONMENT),
                        hour=hour_of(NOW_NS),
                        worker="w",
                        received=1,
                        stored=1,
                        duplicate=0,
                        dead_lettered=0,
                        pending=0,
                    )
                ]
            )

    @staticmethod
    def device(site: str, domain: Domain) -> str:
        return f"{site[:3]}-{domain.value}"

    def letter(self, site: str) -> str:
        """Return an open dead letter of a site, a new one each time."""
        letter = f"{site[:3]}{next(self.number):06d}"
        self.world.registry.dead_letters.publish(
            [
                DeadLetter(
                    id=letter,
                    worker="w",
                    scope="message",
                    reason="malformed",
                    detail="no JSON",
                    site=site,
                    device=self.device(site, Domain.ENVIRONMENT),
                    profile=PROFILE,
                    topic=f"passerelle/v1/{site}/x/telemetry",
                    payload=b"{",
                    properties={},
                    received_ns=NOW_NS,
                    state=DeadLetterState.OPEN,
                )
            ]
        )
        return letter

    def request(self, site: str, action: LetterAction) -> int:
        """Return an order about dead letters of a site, a new one each time."""
        made = self.world.registry.dead_letters.request(
            action, requested_by="tests", letters=[self.letter(site)]
        )
        return made[0].id

    def removable(self, site: str) -> str:
        """Return a device of a site, a new one each time."""
        device = f"spare-{next(self.number)}"
        self.world.registry.devices.add(
            Device(id=device, site=site, profile=PROFILE, external_id=device)
        )
        return device

    def assignment(self, site: str) -> int:
        """Return an assignment of a device of a site, a new one each time."""
        made = self.world.registry.assignments.assign(
            self.removable(site), "p-1", start_ns=NOW_NS - NS_PER_S, by="tests"
        )
        return made.id

    def rule(self, site: str, domain: Domain) -> str:
        """Return a rule of a site about a domain, one for all."""
        name = f"{site[:3]}-{domain.value}-rule"
        try:
            self.world.registry.rules.get(name)
        except NotFoundError:
            source = rule_text(name, site, domain)
            self.world.registry.rules.put(name, source, author="tests", reason="a test")
        return name

    def new_rule(self, site: str, domain: Domain) -> str:
        """Return a rule of a site about a domain that has an override, a new one each time."""
        name = f"{site[:3]}-rule-{next(self.number)}"
        source = rule_text(name, site, domain) + OVERRIDE.format(device=self.device(site, domain))
        self.world.registry.rules.put(name, source, author="tests", reason="a test")
        return name

    def alert(self, site: str, domain: Domain, state: AlertState = AlertState.FIRING) -> str:
        """Return an alert of a site about a domain, a new one each time."""
        taken = state is AlertState.ACKNOWLEDGED
        record = AlertRecord(
            id=f"{site[:3]}{next(self.number):08d}",
            rule=self.rule(site, domain),
            version=1,
            title='{"en": "A title", "fr": "Un titre"}',
            severity="warning",
            alarm_class="measured",
            site=site,
            device=self.device(site, domain),
            state=state,
            at_ns=NOW_NS,
            since_ns=NOW_NS,
            opened_ns=NOW_NS,
            acknowledged_ns=NOW_NS if taken else None,
            acknowledged_by="tests" if taken else "",
        )
        with self.world.registry.alerts.work() as work:
            work.put(record)
        return record.id

    def silence(self, site: str, domain: Domain) -> str:
        """Return a silence at a site about a domain, a new one each time."""
        match = {"site": [site], "rule": [self.rule(site, domain)]}
        made = people.silence(
            self.world.registry,
            match,
            by="tests",
            reason="a test",
            until_ns=NOW_NS + 3600 * NS_PER_S,
            now_ns=NOW_NS,
        )
        return made.id

    def exported(self, kind: str, site: str, domain: Domain) -> str:
        """Return an export job or a snapshot of a site, one for all."""
        order = {"devices": [self.device(site, domain)], "quantities": [QUANTITY[domain]]}
        body: dict[str, Any] = order | {"from": "-1h", "to": "now"}
        if kind == "snapshots":
            body |= {"title": "a study"}
        answer = self.admin.post(f"/v1/{kind}", body)
        assert answer.status_code < 300, answer.text
        return str(answer.json()["id"])


OVERRIDE = """\
overrides:
- device: {device}
  set: {{threshold: {{above: 140}}}}
  author: tests
  reason: a test
  expires: 2030-01-01
"""
NEW_OVERRIDE = {"set": {"threshold": {"above": 150}}, "reason": "a test", "expires": "2030-01-01"}


def rule_text(name: str, site: str, domain: Domain) -> str:
    """Return a rule about a domain at a site."""
    when = f"{{threshold: {{quantity: {QUANTITY[domain]}, above: 130}}}}"
    return f"rule: {name}\ntitle: {{en: A, fr: B}}\nselect: {{site: {site}}}\nwhen: {when}\n"


def _rule_order(stage: Stage, site: str, domain: Domain) -> Ask:
    name = f"{site[:3]}-put-{next(stage.number)}"
    order = {"source": rule_text(name, site, domain), "reason": "a test"}
    return Ask(f"/v1/alert-rules/{name}", order)


def _silence(stage: Stage, site: str, domain: Domain) -> dict[str, Any]:
    match = {"site": [site], "rule": [stage.rule(site, domain)]}
    return {"match": match, "reason": "a test", "end": "now+1h"}


def _values(stage: Stage, site: str, domain: Domain) -> str:
    return f"devices={stage.device(site, domain)}&quantities={QUANTITY[domain]}"


def _order(stage: Stage, site: str, domain: Domain) -> dict[str, Any]:
    return {"devices": [stage.device(site, domain)], "quantities": [QUANTITY[domain]]}


def _device(stage: Stage, site: str) -> dict[str, Any]:
    name = f"new-{next(stage.number)}"
    return {"id": name, "site": site, "profile": PROFILE, "external_id": name}


def _user(stage: Stage) -> str:
    name = f"user-{next(stage.number)}"
    stage.world.registry.users.create(name, name=name)
    return name


def _key(stage: Stage) -> str:
    _, key = stage.world.registry.keys.create("spare", grants=[Grant(Role.VIEWER, SITE)])
    return key.id


ASKS: Mapping[tuple[str, str], Callable[[Stage, str, Domain], Ask]] = {
    ("GET", "/v1/sites"): lambda _, __, ___: Ask("/v1/sites"),
    ("GET", "/v1/sites/{id}"): lambda _, site, __: Ask(f"/v1/sites/{site}"),
    ("GET", "/v1/quantities"): lambda _, __, ___: Ask("/v1/quantities"),
    ("GET", "/v1/me"): lambda _, __, ___: Ask("/v1/me"),
    ("GET", "/v1/devices"): lambda _, site, __: Ask(f"/v1/devices?site={site}"),
    ("POST", "/v1/devices"): lambda stage, site, _: Ask("/v1/devices", _device(stage, site)),
    ("GET", "/v1/devices/{id}"): lambda stage, site, domain: Ask(
        f"/v1/devices/{stage.device(site, domain)}"
    ),
    ("PATCH", "/v1/devices/{id}"): lambda stage, site, domain: Ask(
        f"/v1/devices/{stage.device(site, domain)}", {"name": "a name"}
    ),
    ("DELETE", "/v1/devices/{id}"): lambda stage, site, _: Ask(
        f"/v1/devices/{stage.removable(site)}"
    ),
    ("GET", "/v1/devices/{id}/latest"): lambda stage, site, domain: Ask(
        f"/v1/devices/{stage.device(site, domain)}/latest"
    ),
    ("GET", "/v1/assignments"): lambda _, site, __: Ask(f"/v1/assignments?site={site}"),
    ("POST", "/v1/assignments"): lambda stage, site, _: Ask(
        "/v1/assignments", {"device": stage.removable(site), "person": "p-1"}
    ),
    ("POST", "/v1/assignments/{id}/end"): lambda stage, site, _: Ask(
        f"/v1/assignments/{stage.assignment(site)}/end", {}
    ),
    ("GET", "/v1/latest"): lambda stage, site, domain: Ask(
        f"/v1/latest?{_values(stage, site, domain)}"
    ),
    ("GET", "/v1/readings"): lambda stage, site, domain: Ask(
        f"/v1/readings?{_values(stage, site, domain)}"
    ),
    ("GET", "/v1/readings/joined"): lambda stage, site, domain: Ask(
        f"/v1/readings/joined?devices={stage.device(site, domain)}"
        f"&left={QUANTITY[domain]}&right={BESIDE[domain]}"
    ),
    ("GET", "/v1/live"): lambda _, site, domain: Ask(
        f"/v1/live?site={site}&quantities={QUANTITY[domain]}&seconds=0"
    ),
    ("GET", "/v1/exports"): lambda stage, site, domain: Ask(
        f"/v1/exports?{_values(stage, site, domain)}&format=csv"
    ),
    ("POST", "/v1/exports/jobs"): lambda stage, site, domain: Ask(
        "/v1/exports/jobs", _order(stage, site, domain)
    ),
    ("GET", "/v1/exports/jobs"): lambda _, __, ___: Ask("/v1/exports/jobs"),
    ("GET", "/v1/exports/jobs/{id}"): lambda stage, site, domain: Ask(
        f"/v1/exports/jobs/{stage.exported('exports/jobs', site, domain)}"
    ),
    ("GET", "/v1/exports/jobs/{id}/file"): lambda stage, site, domain: Ask(
        f"/v1/exports/jobs/{stage.exported('exports/jobs', site, domain)}/file"
    ),
    ("DELETE", "/v1/exports/jobs/{id}"): lambda stage, site, domain: Ask(
        f"/v1/exports/jobs/{stage.exported('exports/jobs', site, domain)}"
    ),
    ("POST", "/v1/snapshots"): lambda stage, site, domain: Ask(
        "/v1/snapshots", _order(stage, site, domain) | {"title": "a study"}
    ),
    ("GET", "/v1/snapshots"): lambda _, __, ___: Ask("/v1/snapshots"),
    ("GET", "/v1/snapshots/{id}"): lambda stage, site, domain: Ask(
        f"/v1/snapshots/{stage.exported('snapshots', site, domain)}"
    ),
    ("GET", "/v1/snapshots/{id}/data"): lambda stage, site, domain: Ask(
        f"/v1/snapshots/{stage.exported('snapshots', site, domain)}/data"
    ),
    ("GET", "/v1/snapshots/{id}/verify"): lambda stage, site, domain: Ask(
        f"/v1/snapshots/{stage.exported('snapshots', site, domain)}/verify"
    ),
    ("GET", "/v1/completeness"): lambda _, site, __: Ask(f"/v1/completeness?site={site}"),
    ("GET", "/v1/completeness/values"): lambda _, site, __: Ask(
        f"/v1/completeness/values?site={site}"
    ),
    ("GET", "/v1/dead-letters"): lambda _, site, __: Ask(f"/v1/dead-letters?site={site}"),
    ("GET", "/v1/dead-letters/summary"): lambda _, __, ___: Ask("/v1/dead-letters/summary"),
    ("GET", "/v1/dead-letters/{id}"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/{stage.letter(site)}"
    ),
    ("POST", "/v1/dead-letters/{id}/replay"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/{stage.letter(site)}/replay", {}
    ),
    ("POST", "/v1/dead-letters/replay"): lambda stage, site, _: Ask(
        "/v1/dead-letters/replay", {"ids": [stage.letter(site)]}
    ),
    ("POST", "/v1/dead-letters/replays"): lambda stage, site, _: Ask(
        "/v1/dead-letters/replays", {"ids": [stage.letter(site)]}
    ),
    ("POST", "/v1/dead-letters/discards"): lambda stage, site, _: Ask(
        "/v1/dead-letters/discards", {"ids": [stage.letter(site)], "why": "a test"}
    ),
    ("GET", "/v1/dead-letters/replays/{id}"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/replays/{stage.request(site, LetterAction.REPLAY)}"
    ),
    ("POST", "/v1/dead-letters/replays/{id}/pause"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/replays/{stage.request(site, LetterAction.REPLAY)}/pause", {}
    ),
    ("POST", "/v1/dead-letters/replays/{id}/resume"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/replays/{stage.request(site, LetterAction.REPLAY)}/resume", {}
    ),
    ("GET", "/v1/dead-letters/discards/{id}"): lambda stage, site, _: Ask(
        f"/v1/dead-letters/discards/{stage.request(site, LetterAction.DISCARD)}"
    ),
    ("GET", "/v1/replays/{id}"): lambda stage, site, _: Ask(
        f"/v1/replays/{stage.request(site, LetterAction.REPLAY)}"
    ),
    ("GET", "/v1/alerts"): lambda _, __, ___: Ask("/v1/alerts"),
    ("GET", "/v1/alerts/late"): lambda _, __, ___: Ask("/v1/alerts/late"),
    ("GET", "/v1/alerts/statistics"): lambda _, __, ___: Ask("/v1/alerts/statistics"),
    ("GET", "/v1/alerts/{id}"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}"
    ),
    ("GET", "/v1/alerts/{id}/history"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}/history"
    ),
    ("GET", "/v1/alerts/{id}/notices"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}/notices"
    ),
    ("GET", "/v1/alerts/{id}/explain"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}/explain"
    ),
    ("POST", "/v1/alerts/{id}/acknowledge"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}/acknowledge", {"note": "a test"}
    ),
    ("POST", "/v1/alerts/{id}/unacknowledge"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain, AlertState.ACKNOWLEDGED)}/unacknowledge", {}
    ),
    ("POST", "/v1/alerts/{id}/silence"): lambda stage, site, domain: Ask(
        f"/v1/alerts/{stage.alert(site, domain)}/silence", {"for": "1h", "reason": "a test"}
    ),
    ("GET", "/v1/silences"): lambda _, __, ___: Ask("/v1/silences"),
    ("POST", "/v1/silences"): lambda stage, site, domain: Ask(
        "/v1/silences", _silence(stage, site, domain)
    ),
    ("GET", "/v1/silences/{id}"): lambda stage, site, domain: Ask(
        f"/v1/silences/{stage.silence(site, domain)}"
    ),
    ("POST", "/v1/silences/{id}/end"): lambda stage, site, domain: Ask(
        f"/v1/silences/{stage.silence(site, domain)}/end", {}
    ),
    ("GET", "/v1/alert-rules"): lambda _, __, ___: Ask("/v1/alert-rules"),
    ("POST", "/v1/alert-rules/check"): lambda _, site, domain: Ask(
        "/v1/alert-rules/check", {"source": rule_text("a-rule", site, domain)}
    ),
    ("GET", "/v1/alert-rules/{name}"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.rule(site, domain)}"
    ),
    ("PUT", "/v1/alert-rules/{name}"): _rule_order,
    ("DELETE", "/v1/alert-rules/{name}"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.new_rule(site, domain)}?reason=a+test"
    ),
    ("GET", "/v1/alert-rules/{name}/versions"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.rule(site, domain)}/versions"
    ),
    ("POST", "/v1/alert-rules/{name}/enable"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.new_rule(site, domain)}/enable", {"reason": "a test"}
    ),
    ("POST", "/v1/alert-rules/{name}/disable"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.new_rule(site, domain)}/disable", {"reason": "a test"}
    ),
    ("POST", "/v1/alert-rules/{name}/overrides"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.new_rule(site, domain)}/overrides",
        {"device": stage.device(site, domain), **NEW_OVERRIDE},
    ),
    ("DELETE", "/v1/alert-rules/{name}/overrides/{number}"): lambda stage, site, domain: Ask(
        f"/v1/alert-rules/{stage.new_rule(site, domain)}/overrides/1?reason=a+test"
    ),
    ("GET", "/v1/alert-channels"): lambda _, __, ___: Ask("/v1/alert-channels"),
    ("POST", "/v1/alert-channels/{name}/test"): lambda _, __, ___: Ask(
        "/v1/alert-channels/mqtt/test", {}
    ),
    ("GET", "/metrics"): lambda _, __, ___: Ask("/metrics"),
    ("GET", "/v1/users"): lambda _, __, ___: Ask("/v1/users"),
    ("POST", "/v1/users"): lambda stage, _, __: Ask(
        "/v1/users", {"id": f"made-{next(stage.number)}"}
    ),
    ("GET", "/v1/users/{id}"): lambda stage, _, __: Ask(f"/v1/users/{_user(stage)}"),
    ("PATCH", "/v1/users/{id}"): lambda stage, _, __: Ask(
        f"/v1/users/{_user(stage)}", {"name": "another"}
    ),
    ("GET", "/v1/keys"): lambda _, __, ___: Ask("/v1/keys"),
    ("POST", "/v1/keys"): lambda _, site, __: Ask(
        "/v1/keys", {"name": "made", "grants": [{"role": "viewer", "site": site}]}
    ),
    ("GET", "/v1/keys/{id}"): lambda stage, _, __: Ask(f"/v1/keys/{_key(stage)}"),
    ("POST", "/v1/keys/{id}/rotate"): lambda stage, _, __: Ask(
        f"/v1/keys/{_key(stage)}/rotate", {}
    ),
    ("DELETE", "/v1/keys/{id}"): lambda stage, _, __: Ask(f"/v1/keys/{_key(stage)}"),
    ("GET", "/v1/audit"): lambda _, __, ___: Ask("/v1/audit"),
}
"""A request of each route about a site and a domain, where the route is about one."""
WHOLE = {"/v1/live": "?seconds=0"}
"""What makes an answer end."""
REFUSED = {403, 404, 422}
WITHOUT_SITE = {
    ("GET", "/v1/sites"),
    ("GET", "/v1/exports/jobs"),
    ("GET", "/v1/snapshots"),
    ("GET", "/v1/dead-letters/summary"),
    ("GET", "/v1/alerts"),
    ("GET", "/v1/alerts/late"),
    ("GET", "/v1/alerts/statistics"),
    ("GET", "/v1/silences"),
    ("GET", "/v1/alert-rules"),
    ("POST", "/v1/alert-rules/check"),
}
"""Lists that hold what the caller may know of: they answer whoever has the right anywhere."""


def expected(cell: str, grant: Grant, domain: Domain, route: tuple[str, str]) -> bool:
    """Tell whether a grant of a role should get an answer about `SITE`, by its cell."""
    here = grant.site in (None, SITE) or route in WITHOUT_SITE
    covered = (
        domain is not Domain.HEALTH if grant.domain is None else grant.domain is domain
    ) or route in WITHOUT_SITE
    healthy = domain is not Domain.HEALTH or grant.domain is domain or route in WITHOUT_SITE
    return {
        "yes": True,
        "site": here,
        "domain": here and covered,
        "health": here and grant.domain is Domain.HEALTH,
        "whole site": here and grant.domain is None,
        "whole site, health": False,  # no grant is both; see the test of two grants
        "site/health": here and healthy,
        "whole site/health": here and grant.domain is None and healthy,
        "platform": grant.site is None and grant.domain is None,
        "no": False,
    }[cell]


@pytest.fixture
def stage(world: World) -> Stage:
    return Stage(world)


pytestmark = pytest.mark.usefixtures("unlimited")


def test_every_route_is_in_the_document_and_is_asked_here(world: World) -> None:
    declared = {
        (method.upper(), path)
        for path, methods in world.app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "x-permission" in operation
    }
    open_to_all = {
        (method.upper(), path)
        for path, methods in world.app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "x-permission" not in operation
    }
    assert declared == set(MATRIX)
    assert declared == set(ASKS)
    assert open_to_all == {("GET", "/health/live"), ("GET", "/health/ready")}


def test_a_route_answers_whom_the_document_names(stage: Stage, subtests: pytest.Subtests) -> None:
    world = stage.world
    grants = [
        Grant(role, site, limit)
        for role, site, limit in itertools.product(Role, (SITE, OTHER, None), (None, *DOMAINS))
    ]
    callers = {
        grant: world.caller(world.app, key=world.registry.keys.create("a", grants=[grant])[0])
        for grant in grants
    }
    for route in sorted(MATRIX):
        with subtests.test(" ".join(route)):
            for grant, domain in itertools.product(grants, DOMAINS):
                check(stage, route, callers[grant], grant, domain)


def check(
    stage: Stage, route: tuple[str, str], caller: Caller, grant: Grant, domain: Domain
) -> None:
    method, path = route
    ask = ASKS[route](stage, SITE, domain)
    answer = caller.request(method, ask.path, json=ask.body)
    wanted = expected(MATRIX[route][grant.role], grant, domain, route)
    if path == "/v1/devices/{id}/latest" and grant.site in (None, SITE):
        wanted = True  # "every quantity" leaves out what may not be read
    where = (route, grant, domain.value, answer.status_code, answer.text[:300])
    if wanted:
        assert answer.status_code not in REFUSED | {401}, where
        assert answer.status_code < 500, where
    else:
        assert answer.status_code in REFUSED, where


def test_without_a_good_key_no_route_answers(stage: Stage) -> None:
    for method, path in sorted(MATRIX):
        for key in (None, "psl_0123456789ab_" + "0" * 64):
            caller = stage.world.caller(stage.world.app, key=key)
            assert caller.request(method, path.replace("{id}", "x")).status_code == 401, path


def test_nothing_of_another_site_is_in_any_answer(stage: Stage) -> None:
    world = stage.world
    secret, _ = world.registry.keys.create("a caller", grants=[Grant(Role.ENGINEER, SITE)])
    caller = world.caller(world.app, key=secret)
    stage.letter(OTHER)
    stage.exported("exports/jobs", OTHER, Domain.ENVIRONMENT)
    for method, path in MATRIX:
        if method == "GET" and "{" not in path:
            body = caller.request("GET", path + WHOLE.get(path, "")).text
            assert OTHER not in body, path
            assert OTHER[:3] + "-" not in body, path
    for path in ("/v1/readings", "/v1/latest", "/v1/exports"):
        assert OTHER not in caller.request("GET", f"{path}?quantities=air_temperature").text


def test_health_is_left_out_of_every_quantity(stage: Stage) -> None:
    world = stage.world
    everywhere, _ = world.registry.keys.create("a", grants=[Grant(Role.RESEARCHER)])
    named, _ = world.registry.keys.create("b", grants=EVERYTHING)
    for path in (
        "/v1/latest",
        f"/v1/readings?site={SITE}",
        f"/v1/exports?site={SITE}&format=csv",
    ):
        assert "heart_rate" not in world.caller(world.app, key=everywhere).get(path).text, path
        assert "heart_rate" in world.caller(world.app, key=named).get(path).text, path


def test_a_payload_is_shown_to_whom_the_site_and_its_health_are_granted(stage: Stage) -> None:
    world = stage.world
    grants = [Grant(Role.ENGINEER, SITE), Grant(Role.VIEWER, SITE, Domain.HEALTH)]
    secret, _ = world.registry.keys.create("a caller", grants=grants)
    caller = world.caller(world.app, key=secret)
    assert caller.get(f"/v1/dead-letters/{stage.letter(SITE)}").status_code == 200
    assert caller.get(f"/v1/dead-letters/{stage.letter(OTHER)}").status_code == 404


def test_who_wears_a_device_is_said_by_whom_the_site_and_its_health_are_granted(
    stage: Stage,
) -> None:
    world = stage.world
    grants = [Grant(Role.ENGINEER, SITE), Grant(Role.VIEWER, SITE, Domain.HEALTH)]
    secret, _ = world.registry.keys.create("a caller", grants=grants)
    caller = world.caller(world.app, key=secret)
    for site, made, ended in ((SITE, 201, 200), (OTHER, 404, 404)):
        wanted = {"device": stage.removable(site), "person": "p-1"}
        assert caller.post("/v1/assignments", wanted).status_code == made
        end = f"/v1/assignments/{stage.assignment(site)}/end"
        assert caller.post(end, {}).status_code == ended
    assert OTHER not in caller.get("/v1/assignments").text
