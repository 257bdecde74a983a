"""Tellings: for each route of an alert, what people still have to hear, and with which group.

`tell` looks at the alerts that changed; `flush` writes the notices of the groups that are due.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.lifecycle.grouping import due_ns, group_of
from alerts.lifecycle.notices import buckets, occasion_of, order_notice
from alerts.lifecycle.repetition import next_ns
from alerts.lifecycle.turn import Turn
from alerts.lifecycle.wanted import FIRES, Wanted, wanted_of
from alerts.policy.model import Route
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertRecord,
    AlertState,
)
from devices.registry.alert_telling import AlertGroup, Telling

_UNSURE = (AlertState.PENDING, AlertState.INCOMPLETE)
_DAY_NS = 86_400 * 1_000_000_000


class _Waiting(msgspec.Struct):
    """A telling that has to be scheduled with its group."""

    telling: Telling
    group: AlertGroup
    route: Route
    record: AlertRecord
    wanted: Wanted
    new: bool


def tell(turn: Turn, *, again: bool) -> None:
    """Bring the tellings of what was touched up to date.

    Args:
        turn: the turn.
        again: ask anew which routes alerts take: the policy or the places may have changed.
    """
    records = turn.work.load(sorted(turn.touched))
    tellings = turn.work.tellings(records)
    waiting: list[_Waiting] = []
    for record in records.values():
        if record.state in _UNSURE:
            continue
        mine = {one.route: one for one in tellings.get(record.id, ())}
        for route in _routes(turn, record, mine, again=again):
            _bring_up_to_date(turn, record, route, mine.get(route.name), waiting)
    _schedule(turn, waiting)
    _summarize(turn, records)


def flush(turn: Turn) -> None:
    """Order the notices of the groups that are due."""
    work = turn.work
    due = {one.id: one for one in work.due_groups(turn.now_ns)}
    if not due:
        return
    told: list[tuple[str, str, Wanted, AlertRecord]] = []
    by_route: dict[str, Route] = {}
    tellings = work.waiting(due)
    records = work.load(one.alert for one in tellings)
    done: list[tuple[Telling, Route, Wanted]] = []
    for one in tellings:
        record, route = records.get(one.alert), turn.route(one.route)
        if record is None or route is None:
            continue
        wanted = _wanted(turn, record, one, route)
        if wanted is Wanted.NOTHING:
            work.put_telling(msgspec.structs.replace(one, wanted=""))
            continue
        by_route[one.group] = route
        told.append((one.group, due[one.group].label, wanted, record))
        done.append((one, route, wanted))
    for bucket in buckets(told):
        order_notice(turn, bucket, by_route[bucket.group].channels)
    for one, route, wanted in done:
        _done(turn, one, route, wanted)
    for group in due.values():
        told_ns = turn.now_ns if group.id in by_route else group.told_ns
        work.put_group(msgspec.structs.replace(group, due_ns=None, told_ns=told_ns))
    _summarize(turn, work.load(one.alert for one, _, _ in done))
    work.prune_groups(turn.now_ns - _DAY_NS)


def _routes(
    turn: Turn, record: AlertRecord, mine: dict[str, Telling], *, again: bool
) -> Sequence[Route]:
    """Return the routes of an alert; what was told by one that is gone counts for the others."""
    if mine and not again:
        return [found for name in mine if (found := turn.route(name)) is not None]
    if not again and record.state not in OPEN_STATES and record.state != AlertState.RESOLVED:
        return ()
    routes = turn.routes_of(record)
    if mine:
        kept = {one.name for one in routes}
        gone = [one for name, one in mine.items() if name not in kept]
        for one in gone:
            turn.work.drop_telling(one)
            del mine[one.route]
        if gone and not mine:
            heir = max(gone, key=lambda one: (one.told_ns or 0, one.route))
            for route in routes:
                mine[route.name] = turn.work.put_telling(
                    msgspec.structs.replace(
                        heir, route=route.name, level=min(heir.level, len(route.escalate))
                    )
                )
    return routes


def _bring_up_to_date(
    turn: Turn,
    record: AlertRecord,
    route: Route,
    before: Telling | None,
    waiting: list[_Waiting],
) -> None:
    telling = before or Telling(alert=record.id, route=route.name, group="")
    wanted = _wanted(turn, record, telling, route)
    changed = msgspec.structs.replace(telling, wanted=wanted.value)
    if wanted is not Wanted.NOTHING:
        group = group_of(route, record, turn.known.fields(record), wanted)
        new = before is None or before.wanted != wanted or before.group != group.id
        changed = msgspec.structs.replace(changed, group=group.id)
        waiting.append(_Waiting(changed, group, route, record, wanted, new))
    changed = msgspec.structs.replace(changed, next_ns=next_ns(record, changed, route))
    worth = before is not None or wanted is not Wanted.NOTHING or record.state in OPEN_STATES
    if changed != before and worth:
        turn.work.put_telling(changed)


def _wanted(turn: Turn, record: AlertRecord, telling: Telling, route: Route) -> Wanted:
    return wanted_of(
        record,
        telling,
        route,
        listed=turn.known.described(record.rule).listed,
        unmuted=record.id in turn.unmuted,
    )


def _schedule(turn: Turn, waiting: Sequence[_Waiting]) -> None:
    """Make groups due for what has to be told."""
    there = turn.work.groups(one.group.id for one in waiting)
    for one in waiting:
        group = there.get(one.group.id, one.group)
        if not one.new and group.due_ns is not None:
            continue
        due = due_ns(group, one.route, one.record, one.wanted, turn.now_ns)
        if due != group.due_ns:
            there[group.id] = turn.work.put_group(msgspec.structs.replace(group, due_ns=due))


def _done(turn: Turn, telling: Telling, route: Route, wanted: Wanted) -> None:
    """Write down that people were told."""
    record = turn.work.get(telling.alert)
    if record is None:
        return
    told = wanted.value
    if wanted is not Wanted.FLAPPING:
        told = occasion_of(wanted, record).value
    began = told in FIRES and telling.told not in FIRES
    changed = msgspec.structs.replace(
        telling,
        wanted="",
        told=told,
        told_ns=turn.now_ns,
        since_ns=turn.now_ns if began else telling.since_ns,
        level=0 if began else telling.level,
    )
    turn.work.put_telling(msgspec.structs.replace(changed, next_ns=next_ns(record, changed, route)))


def _summarize(turn: Turn, records: dict[str, AlertRecord]) -> None:
    """Write into alerts by which routes they are told, and how far they were escalated."""
    tellings = turn.work.tellings(records)
    for name in records:
        record, mine = turn.work.get(name), tellings.get(name, ())
        if record is None or not mine:
            continue
        changed = msgspec.structs.replace(
            record,
            route=",".join(one.route for one in mine),
            group=mine[0].group,
            level=max(one.level for one in mine),
        )
        if changed != record:
            turn.work.put(changed)
