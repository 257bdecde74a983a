"""Which rules look at a device, and which devices a rule looks at, without trying all on all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from alerts.rules.inventory import Placed, fits, is_name
from alerts.rules.model import Rule

_NARROW = ("device", "zone", "building", "profile", "site")


class RuleIndex:
    """Rules by the narrowest field that they name.

    Args:
        rules: the rules.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.by_name = {rule.name: rule for rule in rules}
        self._named: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._others: list[Rule] = []
        for rule in self.by_name.values():
            patterns = {field: getattr(rule.select, field) for field in _NARROW}
            narrow = next(
                (one for one in _NARROW if patterns[one] and all(map(is_name, patterns[one]))), None
            )
            if narrow is None:
                self._others.append(rule)
            else:
                for name in set(patterns[narrow]):
                    self._named[narrow, name].append(rule)

    def of(self, device: Placed) -> tuple[Rule, ...]:
        """Return the rules that look at a device, by name."""
        found = list(self._others)
        for field in _NARROW:
            found += self._named.get((field, getattr(device, field)), ())
        return tuple(
            rule for rule in sorted(found, key=lambda rule: rule.name) if fits(rule.select, device)
        )


def reach(rules: Sequence[Rule], devices: Iterable[Placed]) -> Mapping[str, Sequence[Placed]]:
    """Return the devices that each rule looks at, by its name."""
    index = RuleIndex(rules)
    found: dict[str, list[Placed]] = {one.name: [] for one in rules}
    for device in devices:
        for rule in index.of(device):
            found[rule.name].append(device)
    return found
