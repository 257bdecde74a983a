"""What is to be judged, as the registry has it: the rules that count, and the devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from alerts.rules.inventory import Inventory, inventory_of
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from core.errors import RuleError
from devices.registry import Registry
from devices.registry.alert_records import RuleState, RuleVersion


class Plan(msgspec.Struct, frozen=True):
    """Rules and devices.

    Attributes:
        rules: those that count, by name; each with the registry's number of its version.
        unusable: name -> what is wrong with it, of those that count and cannot be used.
        inventory: the devices.
        revision: of the registry.
    """

    rules: tuple[Rule, ...]
    unusable: Mapping[str, str]
    inventory: Inventory
    revision: int

    @property
    def versions(self) -> frozenset[tuple[str, int]]:
        """The rules with their versions."""
        return frozenset((one.name, one.version) for one in self.rules)


def plan_of(registry: Registry, *, now_ns: int) -> Plan:
    """Return what is to be judged.

    Raises:
        RegistryUnavailableError: the registry does not answer.
    """
    revision = registry.revision()
    rules, unusable = usable(registry.rules.newest(states=(RuleState.ACTIVE,)))
    return Plan(rules, unusable, inventory_of(registry, at_ns=now_ns), revision)


def usable(versions: Iterable[RuleVersion]) -> tuple[tuple[Rule, ...], Mapping[str, str]]:
    """Return the rules that can be used, and what is wrong with the others, by name.

    A rule that an older program accepted and this one does not is no reason to judge none.
    """
    rules, unusable = [], {}
    for one in versions:
        try:
            rule = parse_rule(one.source, origin=f"rule {one.name}, version {one.version}")
        except RuleError as error:
            unusable[one.name] = error.detail
            continue
        rules.append(msgspec.structs.replace(rule, name=one.name, version=one.version))
    return tuple(rules), MappingProxyType(unusable)
