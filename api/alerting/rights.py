"""Which alerts, rules and silences one caller may see, and what of them.

An alert is seen by who has the right at its site. Whether a rule looks at vital signs or is about
persons decides whether health is needed beside: without it such an alert does not exist for the
caller. What was measured in another domain that they may not read is withheld. Alerts of the
platform itself (site "") are for who has the right at every site.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from alerts.rules.looks_at import quantities_of_rule
from api.access.store import note_readings
from api.access.visibility import Access
from api.alerting.rule_book import RuleBook
from core.access import HEALTH_QUANTITIES, Domain, Permission, domain_of
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from devices.registry.alert_records import AlertRecord
from devices.registry.alerts import unknown_alert


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, as its caller may see it.

    Attributes:
        record: as it is kept.
        value: that decided, or None; also where it is withheld.
        facts: beside it; empty where they are withheld.
        evidence: the readings that decided and that the caller may read, oldest first.
        withheld: True when the caller may not read what was measured.
        health: True when it is about vital signs or a person.
    """

    record: AlertRecord
    value: float | None
    facts: dict[str, Any]
    evidence: tuple[Reading, ...]
    withheld: bool
    health: bool


class AlertRights:
    """What a caller may see of alerts.

    Args:
        access: the caller, at a route.
        rules: tells what rules look at.
    """

    def __init__(self, access: Access, rules: RuleBook) -> None:
        self.access = access
        self.rules = rules

    def reads_health(self, site: str) -> bool:
        """Tell whether they may read vital signs at a site; "": at every one."""
        who = self.access.principal
        if not site:
            return who.sites(Permission.READ_HEALTH, Domain.HEALTH) is None
        return who.may(Permission.READ_HEALTH, site, Domain.HEALTH)

    def about_health(self, alert: AlertRecord) -> bool:
        """Tell whether an alert is about vital signs or a person."""
        return (
            bool(alert.person)
            or alert.quantity in HEALTH_QUANTITIES
            or self.rules.about_health(alert.rule, alert.version)
        )

    def lists(self, alert: AlertRecord) -> bool:
        """Tell whether an alert stands in a list that the caller is given."""
        sites = self.access.sites
        if sites is not None and alert.site not in sites:
            return False
        return self.reads_health(alert.site) or not self.about_health(alert)

    def require(self, alert: AlertRecord) -> AlertRecord:
        """Return an alert that the route may answer with.

        Raises:
            NotFoundError: the caller may not know of it; the audit is told.
            ForbiddenError: they know its site, and have not the right there.
        """
        access = self.access
        if not alert.site:
            if access.sites is None:
                return alert
        elif access.admits(alert.site):
            if self.reads_health(alert.site) or not self.about_health(alert):
                return alert
            access.trail.hidden = f"alert {alert.id}, about health at site {alert.site}"
        raise unknown_alert(alert.id)

    def shown(self, alert: AlertRecord) -> Shown:
        """Return what may be shown of an alert that the caller may see; vital signs are noted."""
        evidence = evidence_of(alert)
        health = self.about_health(alert)
        rule = self.rules.rule(alert.rule, alert.version)
        measured = {one.quantity for one in evidence} | ({alert.quantity} - {""})
        if rule is not None:
            measured |= quantities_of_rule(rule)
        withheld = not all(self.reads(alert.site, name) for name in measured)
        mine = tuple(one for one in evidence if self.reads(one.site, one.quantity))
        if health:
            self._note(alert, mine, measured)
        facts: dict[str, Any] = msgspec.json.decode(alert.facts)
        return Shown(
            record=alert,
            value=None if withheld else alert.value,
            facts={} if withheld else facts,
            evidence=mine,
            withheld=withheld,
            health=health,
        )

    def reads(self, site: str, quantity: str) -> bool:
        """Tell whether they may read values of a quantity at a site; "": at every one."""
        if quantity not in CATALOGUE:
            return True  # what the ledger counts
        who = self.access.principal
        if not site:
            return who.sites(Permission.READ_READINGS, domain_of(quantity)) is None
        return who.may(Permission.READ_READINGS, site, domain_of(quantity))

    def _note(
        self, alert: AlertRecord, evidence: Sequence[Reading], measured: Iterable[str]
    ) -> None:
        """Note in the audit which vital signs an alert tells of."""
        access = self.access
        note_readings(access, evidence)
        if not any(one.quantity in HEALTH_QUANTITIES for one in evidence):
            device = DeviceKey(alert.site, alert.device or alert.person or alert.zone)
            for name in sorted(HEALTH_QUANTITIES.intersection(measured)):
                access.trail.value(device, name)


def evidence_of(alert: AlertRecord) -> tuple[Reading, ...]:
    """Return the readings that decided, oldest first."""
    return msgspec.json.decode(alert.evidence, type=tuple[Reading, ...])
