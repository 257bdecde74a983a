"""What decided, line by line: the value and its limit, the silence, the scores, what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from alerts.deliver.templates.numbers import duration, number, quantity_text
from alerts.deliver.templates.words import say
from alerts.model import AlarmClass, AlertView
from core.errors import UnknownQuantityError
from core.quantities import quantity

Facts = Mapping[str, str | float]
_SCORE = "score"
_TRUE = 0.5
_DAY_S = 86_400
SAID_ELSEWHERE = frozenset(
    {
        "quantity", "unit", "over_s", "needed", "withdrawn", "withheld", "retroactive", "news2",
        "runbook", "stands_for", "flapping", "steady", "rule_gone", "subject_gone", "channel",
    }
)  # fmt: skip
"""Facts that are no line of their own."""


def fact_lines(view: AlertView, language: str) -> Iterator[str]:
    """Give the lines that say what decided, those that are known first, none left out."""
    facts = dict(view.facts)
    if view.value is not None:
        facts.setdefault("value", view.value)
        facts.setdefault("unit", view.unit)
    if view.subject.quantity:
        facts.setdefault("quantity", view.subject.quantity)
    known = [name for name in _LINES if name in facts]
    for name in known:
        yield _LINES[name](facts, view, language)
    for name in sorted(facts):
        if name.startswith(f"{_SCORE}_"):
            what = input_name(name.removeprefix(f"{_SCORE}_"), language)
            yield say("line.score_of", language, what=what, value=_plain(facts[name], language))
    if "missing" in facts:
        inputs = [one.strip() for one in str(facts["missing"]).split(",")]
        names = ", ".join(input_name(one, language) for one in inputs)
        yield say("line.missing", language, value=names)
    told = {*known, "missing", *SAID_ELSEWHERE}
    for name in sorted(set(facts) - told):
        if not name.startswith(f"{_SCORE}_"):
            what = name.replace("_", " ").capitalize()
            yield say("line.value", language, what=what, value=_plain(facts[name], language))


def quantity_name(name: str, language: str) -> str:
    """Return what a quantity is called."""
    try:
        found = quantity(name)
    except UnknownQuantityError:
        return name
    return found.description_fr if language == "fr" else found.description


def input_name(name: str, language: str) -> str:
    """Return what an input of a score is called."""
    return say(f"input.{name}", language, otherwise=quantity_name(name, language))


def value_text(view: AlertView, language: str) -> str:
    """Return the value that decided with its unit, or "" where there is none."""
    facts = dict(view.facts)
    value = view.value if view.value is not None else facts.get("value")
    if not isinstance(value, int | float):
        return ""
    if view.unit:
        facts.setdefault("unit", view.unit)
    if view.subject.quantity:
        facts.setdefault("quantity", view.subject.quantity)
    return _measured(facts, float(value), language)


def _measured(facts: Facts, value: float, language: str) -> str:
    name = str(facts.get("quantity", ""))
    try:
        if name and quantity(name).type == "boolean":
            return say("value.yes" if value >= _TRUE else "value.no", language)
    except UnknownQuantityError:
        pass
    limits = [facts[one] for one in ("above", "below") if isinstance(facts.get(one), float | int)]
    apart = float(limits[0]) if limits else None
    return quantity_text(value, str(facts.get("unit", "")), language, apart_from=apart)


def _value(facts: Facts, view: AlertView, language: str) -> str:
    what = say("name.value", language)
    if "quantity" in facts:
        what = quantity_name(str(facts["quantity"]), language)
    elif view.alarm_class is AlarmClass.TECHNICAL and facts.get("unit") == "%":
        what = say("name.completeness", language)
    value = facts["value"]
    written = _measured(facts, float(value), language) if _is_number(value) else str(value)
    return say("line.value", language, what=what, value=written)


def _limit(name: str) -> Callable[[Facts, AlertView, str], str]:
    def line(facts: Facts, _view: AlertView, language: str) -> str:
        value = facts[name]
        written = str(value)
        if _is_number(value):
            written = quantity_text(float(value), str(facts.get("unit", "")), language)
        return say(f"line.{name}", language, value=written)

    return line


def _change(facts: Facts, _view: AlertView, language: str) -> str:
    change = float(facts["change"])
    sign = "+" if change > 0 else ""
    value = f"{sign}{quantity_text(change, str(facts.get('unit', '')), language)}"
    if "over_s" not in facts:
        return say("line.change", language, value=value)
    over = duration(float(facts["over_s"]), language)
    return say("line.change_over", language, value=value, over=over)


def _lasting(key: str, name: str, *, unit_s: float = 1) -> Callable[[Facts, AlertView, str], str]:
    def line(facts: Facts, _view: AlertView, language: str) -> str:
        return say(key, language, value=duration(float(facts[name]) * unit_s, language))

    return line


def _count(facts: Facts, _view: AlertView, language: str) -> str:
    needed = _plain(facts.get("needed", ""), language)
    return say("line.count", language, count=_plain(facts["count"], language), needed=needed)


def _as_is(key: str, name: str) -> Callable[[Facts, AlertView, str], str]:
    def line(facts: Facts, _view: AlertView, language: str) -> str:
        return say(key, language, value=_plain(facts[name], language))

    return line


def _plain(value: str | float, language: str) -> str:
    return number(float(value), language) if _is_number(value) else str(value)


def _is_number(value: str | float) -> bool:
    return isinstance(value, int | float)


_LINES: Mapping[str, Callable[[Facts, AlertView, str], str]] = {
    "value": _value,
    "above": _limit("above"),
    "below": _limit("below"),
    "expected": _limit("expected"),
    "allowed": _limit("allowed"),
    "change": _change,
    "silent_s": _lasting("line.silent", "silent_s"),
    "after_s": _lasting("line.after", "after_s"),
    "days_left": _lasting("line.days_left", "days_left", unit_s=_DAY_S),
    "count": _count,
    "devices": _as_is("line.devices", "devices"),
    "local_time": _as_is("line.local_time", "local_time"),
    "held_s_ago": _lasting("line.held", "held_s_ago"),
    "score": _as_is("line.score", "score"),
    "worker": _as_is("line.worker", "worker"),
    "rule": _as_is("line.unusable", "rule"),
    "reason": _as_is("line.reason", "reason"),
    "error": _as_is("line.error", "error"),
}
