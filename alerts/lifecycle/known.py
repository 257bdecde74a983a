"""What the lifecycle knows beside alerts: rules, where devices are, through what they speak."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from alerts.lifecycle.names import Names
from alerts.lifecycle.platform_rules import PLATFORM
from alerts.model import AlarmClass, Severity
from alerts.policy.model import Fields
from alerts.rules.conditions import holds_kind
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.model import Absence, Retroactive, Rule
from devices.registry.alert_records import AlertRecord
from devices.registry.alert_work import Standing

GATEWAY = "gateway"
"""Label of a device: slug of the device through which it speaks."""


class Described:
    """What is said of a rule with each of its alerts.

    Args:
        title: language code -> text.
        severity: how bad it is.
        alarm_class: what kind of alarm it is.
        runbook: what to do.
        listed: what is over when it is found is only listed.
    """

    __slots__ = ("alarm_class", "listed", "runbook", "severity", "title")

    def __init__(
        self,
        *,
        title: Mapping[str, str],
        severity: Severity,
        alarm_class: AlarmClass,
        runbook: str = "",
        listed: bool = False,
    ) -> None:
        self.title = title
        self.severity = severity
        self.alarm_class = alarm_class
        self.runbook = runbook
        self.listed = listed


class Known:
    """Rules, devices and names as they are now.

    Args:
        rules: by name.
        inventory: the devices.
        names: for people.
    """

    def __init__(
        self,
        *,
        rules: Mapping[str, Rule] | None = None,
        inventory: Inventory | None = None,
        names: Names | None = None,
    ) -> None:
        self.rules = dict(rules or {})
        self.names = names or Names()
        devices = () if inventory is None else inventory.devices
        self._devices: dict[tuple[str, str], Placed] = {
            (one.site, one.device): one for one in devices
        }
        self._described: dict[str, Described] = {}

    def described(self, rule: str) -> Described:
        """Return what is said of a rule; one that is not known is a warning by its name."""
        found = self._described.get(rule)
        if found is None:
            found = self._described[rule] = self._describe(rule)
        return found

    def _describe(self, name: str) -> Described:
        if name in PLATFORM:
            title, severity = PLATFORM[name]
            return Described(title=title, severity=severity, alarm_class=AlarmClass.TECHNICAL)
        rule = self.rules.get(name)
        if rule is None:
            return Described(
                title={"en": name, "fr": name},
                severity=Severity.WARNING,
                alarm_class=AlarmClass.MEASURED,
            )
        return Described(
            title=rule.title,
            severity=rule.severity,
            alarm_class=rule.alarm_class,
            runbook=rule.runbook,
            listed=rule.retroactive is Retroactive.LIST,
        )

    @cached_property
    def _absences(self) -> frozenset[str]:
        return frozenset(
            name for name, rule in self.rules.items() if holds_kind(rule.when, Absence)
        )

    def is_silence(self, alert: Standing) -> bool:
        """Return whether an alert says that nothing comes."""
        return alert.alarm_class == AlarmClass.NO_DATA.value or alert.rule in self._absences

    def place(self, alert: AlertRecord | Standing) -> tuple[str, str]:
        """Return the building and the zone of an alert: its own, or its device's."""
        if alert.device and not alert.building and not alert.zone:
            placed = self._devices.get((alert.site, alert.device))
            if placed is not None:
                return placed.building, placed.zone
        return alert.building, alert.zone

    def gateways(self, site: str, device: str) -> tuple[str, ...]:
        """Return the devices through which a device speaks, the nearest first."""
        found: list[str] = []
        placed = self._devices.get((site, device))
        while placed is not None:
            gateway = placed.labels.get(GATEWAY, "")
            if not gateway or gateway == device or gateway in found:
                break
            found.append(gateway)
            placed = self._devices.get((site, gateway))
        return tuple(found)

    def fields(self, alert: AlertRecord | Standing) -> Fields:
        """Return what an alert is matched by (`alerts.policy.model.Fields`)."""
        building, zone = self.place(alert)
        found = {
            "class": alert.alarm_class,
            "alarm_class": alert.alarm_class,
            "severity": alert.severity,
            "rule": alert.rule,
            "site": alert.site,
            "building": building,
            "zone": zone,
            "device": alert.device,
            "person": alert.person,
        }
        placed = self._devices.get((alert.site, alert.device)) if alert.device else None
        if placed is not None:
            found |= {f"label:{name}": value for name, value in placed.labels.items()}
        return found
