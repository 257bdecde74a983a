"""What is to be judged, as the registry has it: the rules that count, and the devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
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
        asked_ns: name -> since when the version of the rule counts, the platform's time.
        revision: of the registry.
        until_ns: when the devices' persons change by themselves, or None: not that is known.
    """

    rules: tuple[Rule, ...]
    unusable: Mapping[str, str]
    inventory: Inventory
    asked_ns: Mapping[str, int]
    revision: int
    until_ns: int | None = None

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
    until_ns = registry.assignments.next_change(now_ns)
    versions = registry.rules.newest(states=(RuleState.ACTIVE,))
    rules, unusable = usable(versions)
    return Plan(
        rules=rules,
        unusable=unusable,
        inventory=inventory_of(registry, at_ns=now_ns),
        asked_ns={one.name: one.created_ns for one in versions},
        revision=revision,
        until_ns=until_ns,
    )


def usable(versions: Iterable[RuleVersion]) -> tuple[tuple[Rule, ...], Mapping[str, str]]:
    """Return the rules that can be used, and what is wrong with the others, by name.

    A rule that an older program accepted and this one does not is no reason to judge none.
    """
    rules, unusable = [], {}
    for one in versions:
        try:
            rule = _parsed(one.source, f"rule {one.name}, version {one.version}")
        except RuleError as error:
            unusable[one.name] = error.detail
            continue
        rules.append(msgspec.structs.replace(rule, name=one.name, version=one.version))
    return tuple(rules), MappingProxyType(unusable)


@lru_cache(maxsize=50_000)
def _parsed(source: str, origin: str) -> Rule:
    """Return a rule; of thousands few change at a time, and each costs a millisecond to read."""
    return parse_rule(source, origin=origin)
