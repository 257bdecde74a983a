"""Rules and alerts for the tests of the API."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from core.access import Domain, Grant, Role
from core.clock import NS_PER_S
from core.reading import Reading
from devices.registry import AuditFilter
from devices.registry.alert_records import AlertRecord, AlertState, RuleVersion
from tests.unit.api.world import NOW_NS, Caller, World

MINUTE_NS = 60 * NS_PER_S
SITE, OTHER = "elgazala", "diamniadio"
WARM = "{threshold: {quantity: air_temperature, above: 28, margin: 1}}"
PULSE = "{threshold: {quantity: heart_rate, above: 130}}"


def rule_text(name: str, *more: str, when: str = WARM, site: str | None = SITE) -> str:
    """Return a rule as it is written."""
    lines = [f"rule: {name}", "title: {en: Too warm, fr: Trop chaud}", f"when: {when}", *more]
    if site is not None:
        lines.append(f"select: {{site: {site}}}")
    return "\n".join(lines) + "\n"


def keep_rule(world: World, name: str, *more: str, **how: Any) -> RuleVersion:
    """Keep a rule in the registry, past the API."""
    source = rule_text(name, *more, **how)
    return world.registry.rules.put(name, source, author="the tests", reason="needed")


def keep_alert(world: World, alert: str, **fields: Any) -> AlertRecord:
    """Keep an alert in the registry, past the lifecycle."""
    evidence: tuple[Reading, ...] = fields.pop("evidence", ())
    facts = fields.pop("facts", {})
    said: dict[str, Any] = {
        "id": alert,
        "rule": "hot",
        "version": 1,
        "title": '{"en": "Too warm", "fr": "Trop chaud"}',
        "severity": "warning",
        "alarm_class": "measured",
        "site": SITE,
        "device": "thermo-1",
        "state": AlertState.FIRING.value,
        "at_ns": NOW_NS - 5 * MINUTE_NS,
        "since_ns": NOW_NS - 10 * MINUTE_NS,
        "opened_ns": NOW_NS - 5 * MINUTE_NS,
        "value": 29.5,
        "unit": "Cel",
        "evidence": msgspec.json.encode(evidence).decode(),
        "facts": msgspec.json.encode(facts).decode(),
    }
    record = AlertRecord(**(said | fields))
    with world.registry.alerts.work() as work:
        work.put(record)
    return record


def caller(
    world: World, role: Role, site: str | None = SITE, *more: Grant, domain: Domain | None = None
) -> Caller:
    """Return somebody who holds a role at a site, and perhaps more."""
    secret, _ = world.registry.keys.create("Amina", grants=[Grant(role, site, domain), *more])
    made: Caller = world.caller(world.app, key=secret)
    return made


def problem(answer: httpx.Response, code: str) -> dict[str, Any]:
    """Return a problem of a kind."""
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"urn:passerelle:problem:{code}", found
    return found


def audited(world: World, event: str = "alert") -> list[str]:
    """Return what the audit says of an event, the newest first."""
    rows = world.registry.audit.list(AuditFilter(event=event), limit=1000)
    return [row.detail for row in rows]
