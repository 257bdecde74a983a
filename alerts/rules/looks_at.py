"""What a rule looks at: its quantities, whether they are vital signs, and its limits."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.rules.model import (
    All,
    Any,
    Battery,
    Condition,
    Count,
    News2,
    Not,
    Per,
    Recently,
    Rule,
    Threshold,
)
from alerts.rules.series import series_of
from core.access import HEALTH_QUANTITIES

BATTERY = "battery_level"


class Limit(msgspec.Struct, frozen=True):
    """A limit that can be drawn as a line beside values.

    Attributes:
        quantity: of which quantity.
        kind: `above` or `below`: the condition holds beyond it; `clear_above` or `clear_below`:
            once it held it goes on until the value is back inside of it.
        value: in the quantity's canonical unit.
        device: only of this device; "" any.
    """

    quantity: str
    kind: str
    value: float
    device: str = ""


def leaves(one: Condition) -> Iterator[Condition]:
    """Yield a condition's parts that have no parts themselves, as they are written."""
    if isinstance(one, All | Any):
        for part in one.parts:
            yield from leaves(part)
    elif isinstance(one, Not | Recently | Count):
        yield from leaves(one.part)
    else:
        yield one


def quantities_of(one: Condition) -> frozenset[str]:
    """Return the quantities that a condition names; silence of any quantity names none."""
    found: set[str] = set()
    for leaf in leaves(one):
        if isinstance(leaf, News2):
            found |= leaf.max_age_ns.keys()
        elif isinstance(leaf, Battery):
            found.add(BATTERY)
        else:
            found.add(getattr(leaf, "quantity", ""))
    return frozenset(found - {""})


def quantities_of_rule(rule: Rule) -> frozenset[str]:
    """Return the quantities that a rule names, in its condition or in an override."""
    return quantities_of(rule.when).union(*(quantities_of(one.when) for one in rule.overrides))


def about_health(rule: Rule) -> bool:
    """Return whether a rule looks at vital signs, or may (per series), or is about persons."""
    looked = quantities_of_rule(rule) | series_of(rule)
    return rule.per is Per.PERSON or not HEALTH_QUANTITIES.isdisjoint(looked)


def limits_of(one: Condition) -> list[Limit]:
    """Return the limits of a condition that are values of a quantity."""
    found = []
    for leaf in leaves(one):
        if isinstance(leaf, Battery):
            found.append(Limit(BATTERY, "below", leaf.empty, leaf.device))
        elif isinstance(leaf, Threshold):
            for kind, value, way in (("above", leaf.above, -1), ("below", leaf.below, 1)):
                if value is None:
                    continue
                found.append(Limit(leaf.quantity, kind, value, leaf.device))
                if leaf.margin:
                    inside = value + way * leaf.margin
                    found.append(Limit(leaf.quantity, f"clear_{kind}", inside, leaf.device))
    return found
