"""How far back values have to be judged before a rule says what it would say had it always been."""

from __future__ import annotations

from typing import Any as Anything

from alerts.rules.model import (
    Absence,
    All,
    Any,
    Battery,
    Completeness,
    Condition,
    Count,
    News2,
    Not,
    Rate,
    Recently,
    Rule,
    Season,
    Seasonal,
)
from core.clock import NS_PER_HOUR, NS_PER_S

_DAY_NS = 24 * NS_PER_HOUR
USUAL_INTERVAL_NS = NS_PER_HOUR
"""How often a device is taken to publish that is not registered with an interval, nanoseconds."""


def lookback_ns(rule: Rule, *, interval_s: float | None = None) -> int:
    """Return how far before an instant the values begin that decide what a rule says at it.

    Judged from there on, a rule says at the instant, and for as long as late values may change what
    was before it, what it would say had it always been at work; but for an alert that began earlier
    still, and for a value that has stood between a limit and its margin for all that time.

    Args:
        rule: the rule, with its overrides.
        interval_s: how often the slowest of its devices publishes, seconds; None: not known, an
            hour is taken.

    Returns:
        Nanoseconds.
    """
    interval_ns = USUAL_INTERVAL_NS if interval_s is None else round(interval_s * NS_PER_S)
    conditions = (rule.when, *(one.when for one in rule.overrides))
    memory_ns = max(_memory_ns(one, interval_ns) for one in conditions)
    return rule.for_ns + rule.clear_for_ns + rule.lateness_ns + memory_ns


def _memory_ns(when: Condition, interval_ns: int) -> int:
    """Return for how long a condition remembers a value; at least one interval: the newest."""
    if isinstance(when, All | Any):
        return max(_memory_ns(part, interval_ns) for part in when.parts)
    if isinstance(when, Not | Count):
        return _memory_ns(when.part, interval_ns)
    if isinstance(when, Recently):
        return when.within_ns + _memory_ns(when.part, interval_ns)
    return max(interval_ns, _leaf_ns(when, interval_ns))


def _leaf_ns(when: Anything, interval_ns: int) -> int:
    if isinstance(when, Rate):
        return when.over_ns
    if isinstance(when, Absence):
        return round(when.intervals * interval_ns) if when.after_ns is None else when.after_ns
    if isinstance(when, Completeness):
        return when.hours * NS_PER_HOUR
    if isinstance(when, News2):
        return max(when.max_age_ns.values())
    return _days(when) * _DAY_NS


def _days(when: Anything) -> int:
    """Return how many days it looks back, with the one, or the week, that is not over yet."""
    if isinstance(when, Seasonal):
        return (when.seasons + 1) * (1 if when.season is Season.DAY else 7)
    return when.over_days + 1 if isinstance(when, Battery) else 0
