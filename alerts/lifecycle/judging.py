"""What a verdict changes in the alerts of its rule and subject.

A verdict speaks of an alert by the instant at which that was first said to begin. Who evaluates
anew (after a restart, or with another version of the rule) may come to another instant: then the
alert is meant whose time overlaps. One that was withdrawn is meant only by its own instant.

Every verdict leaves its digest in the alert it changed. One that comes again (the process died
after it had been written) is known by it, whatever the clocks say, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import msgspec

from alerts.lifecycle.known import Described
from alerts.model import State, Subject, Verdict
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertEvent,
    AlertEventKind,
    AlertRecord,
    AlertState,
)
from devices.registry.alert_rows import digest, watch_digest

RULE_GONE = "rule_gone"
"""Fact of an alert that ended because its rule is not there any more."""
GONE = frozenset({RULE_GONE, "subject_gone"})
"""Facts of alerts that ended though nobody knows whether what they told of did."""
WITHDRAWN = "withdrawn"
_UNSURE = (AlertState.PENDING, AlertState.INCOMPLETE)
_REMEMBERED = 16
_DIGITS = 16
_FOREVER_NS = 2**63 - 1


class Judged(msgspec.Struct):
    """What a verdict changes.

    Attributes:
        record: the alert as it stands with it, or None: nothing changes, or it is forgotten.
        forgotten: ids of what was pending or incomplete and is so no more.
        events: what happened.
        changes: instants at which it began or ended, as long as that is news.
    """

    record: AlertRecord | None = None
    forgotten: tuple[str, ...] = ()
    events: list[AlertEvent] = []
    changes: list[int] = []


def watch_of_verdict(verdict: Verdict) -> str:
    """Return the digest of a verdict's rule and subject."""
    return watch_digest(verdict.rule, *_names(verdict.subject))


def alert_id(rule: str, subject: Subject, at_ns: int, *, state: str = "") -> str:
    """Return the id of an alert.

    Args:
        rule: name of the rule.
        subject: of what it speaks.
        at_ns: since when, as it was first found.
        state: of one that does not fire yet, else "".
    """
    return digest(rule, *_names(subject), at_ns, state)


def judge(
    there: Sequence[AlertRecord], verdict: Verdict, rule: Described, *, now_ns: int
) -> Judged:
    """Return what a verdict changes.

    Args:
        there: the alerts of its rule and subject that may be meant.
        verdict: the verdict.
        rule: what is said of its rule.
        now_ns: the present.
    """
    unsure = [one for one in there if one.state in _UNSURE]
    found = [one for one in there if one.state not in _UNSURE]
    if verdict.state is State.FIRING:
        return _fires(found, unsure, verdict, rule, now_ns)
    if verdict.state is State.CLEAR and verdict.alert_ns is not None:
        return _ends(found, verdict, now_ns)
    return _is_unsure(found, unsure, verdict, rule, now_ns)


def closed(
    record: AlertRecord, *, until_ns: int, now_ns: int, facts: dict[str, Any] | None = None
) -> AlertRecord:
    """Return an alert that is over."""
    changed = msgspec.structs.replace(
        record,
        state=AlertState.RESOLVED.value,
        until_ns=max(until_ns, record.at_ns),
        closed_ns=now_ns,
    )
    return _with_facts(changed, facts or {})


def _fires(
    found: list[AlertRecord],
    unsure: list[AlertRecord],
    verdict: Verdict,
    rule: Described,
    now_ns: int,
) -> Judged:
    start_ns = verdict.at_ns if verdict.alert_ns is None else verdict.alert_ns
    end_ns = _FOREVER_NS if verdict.until_ns is None else verdict.until_ns
    before = _meant(found, verdict, start_ns, (min(start_ns, verdict.at_ns), end_ns))
    name = alert_id(verdict.rule, verdict.subject, start_ns)
    mark = _mark(verdict)
    if before is not None and mark in _marks(before):
        # what was pending before it, and was said again, is old news
        return Judged(forgotten=tuple(one.id for one in unsure if one.at_ns <= start_ns))
    forgotten = tuple(one.id for one in unsure)
    if before is None:
        record = _record(verdict, rule, AlertState.FIRING, now_ns, name=name)
        events = [
            _event(record, AlertEventKind.PENDING, one.opened_ns)
            for one in unsure
            if one.state == AlertState.PENDING
        ]
        judged = Judged(_marked(record, mark), forgotten, events)
        _say(judged, verdict, AlertEventKind.FIRING, record.at_ns, now_ns)
    else:
        at_ns = min(before.at_ns, verdict.at_ns)
        if verdict.retroactive and (before.id == name or before.at_ns == start_ns):
            at_ns = verdict.at_ns
        moved = msgspec.structs.replace(before, at_ns=at_ns)
        judged = Judged(_marked(_renewed(moved, verdict, rule), mark), forgotten)
        _go_on(judged, before, verdict, now_ns)
    if verdict.until_ns is not None:
        _close(judged, verdict, verdict.until_ns, now_ns)
    return judged


