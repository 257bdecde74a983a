"""What a rule would look at, and what is likely not meant so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alerts.rules.inventory import Placed, fits, inventory_of, subject_of
from alerts.rules.looks_at import about_health, quantities_of
from alerts.rules.model import Per, Rule
from api.alerting.rights import AlertRights
from api.schemas.alert_rules import RuleCheck, RuleMeaning
from api.services import Services
from core.reading import DeviceKey

_EXAMPLES = 20
_MOST_ASKED = 2000


def checked_rule(services: Services, rights: AlertRights, rule: Rule) -> RuleCheck:
    """Return what a rule would look at, as far as the caller may know."""
    now_ns = services.clock.now_ns()
    sites = rights.access.sites
    devices = [
        one
        for one in inventory_of(services.registry, at_ns=now_ns).devices
        if (sites is None or one.site in sites) and fits(rule.select, one)
    ]
    subjects = {subject_of(rule, one) for one in devices} - {None}
    return RuleCheck(
        name=rule.name,
        meaning=RuleMeaning.of(rule, health=about_health(rule)),
        devices=len(devices),
        examples=[one.device for one in devices[:_EXAMPLES]],
        subjects=len(subjects),
        warnings=[
            *_about_devices(services, rights, rule, devices, subjects=len(subjects)),
            *_about_overrides(rule, devices, now_ns=now_ns),
        ],
    )


def _about_devices(
    services: Services,
    rights: AlertRights,
    rule: Rule,
    devices: Sequence[Placed],
    *,
    subjects: int,
) -> Iterator[str]:
    if not devices:
        yield "no registered device fits select: the rule looks at nothing"
        return
    if not subjects:
        missing = {Per.PERSON: "is with a person now", Per.ZONE: "has a zone"}.get(
            rule.per, "has a building"
        )
        yield f"none of the devices {missing}: the rule has nothing to be about"
    keys = [DeviceKey(one.site, one.device) for one in devices[:_MOST_ASKED]]
    asked = sorted(
        name
        for name in quantities_of(rule.when)
        if all(rights.reads(one.site, name) for one in keys)
    )
    if not asked or len(devices) > _MOST_ASKED:
        return
    sent = {one.quantity for one in services.newest.of(keys, quantities=asked)}
    for name in asked:
        if name not in sent:
            yield f"none of the devices has sent {name} yet"


def _about_overrides(rule: Rule, devices: Sequence[Placed], *, now_ns: int) -> Iterator[str]:
    there = {one.device for one in devices}
    for number, one in enumerate(rule.overrides, start=1):
        if one.expires_ns <= now_ns:
            yield f"override {number} has expired: it does not count"
        elif one.device and one.device not in there:
            yield f"override {number} is for {one.device}, at which the rule does not look"
        elif one.device and rule.per is not Per.DEVICE:
            yield f"override {number} is for a device, but the rule is per {rule.per.value}"
