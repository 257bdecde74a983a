"""Rules per series: which quantities they look at, and what they ask of one of them.

A condition of such a rule names no quantity: it is that of the series that is judged.
"""

from __future__ import annotations

import msgspec

from alerts.rules.inventory import matches
from alerts.rules.model import (
    Absence,
    All,
    Any,
    Condition,
    Count,
    Not,
    Per,
    Rate,
    Recently,
    Rule,
    Seasonal,
    Select,
    Threshold,
)
from core.quantities import CATALOGUE


def selected(select: Select) -> tuple[str, ...]:
    """Return the quantities that fit, of the catalogue, by name."""
    return tuple(sorted(name for name in CATALOGUE if matches(select.quantity, name)))


def series_of(rule: Rule) -> frozenset[str]:
    """Return of which quantities the series of a rule are; none where it is not per series."""
    return frozenset(selected(rule.select)) if rule.per is Per.SERIES else frozenset()


def asked_of(one: Condition, quantity: str) -> Condition:
    """Return a condition with the quantity wherever it names none.

    Args:
        one: the condition.
        quantity: of the series; "": it is returned as it is.
    """
    if not quantity:
        return one
    if isinstance(one, All | Any):
        parts = tuple([asked_of(part, quantity) for part in one.parts])
        return msgspec.structs.replace(one, parts=parts)
    if isinstance(one, Not | Recently | Count):
        return msgspec.structs.replace(one, part=asked_of(one.part, quantity))
    if isinstance(one, Threshold | Rate | Absence | Seasonal) and not one.quantity:
        return msgspec.structs.replace(one, quantity=quantity)
    return one
