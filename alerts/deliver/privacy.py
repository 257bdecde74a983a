"""What a channel that may not tell of vital signs is given: which rule, about whom, no values."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.model import AlertView, Notice
from core.errors import UnknownQuantityError
from core.quantities import Category, quantity

WITHHELD = "withheld"
"""Fact of an alert of which values were taken out."""
SCORED = "news2"
"""Fact of an alert whose score was taken out: what has to be said of scores is still said."""
_MARKS = (
    "withdrawn", "retroactive", "runbook", "stands_for", "flapping", "steady", "rule_gone",
    "subject_gone",
)  # fmt: skip


def veiled(notice: Notice) -> Notice:
    """Return a notice without what was measured of persons."""
    return msgspec.structs.replace(
        notice, alerts=tuple(_veiled(one) if is_health(one) else one for one in notice.alerts)
    )


def is_health(view: AlertView) -> bool:
    """Return whether an alert speaks of vital signs or of a person."""
    return bool(view.subject.person) or is_scored(view) or any(map(_is_vital, _quantities(view)))


def is_scored(view: AlertView) -> bool:
    """Return whether an alert speaks of an early warning score."""
    return SCORED in view.facts or any(
        name == "score" or name.startswith("score_") for name in view.facts
    )


def _veiled(view: AlertView) -> AlertView:
    kept = {name: view.facts[name] for name in _MARKS if name in view.facts}
    if is_scored(view):
        kept[SCORED] = 1
    return msgspec.structs.replace(
        view, value=None, unit="", evidence=(), facts=kept | {WITHHELD: 1}
    )


def _quantities(view: AlertView) -> Iterator[str]:
    yield view.subject.quantity
    yield str(view.facts.get("quantity", ""))
    yield from (one.quantity for one in view.evidence)


def _is_vital(name: str) -> bool:
    try:
        return bool(name) and quantity(name).category is Category.VITAL_SIGNS
    except UnknownQuantityError:
        return False