def _go_on(judged: Judged, before: AlertRecord, verdict: Verdict, now_ns: int) -> None:
    """Move the beginning of an alert that is there, and open it again when it is over."""
    record = _required(judged)
    if before.state not in OPEN_STATES and (
        verdict.until_ns is None or before.state == AlertState.WITHDRAWN
    ):
        facts = msgspec.json.decode(record.facts)
        for name in (WITHDRAWN, *GONE):
            facts.pop(name, None)
        judged.record = record = msgspec.structs.replace(
            record,
            state=AlertState.FIRING.value,
            until_ns=None,
            closed_ns=None,
            acknowledged_ns=None,
            acknowledged_by="",
            acknowledged_note="",
            facts=msgspec.json.encode(facts).decode(),
        )
        _say(judged, verdict, AlertEventKind.FIRING, record.at_ns, now_ns)
    elif record.at_ns != before.at_ns:
        judged.events.append(_event(record, AlertEventKind.MOVED, now_ns, at_ns=record.at_ns))


def _ends(found: list[AlertRecord], verdict: Verdict, now_ns: int) -> Judged:
    start_ns = verdict.at_ns if verdict.alert_ns is None else verdict.alert_ns
    end_ns = max(verdict.at_ns, start_ns + 1)
    before = _meant(found, verdict, start_ns, (start_ns, end_ns))
    mark = _mark(verdict)
    if before is None or mark in _marks(before):
        return Judged()
    judged = Judged(_marked(before, mark))
    if verdict.facts.get(WITHDRAWN):
        if before.state == AlertState.WITHDRAWN:
            return Judged()
        record = closed(
            _required(judged),
            until_ns=verdict.at_ns,
            now_ns=before.closed_ns or now_ns,
            facts={WITHDRAWN: 1},
        )
        judged.record = msgspec.structs.replace(record, state=AlertState.WITHDRAWN.value)
        judged.events.append(_event(record, AlertEventKind.WITHDRAWN, now_ns))
        return judged
    judged.record = _with_facts(_required(judged), _plain(verdict))
    _close(judged, verdict, verdict.at_ns, now_ns)
    return judged


def _close(judged: Judged, verdict: Verdict, until_ns: int, now_ns: int) -> None:
    """End an alert, or move its end when it is over already."""
    record = _required(judged)
    if record.state in OPEN_STATES:
        judged.record = closed(record, until_ns=until_ns, now_ns=now_ns)
        _say(judged, verdict, AlertEventKind.RESOLVED, until_ns, now_ns)
    elif record.state == AlertState.RESOLVED and record.until_ns != max(until_ns, record.at_ns):
        judged.record = msgspec.structs.replace(record, until_ns=max(until_ns, record.at_ns))
        judged.events.append(_event(record, AlertEventKind.MOVED, now_ns, until_ns=until_ns))


def _is_unsure(
    found: list[AlertRecord],
    unsure: list[AlertRecord],
    verdict: Verdict,
    rule: Described,
    now_ns: int,
) -> Judged:
    """Remember what is pending or incomplete; what comes from before a known alert is old news."""
    if verdict.state is State.CLEAR:
        return Judged(forgotten=tuple(one.id for one in unsure))
    at_ns = verdict.at_ns
    for one in found:
        if one.state != AlertState.WITHDRAWN and (
            one.state in OPEN_STATES or one.at_ns >= at_ns or (one.until_ns or 0) > at_ns
        ):
            return Judged()
    state = AlertState(verdict.state.value)
    name = alert_id(verdict.rule, verdict.subject, at_ns, state=state.value)
    if any(one.id == name for one in unsure):
        return Judged()
    record = _record(verdict, rule, state, now_ns, name=name)
    return Judged(record, tuple(one.id for one in unsure))


