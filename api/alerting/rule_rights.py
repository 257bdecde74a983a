"""Which rules one caller may see and change, and how much of them.

A rule works at the sites that its `select.site` names; without it, at every one. Who may read
alerts at one of those sees what it says; who may at all of them sees its text too, which may name
devices of each. To change it they need to hold every site that it names, by name; one that works
everywhere needs every site. A rule about vital signs or persons needs health beside.
"""

from __future__ import annotations

from alerts.rules.inventory import is_name, matches
from alerts.rules.looks_at import about_health
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from api.access.errors import ForbiddenError
from api.alerting.rights import AlertRights
from api.parameters import UTC
from api.schemas.alert_rules import OverrideAnswer, RuleAnswer, RuleMeaning
from api.services import Services
from api.times import in_zone
from core.access import Permission
from core.errors import NotFoundError, RuleError
from devices.registry.alert_records import RuleState, RuleVersion


def sees_rule(services: Services, rights: AlertRights, rule: Rule | None) -> bool:
    """Tell whether a caller may see what a rule says; None: one that cannot be read."""
    sites = rights.access.sites
    if rule is None:
        return sites is None and rights.reads_health("")
    if sites is None:
        sites = frozenset(site.id for site in services.registry.sites.list())
        if not sites:
            return not about_health(rule) or rights.reads_health("")
    health = about_health(rule)
    return any(
        matches(rule.select.site, site) and (not health or rights.reads_health(site))
        for site in sites
    )


def sees_all(rights: AlertRights, rule: Rule | None) -> bool:
    """Tell whether a caller may see all of a rule's text: they may at every site it may name."""
    sites = rights.access.sites
    if rule is None:
        return sites is None and rights.reads_health("")
    named = rule.select.site
    health = about_health(rule)
    if named and all(map(is_name, named)):
        return all(
            (sites is None or site in sites) and (not health or rights.reads_health(site))
            for site in named
        )
    return sites is None and (not health or rights.reads_health(""))


def check_manages(rights: AlertRights, rule: Rule | None) -> None:
    """Refuse to have a rule changed by who does not hold what it works on.

    Raises:
        ForbiddenError: says what is missing.
    """
    if sees_all(rights, rule):
        return
    name = rights.access.permission.value
    if rule is not None and about_health(rule):
        raise ForbiddenError(
            f"this rule is about vital signs or persons: it needs the permission {name} at every "
            f"site that it works on, and {Permission.READ_HEALTH.value} in the domain health there"
        )
    raise ForbiddenError(
        f"this rule works on sites where you have not the permission {name}: name those where you "
        "have it in select.site, without *; a rule for every site needs every site"
    )


def rule_answer(
    services: Services, rights: AlertRights, version: RuleVersion, rule: Rule | None
) -> RuleAnswer:
    """Return what the API says of a version of a rule that the caller may see."""
    whole = sees_all(rights, rule)
    overrides = []
    if rule is not None:
        overrides = [
            OverrideAnswer.of(number, one)
            for number, one in enumerate(rule.overrides, start=1)
            if whole or (one.device and _sees_device(services, rights, one.device))
        ]
    meaning = None if rule is None else RuleMeaning.of(rule, health=about_health(rule))
    return RuleAnswer(
        name=version.name,
        version=version.version,
        state=RuleState(version.state),
        author=version.author,
        reason=version.reason if whole else "",
        created=in_zone(version.created_ns, UTC),
        meaning=meaning,
        problem=None if rule is not None else _problem(version),
        overrides=overrides,
        source=version.source if whole else None,
    )


def _sees_device(services: Services, rights: AlertRights, device: str) -> bool:
    try:
        site = services.registry.devices.recent(device).site
    except NotFoundError:
        return False
    return rights.access.sites is None or site in rights.access.sites


def _problem(version: RuleVersion) -> str:
    try:
        parse_rule(version.source, origin=version.name)
    except RuleError as error:
        return error.detail
    return ""
