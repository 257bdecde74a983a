"""A rule tried on history, with the very evaluator that would judge it live, and how well it did.

Labels are times in which something was really wrong. An alarm that overlaps one is true, any other
false; a label that no alarm overlaps was missed. As in the scoring of the Numenta Anomaly
Benchmark several alarms in one label are one detection, and each false one counts by itself.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from alerts.conditions.node import MISSING, RECEIVED
from alerts.evaluate.engine import Engine
from alerts.model import State, Subject, Verdict
from alerts.rules.inventory import Inventory
from alerts.rules.model import All as AllOf
from alerts.rules.model import Any as AnyOf
from alerts.rules.model import Condition, Count, Not, Per, Recently, Rule, Seasonal, Threshold
from alerts.rules.series import series_of
from core.clock import NS_PER_S
from core.reading import Reading

_AT_ONCE = 5000
_DAY_NS = 86_400 * NS_PER_S
LEDGER = (RECEIVED, MISSING)
"""Pseudo-quantities that a rule on completeness asks for beside values."""


class Alarm(msgspec.Struct, frozen=True):
    """A time during which a rule would have fired.

    Attributes:
        rule: name of the rule.
        subject: of what it speaks.
        at_ns: since when, device time.
        until_ns: when it was over, or None: it still fires at the end.
        facts: what decided.
    """

    rule: str
    subject: Subject
    at_ns: int
    until_ns: int | None
    facts: dict[str, str | float]


class Label(msgspec.Struct, frozen=True, order=True):
    """A time in which something was really wrong: from, to, both inclusive.

    Attributes:
        start_ns: device time, nanoseconds since the epoch.
        end_ns: likewise.
        about: device, or person, of whom it is true; "" of everything.
    """

    start_ns: int
    end_ns: int
    about: str = ""


class Score(msgspec.Struct, frozen=True):
    """How alarms and labels fit.

    Attributes:
        true: alarms that overlap a label.
        false: alarms that do not.
        found: labels that an alarm overlaps.
        missed: labels that none does.
        delay_ns: median time from the start of a found label to its first alarm (0 where one
            fired already), or None when none was found.
    """

    true: int
    false: int
    found: int
    missed: int
    delay_ns: int | None

    @property
    def precision(self) -> float | None:
        """Share of the alarms that were true; None without alarms."""
        alarms = self.true + self.false
        return self.true / alarms if alarms else None

    @property
    def recall(self) -> float | None:
        """Share of the labels that were found; None without labels."""
        labels = self.found + self.missed
        return self.found / labels if labels else None


class History(msgspec.Struct, frozen=True):
    """What came of a rule on history.

    Attributes:
        alarms: by the instant at which they fired.
        readings: how many values were judged.
        late: how many came too late to be judged.
        start_ns: of the range.
        end_ns: of the range.
        incomplete: how often it could not be said.
        subjects: how many subjects were judged.
    """

    alarms: tuple[Alarm, ...]
    readings: int
    late: int
    start_ns: int
    end_ns: int
    incomplete: int
    subjects: int

    @property
    def alarms_a_day(self) -> float:
        """Alarms a day of the range."""
        return len(self.alarms) / max(1e-9, (self.end_ns - self.start_ns) / _DAY_NS)

    @property
    def alarms_a_subject_and_day(self) -> float:
        """Alarms a day of the range for each subject that was judged."""
        return self.alarms_a_day / max(1, self.subjects)


def run(
    rule: Rule,
    *,
    inventory: Inventory,
    readings: Iterable[Reading],
    start_ns: int,
    end_ns: int,
) -> History:
    """Judge history.

    Args:
        rule: the rule.
        inventory: the devices.
        readings: values, in the order in which they would have come.
        start_ns: nothing is judged before it.
        end_ns: until when time passes.
    """
    engine = Engine(
        rules=(rule,), inventory=inventory, since_ns=start_ns, fresh_for_ns=end_ns - start_ns + 1
    )
    alarms: dict[tuple[Subject, int], Alarm] = {}
    judged = late = incomplete = 0
    for portion in _portions(readings):
        seen_ns = max(one.time_ns for one in portion)
        outcome = engine.take(portion, seen_ns=seen_ns)
        verdicts = [*outcome.verdicts, *engine.tick(seen_ns, seen_ns=seen_ns).verdicts]
        judged += len(portion)
        late += len(outcome.late)
        incomplete += sum(1 for one in verdicts if one.state is State.INCOMPLETE)
        _note(alarms, verdicts)
    _note(alarms, engine.tick(end_ns, seen_ns=end_ns).verdicts)
    ordered = sorted(alarms.values(), key=lambda one: (one.at_ns, one.subject))
    return History(tuple(ordered), judged, late, start_ns, end_ns, incomplete, len(engine.watches))


def score(alarms: Sequence[Alarm], labels: Sequence[Label], *, end_ns: int) -> Score:
    """Return how alarms and labels fit.

    Args:
        alarms: of a run.
        labels: the truth.
        end_ns: when what still fires ends.
    """

    def overlap(alarm: Alarm, label: Label) -> bool:
        until_ns = end_ns if alarm.until_ns is None else alarm.until_ns
        if label.about and label.about not in (alarm.subject.device, alarm.subject.person):
            return False
        return alarm.at_ns <= label.end_ns and until_ns >= label.start_ns

    true = sum(1 for alarm in alarms if any(overlap(alarm, label) for label in labels))
    delays = []
    for label in labels:
        first = [alarm.at_ns for alarm in alarms if overlap(alarm, label)]
        if first:
            delays.append(max(0, min(first) - label.start_ns))
    return Score(
        true=true,
        false=len(alarms) - true,
        found=len(delays),
        missed=len(labels) - len(delays),
        delay_ns=round(statistics.median(delays)) if delays else None,
    )


def variants(
    rule: Rule,
    *,
    limits: Sequence[float] = (),
    margins: Sequence[float] = (),
    for_ns: Sequence[int] = (),
) -> Iterator[tuple[Rule, float | None, float | None, int]]:
    """Yield the rule with every combination of some values, and which those are.

    Args:
        rule: with exactly one threshold of one limit, or one seasonal, where limits are given.
        limits: of its threshold, in the canonical unit, or the deviations of its seasonal; none: as
            it is.
        margins: of its threshold; of a seasonal its `minimum`; none: as it is.
        for_ns: how long it has to hold; none: as it is.

    Raises:
        ValueError: the rule has not one threshold with one limit.
    """
    found = list(_limited(rule.when))
    one = found[0] if len(found) == 1 else None
    if (limits or margins) and (one is None or len(_names(one)) != 2):  # noqa: PLR2004
        raise ValueError("the rule needs one threshold, with above or below, or one seasonal")
    names = () if one is None else _names(one)
    known = [getattr(one, name) for name in names] if len(names) == 2 else [None, None]  # noqa: PLR2004
    for at in limits or (known[0],):
        for back in margins or (known[1],):
            for long_ns in for_ns or (rule.for_ns,):
                when = rule.when
                if one is not None and at is not None and back is not None:
                    changes = dict(zip(names, (at, back), strict=True))
                    when = _exchanged(when, one, msgspec.structs.replace(one, **changes))
                yield msgspec.structs.replace(rule, when=when, for_ns=long_ns), at, back, long_ns


def _names(one: Threshold | Seasonal) -> tuple[str, ...]:
    """Return the fields that are the limit and the margin; none of a threshold of two limits."""
    if isinstance(one, Seasonal):
        return "deviations", "minimum"
    if one.above is not None and one.below is not None:
        return ()
    return "above" if one.above is not None else "below", "margin"


def quantities(rule: Rule) -> frozenset[str] | None:
    """Return the quantities that a rule and its overrides look at; None: every one."""
    if rule.per is Per.SERIES:
        return series_of(rule) if rule.select.quantity else None
    found: set[str] = set()
    for when in (rule.when, *(one.when for one in rule.overrides)):
        for leaf in _leaves(when):
            named = _named(leaf)
            if named is None:
                return None
            found |= named
    return frozenset(found)


def _named(leaf: Any) -> set[str] | None:
    kind = leaf.__struct_config__.tag
    if kind == "battery":
        return {"battery_level"}
    if kind == "completeness":
        return set(LEDGER)
    if kind == "news2":
        return set(leaf.max_age_ns)
    if kind == "time_of_day":
        return set()
    return {leaf.quantity} if leaf.quantity else None


def _leaves(when: Condition) -> Iterator[Any]:
    if isinstance(when, AllOf | AnyOf):
        for part in when.parts:
            yield from _leaves(part)
    elif isinstance(when, Not | Recently | Count):
        yield from _leaves(when.part)
    else:
        yield when


def _limited(when: Condition) -> Iterator[Threshold | Seasonal]:
    return (leaf for leaf in _leaves(when) if isinstance(leaf, Threshold | Seasonal))


def _exchanged(when: Condition, old: Condition, new: Condition) -> Condition:
    if when is old:
        return new
    if isinstance(when, AllOf | AnyOf):
        parts = tuple(_exchanged(part, old, new) for part in when.parts)
        return msgspec.structs.replace(when, parts=parts)
    if isinstance(when, Not | Recently | Count):
        return msgspec.structs.replace(when, part=_exchanged(when.part, old, new))
    return when


def _portions(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    waiting = iter(readings)
    while portion := list(islice(waiting, _AT_ONCE)):
        yield portion


def _note(alarms: dict[tuple[Subject, int], Alarm], verdicts: Iterable[Verdict]) -> None:
    for one in verdicts:
        if one.alert_ns is None:
            continue
        key = (one.subject, one.alert_ns)
        if one.state is State.FIRING:
            alarms[key] = Alarm(one.rule, one.subject, one.alert_ns, one.until_ns, dict(one.facts))
        elif "withdrawn" in one.facts:
            alarms.pop(key, None)
        elif key in alarms:
            alarms[key] = msgspec.structs.replace(alarms[key], until_ns=one.at_ns)
