"""Whole hours of the ledger, for rules on completeness."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.evaluate.engine import HourCount
from alerts.rules.conditions import holds_kind
from alerts.rules.looks_at import leaves
from alerts.rules.model import Completeness, Rule
from core.clock import NS_PER_HOUR, NS_PER_S, hour_of
from devices.registry import Registry

SETTLE_NS = 120 * NS_PER_S
"""How long after its end an hour is counted: workers tell their ledgers once a second."""
_HOUR_S = 3600


class Hours:
    """What the ledger says of hours that are over, each when it changes.

    Args:
        registry: holds the ledger.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._given: dict[tuple[str, str, int], tuple[int, int]] = {}

    def take(self, rules: Sequence[Rule], *, now_ns: int) -> list[HourCount]:
        """Return hours that were not given yet, or differ from what was, the oldest first.

        Raises:
            RegistryUnavailableError: the registry does not answer.
        """
        lengths = [_longest(one) for one in rules if holds_kind(one.when, Completeness)]
        if not lengths:
            return []
        end = hour_of(now_ns - SETTLE_NS)
        start = end - max(lengths) * _HOUR_S
        found = []
        for row in self._registry.ledger.read(start_hour=start, end_hour=end):
            key, counts = (row.site, row.device, row.hour), (row.received, row.missing)
            if self._given.get(key) != counts:
                self._given[key] = counts
                end_ns = row.hour * NS_PER_S + NS_PER_HOUR
                found.append(HourCount(row.site, row.device, end_ns, row.received, row.missing))
        self._given = {key: counts for key, counts in self._given.items() if key[2] >= start}
        return sorted(found, key=lambda one: (one.end_ns, one.site, one.device))


def _longest(rule: Rule) -> int:
    conditions = (rule.when, *(one.when for one in rule.overrides))
    return max(
        (
            leaf.hours
            for one in conditions
            for leaf in leaves(one)
            if isinstance(leaf, Completeness)
        ),
        default=1,
    )
