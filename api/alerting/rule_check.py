"""What a rule would look at, and what is likely not meant so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from alerts.model import Subject
from alerts.rules.inventory import Placed, fits, inventory_of, subject_of
from alerts.rules.looks_at import about_health, quantities_of
from alerts.rules.model import Per, Rule
from alerts.rules.series import series_of
from api.alerting.rights import AlertRights
from api.schemas.alert_rules import RuleCheck, RuleMeaning
from api.services import Services
from core.reading import DeviceKey

_EXAMPLES = 20
_MOST_ASKED = 2000
_MISSING = {
    Per.PERSON: "is with a person now",
    Per.ZONE: "has a zone",
    Per.SERIES: "has sent a quantity that is selected yet",
}


def checked_rule(services: Services, rights: AlertRights, rule: Rule) -> RuleCheck:
    """Return what a rule would look at, as far as the caller may know."""
    now_ns = services.clock.now_ns()
    sites = rights.access.sites
    devices = [
        one
        for one in inventory_of(services.registry, at_ns=now_ns).devices
        if (sites is None or one.site in sites) and fits(rule.select, one)
    ]
    sent = _sent(services, rights, rule, devices)
    subjects = _subjects(rule, devices, sent)
    return RuleCheck(
        name=rule.name,
        meaning=RuleMeaning.of(rule, health=about_health(rule)),
        devices=len(devices),
        examples=[one.device for one in devices[:_EXAMPLES]],
        subjects=len(subjects),
        warnings=[
            *_about_devices(rule, devices, sent, subjects=len(subjects)),
            *_about_overrides(rule, devices, now_ns=now_ns),
        ],
    )


def _sent(
    services: Services, rights: AlertRights, rule: Rule, devices: Sequence[Placed]
) -> Mapping[str, Sequence[DeviceKey]]:
    """Return which devices sent a quantity that the rule looks at and the caller may read."""
    keys = [DeviceKey(one.site, one.device) for one in devices[:_MOST_ASKED]]
    sites = {one.site for one in keys}
    found: dict[str, list[DeviceKey]] = {
        name: []
        for name in sorted(quantities_of(rule.when) | series_of(rule))
        if all(rights.reads(site, name) for site in sites)
    }
    if found and keys:
        for one in services.newest.of(keys, quantities=list(found)):
            found[one.quantity].append(DeviceKey(one.site, one.device))
    return found


def _subjects(
    rule: Rule, devices: Sequence[Placed], sent: Mapping[str, Sequence[DeviceKey]]
) -> frozenset[Subject]:
    """Return what alerts could be about; of series those that are there: nobody knows of others."""
    if rule.per is not Per.SERIES:
        return frozenset(found for one in devices if (found := subject_of(rule, one)) is not None)
    return frozenset(
        Subject(key.site, device=key.device, quantity=name)
        for name, keys in sent.items()
        for key in keys
    )


def _about_devices(
    rule: Rule,
    devices: Sequence[Placed],
    sent: Mapping[str, Sequence[DeviceKey]],
    *,
    subjects: int,
) -> Iterator[str]:
    if not devices:
        yield "no registered device fits select: the rule looks at nothing"
        return
    if not subjects:
        missing = _MISSING.get(rule.per, "has a building")
        yield f"none of the devices {missing}: the rule has nothing to be about"
    if len(devices) > _MOST_ASKED:
        return
    named = quantities_of(rule.when).union(rule.select.quantity)
    for name, keys in sent.items():
        if name in named and not keys:
            yield f"none of the devices has sent {name} yet"


def _about_overrides(rule: Rule, devices: Sequence[Placed], *, now_ns: int) -> Iterator[str]:
    there = {one.device for one in devices}
    for number, one in enumerate(rule.overrides, start=1):
        if one.expires_ns <= now_ns:
            yield f"override {number} has expired: it does not count"
        elif one.device and one.device not in there:
            yield f"override {number} is for {one.device}, at which the rule does not look"
        elif one.device and rule.per not in (Per.SERIES, Per.DEVICE):
            yield f"override {number} is for a device, but the rule is per {rule.per.value}"