def _meant(
    found: Iterable[AlertRecord], verdict: Verdict, start_ns: int, span: tuple[int, int]
) -> AlertRecord | None:
    """Return the alert that a verdict speaks of, or None: none that is known."""
    name = alert_id(verdict.rule, verdict.subject, start_ns)
    others = []
    for one in found:
        if one.id == name:
            return one
        if one.state != AlertState.WITHDRAWN:
            others.append(one)
    for one in others:
        if one.at_ns == start_ns:
            return one
    from_ns, to_ns = span
    overlapping = [
        one
        for one in others
        if one.at_ns < to_ns
        and (one.until_ns is None or from_ns < one.until_ns)
        and not GONE & msgspec.json.decode(one.facts).keys()
    ]
    overlapping.sort(key=lambda one: (one.state in OPEN_STATES, one.at_ns))
    return overlapping[-1] if overlapping else None


def _record(
    verdict: Verdict, rule: Described, state: AlertState, now_ns: int, *, name: str
) -> AlertRecord:
    subject = verdict.subject
    bare = AlertRecord(
        id=name,
        rule=verdict.rule,
        version=verdict.version,
        title="{}",
        severity=rule.severity.value,
        alarm_class=rule.alarm_class.value,
        site=subject.site,
        building=subject.building,
        zone=subject.zone,
        device=subject.device,
        quantity=subject.quantity,
        person=subject.person,
        state=state.value,
        at_ns=verdict.at_ns,
        opened_ns=now_ns,
        retroactive=verdict.retroactive,
    )
    return _renewed(bare, verdict, rule)


def _renewed(record: AlertRecord, verdict: Verdict, rule: Described) -> AlertRecord:
    """Return an alert with what the newest verdict and the newest rule say of it."""
    unit = verdict.facts.get("unit", "")
    value = verdict.value
    if value is not None and not isfinite(value):
        value = None
    return msgspec.structs.replace(
        record,
        version=verdict.version,
        title=msgspec.json.encode(dict(rule.title)).decode(),
        severity=rule.severity.value,
        alarm_class=rule.alarm_class.value,
        runbook=rule.runbook,
        since_ns=verdict.since_ns,
        value=value,
        unit=unit if isinstance(unit, str) else "",
        facts=msgspec.json.encode(_plain(verdict)).decode(),
        evidence=msgspec.json.encode(
            [one for one in verdict.evidence if isfinite(one.value)]
        ).decode(),
    )


def _plain(verdict: Verdict) -> dict[str, str | float]:
    """Return the facts of a verdict as JSON can hold them."""
    return {
        name: str(fact) if isinstance(fact, float) and not isfinite(fact) else fact
        for name, fact in verdict.facts.items()
    }


def _with_facts(record: AlertRecord, facts: dict[str, Any]) -> AlertRecord:
    if not facts:
        return record
    merged = msgspec.json.decode(record.facts) | facts
    return msgspec.structs.replace(record, facts=msgspec.json.encode(merged).decode())


def _say(
    judged: Judged, verdict: Verdict, kind: AlertEventKind, instant_ns: int, now_ns: int
) -> None:
    """Add the event of a beginning or an end; it counts as a change when it is news."""
    record = _required(judged)
    name = "at_ns" if kind is AlertEventKind.FIRING else "until_ns"
    more = {"retroactive": 1} if verdict.retroactive else {}
    judged.events.append(_event(record, kind, now_ns, **{name: instant_ns}, **more))
    if not verdict.retroactive:
        judged.changes.append(instant_ns)


def _event(record: AlertRecord, kind: AlertEventKind, time_ns: int, **detail: int) -> AlertEvent:
    text = msgspec.json.encode(detail).decode()
    return AlertEvent(alert=record.id, time_ns=time_ns, kind=kind.value, detail=text)


def _required(judged: Judged) -> AlertRecord:
    assert judged.record is not None  # noqa: S101 - those who call made it
    return judged.record


def _mark(verdict: Verdict) -> str:
    """Return the digest of what a verdict says, and of when it was found."""
    parts = (
        verdict.version, verdict.state.value, verdict.at_ns, verdict.alert_ns or 0,
        verdict.until_ns or 0, verdict.seen_ns, int(verdict.retroactive),
        str(verdict.facts.get(WITHDRAWN, "")),
    )  # fmt: skip
    return digest(*parts)[:_DIGITS]


def _marks(record: AlertRecord) -> list[str]:
    return msgspec.json.decode(record.applied, type=list[str])


def _marked(record: AlertRecord, mark: str) -> AlertRecord:
    marks = [*_marks(record), mark][-_REMEMBERED:]
    return msgspec.structs.replace(record, applied=msgspec.json.encode(marks).decode())


def _names(subject: Subject) -> tuple[str, ...]:
    return (
        subject.site, subject.building, subject.zone, subject.device, subject.quantity,
        subject.person,
    )  # fmt: skip
