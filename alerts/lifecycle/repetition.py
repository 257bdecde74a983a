"""Repetition and escalation: what is told again, and to whom further, while nobody looks after it.

Both are counted from instants that the database holds; every step of escalation is taken once.
"""

from __future__ import annotations

from collections import defaultdict

import msgspec

from alerts.lifecycle.notices import Bucket, order_notice
from alerts.lifecycle.turn import Turn
from alerts.lifecycle.wanted import FIRES, is_muted
from alerts.model import Occasion
from alerts.policy.model import Route
from devices.registry.alert_records import AlertEventKind, AlertRecord, AlertState
from devices.registry.alert_telling import Telling


def goes_on(record: AlertRecord, telling: Telling) -> bool:
    """Return whether an alert is repeated and escalated: it fires, was told, and nobody cares."""
    return (
        record.state == AlertState.FIRING
        and telling.told in FIRES
        and not record.flapping
        and not is_muted(record)
    )


def next_ns(record: AlertRecord, telling: Telling, route: Route) -> int | None:
    """Return when an alert is to be repeated or goes to the next step, or None: never."""
    if not goes_on(record, telling) or telling.since_ns is None or telling.wanted:
        return None
    found = []
    again_ns = route.again_ns(record.severity)
    if again_ns is not None:
        found.append(_last_told_ns(telling) + again_ns)
    if telling.level < len(route.escalate):
        found.append(telling.since_ns + route.escalate[telling.level].after_ns)
    return min(found) if found else None


def repeat(turn: Turn) -> None:
    """Tell again, and tell further people, what is due."""
    work = turn.work
    due = work.due_tellings(turn.now_ns)
    if not due:
        return
    work.load(one.alert for one in due)
    reminded: dict[str, Route] = {}
    escalated: dict[tuple[str, tuple[str, ...]], list[Telling]] = defaultdict(list)
    for one in due:
        record, route = work.get(one.alert), turn.route(one.route)
        if record is None or route is None or not goes_on(record, one):
            work.put_telling(msgspec.structs.replace(one, next_ns=None))
            turn.touched.add(one.alert)
            continue
        channels = _further(one, route, turn.now_ns)
        if channels is not None:
            escalated[one.group, channels].append(one)
        again_ns = route.again_ns(record.severity)
        if again_ns is not None and _last_told_ns(one) + again_ns <= turn.now_ns:
            reminded[one.group] = route
        turn.touched.add(one.alert)
    for (_, channels), some in sorted(escalated.items()):
        _escalate(turn, some, channels)
    for group, route in sorted(reminded.items()):
        _remind(turn, group, route)


def _further(telling: Telling, route: Route, now_ns: int) -> tuple[str, ...] | None:
    """Return the channels of the steps that are due, or None: no step is."""
    steps = [
        one
        for one in route.escalate[telling.level :]
        if (telling.since_ns or 0) + one.after_ns <= now_ns
    ]
    if not steps:
        return None
    return tuple(dict.fromkeys(name for one in steps for name in one.channels))


def _escalate(turn: Turn, tellings: list[Telling], channels: tuple[str, ...]) -> None:
    bucket = Bucket(group=tellings[0].group, occasion=Occasion.ESCALATION)
    for one in tellings:
        route, record = turn.route(one.route), turn.work.get(one.alert)
        if route is None or record is None:
            continue
        level = sum((one.since_ns or 0) + step.after_ns <= turn.now_ns for step in route.escalate)
        told = Occasion.ESCALATION.value
        turn.work.put_telling(msgspec.structs.replace(one, level=level, told=told))
        turn.event(record.id, AlertEventKind.ESCALATED, level=level)
        bucket.records.append(record)
    order_notice(turn, bucket, channels)


def _remind(turn: Turn, group: str, route: Route) -> None:
    """Tell again what goes on in a group, all of it, through everybody who was told."""
    work = turn.work
    members = work.going_on([group])
    work.load(one.alert for one in members)
    bucket = Bucket(group=group, occasion=Occasion.REMINDER)
    level = 0
    for one in members:
        record = work.get(one.alert)
        if record is None or not goes_on(record, one):
            continue
        level = max(level, one.level)
        told = Occasion.REMINDER.value
        work.put_telling(msgspec.structs.replace(one, wanted="", told=told, told_ns=turn.now_ns))
        bucket.records.append(record)
        turn.touched.add(record.id)
    further = (name for step in route.escalate[:level] for name in step.channels)
    order_notice(turn, bucket, tuple(dict.fromkeys((*route.channels, *further))))


def _last_told_ns(telling: Telling) -> int:
    return max(telling.told_ns or 0, telling.since_ns or 0)
