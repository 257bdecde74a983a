"""What no backend stores: one check, so that a point refused by one store is refused by all.

The bounds are those of the narrowest backend (InfluxDB): what passes here round-trips everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

from core.quantities import CATALOGUE, Category
from core.reading import Point
from storage.ports import Rejected

EARLIEST_NS = -(2**63) + 2
"""First instant that can be stored: 1677-09-21T00:12:43.145224194Z (InfluxDB's)."""
LATEST_NS = 2**63 - 2
"""Last instant that can be stored: 2262-04-11T23:47:16.854775806Z (InfluxDB's)."""
LONGEST_TAG = 256
"""Characters in a site or device name, at most."""
GREATEST_QUALITY = 2**31 - 1
"""Greatest bit mask that can be stored."""

_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN = 60
_NAMES = {
    category.value: frozenset(
        entry.name for entry in CATALOGUE.values() if entry.category is category
    )
    for category in Category
}


def refusal(point: Point) -> str | None:
    """Return why `point` cannot be stored, one sentence for a person, or None when it can."""
    problem = tag_problem(point.site) or tag_problem(point.device)
    if problem is not None:
        return problem
    if not EARLIEST_NS <= point.time_ns <= LATEST_NS:
        return f"the instant {point.time_ns} ns is outside the years 1677 to 2262 that can be kept"
    if not 0 <= point.quality <= GREATEST_QUALITY:
        return f"the quality {point.quality} is not a bit mask of 0 to {GREATEST_QUALITY}"
    if not point.values:
        return "the point holds no value"
    for name, value in point.values.items():
        problem = _value_problem(name, value, point.category)
        if problem is not None:
            return problem
    return None


def refused(points: Sequence[Point]) -> tuple[Rejected, ...]:
    """Return the points of a batch that cannot be stored, in order, each with its reason."""
    found = []
    for index, point in enumerate(points):
        if not _plainly_storable(point):
            reason = refusal(point)
            if reason is not None:
                found.append(Rejected(index, reason))
    return tuple(found)


@lru_cache(maxsize=65_536)
def tag_problem(name: str) -> str | None:
    """Return why a site or device cannot be called `name`, or None when it can.

    Line protocol has no way to write a control character or a backslash at the end of a tag, and
    an empty tag is no tag.
    """
    shown = repr(name[:_SHOWN])
    if not name:
        return "a site or device without a name cannot be stored"
    if len(name) > LONGEST_TAG:
        return f"the name {shown}... is longer than {LONGEST_TAG} characters"
    if _UNSTORABLE.search(name):
        return f"the name {shown} holds a control character or half a character"
    if name.endswith("\\"):
        return f"the name {shown} ends with a backslash"
    return None


def _plainly_storable(point: Point) -> bool:
    """Tell quickly whether `refusal` has nothing to say: nearly every point is such."""
    values = point.values
    names = _NAMES.get(point.category)
    try:
        return (
            names is not None
            and len(values) > 0
            and values.keys() <= names
            and all(map(math.isfinite, values.values()))
            and EARLIEST_NS <= point.time_ns <= LATEST_NS
            and 0 <= point.quality <= GREATEST_QUALITY
            and tag_problem(point.site) is None
            and tag_problem(point.device) is None
        )
    except (OverflowError, TypeError):
        return False


def _value_problem(name: str, value: float, category: str) -> str | None:
    entry = CATALOGUE.get(name)
    if entry is None:
        return f"there is no quantity {name[:_SHOWN]!r}"
    if entry.category != category:
        return f"{name} belongs to {entry.category.value}, not to {category[:_SHOWN]!r}"
    try:
        finite = math.isfinite(value)
    except (OverflowError, TypeError):
        finite = False
    return None if finite else f"{name} is {str(value)[:_SHOWN]}, not a finite number"
