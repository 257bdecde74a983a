"""Flapping: what begins and ends too often is told once, and again when it holds still.

The beginnings and ends of a rule for a subject are counted in device time, across its alerts: the
newest alert carries them, and whether it flaps. What late values show of the past does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.lifecycle.turn import Turn
from alerts.lifecycle.wanted import Wanted
from alerts.policy.model import Flapping
from devices.registry.alert_records import AlertEventKind, AlertRecord, AlertState

_UNCOUNTED = (AlertState.PENDING, AlertState.INCOMPLETE, AlertState.WITHDRAWN)
_MOST = 100


def count_changes(
    turn: Turn, record: AlertRecord, there: Sequence[AlertRecord], instants: Sequence[int]
) -> list[AlertRecord]:
    """Count the beginnings and ends of an alert, and say when it flaps; return what changed.

    Args:
        turn: the turn.
        record: the alert, as it stands.
        there: the alerts of its rule and subject.
        instants: at which it began or ended, device time.
    """
    limits = _limits(turn, record)
    if limits is None:
        return []
    before = _newest(record, there)
    known = _changes(record) or (_changes(before) if before is not None else [])
    changes = recent([*known, *instants], limits)
    inherited = before is not None and before.flapping
    flaps = record.flapping or inherited or len(changes) >= limits.changes
    began = flaps and not record.flapping and not inherited
    counted = msgspec.structs.replace(
        record,
        changes=msgspec.json.encode(changes).decode(),
        flapping=flaps,
        next_ns=turn.now_ns + limits.steady_ns if flaps else None,
    )
    turn.put(counted)
    changed = [counted]
    if before is not None and inherited:
        changed.append(msgspec.structs.replace(before, flapping=False, next_ns=None))
        turn.work.put(changed[-1])
        _hand_on(turn, before, record)
    if began:
        turn.event(record.id, AlertEventKind.FLAPPING, changes=len(changes))
    return changed


def hold_still(turn: Turn) -> None:
    """Look at the alerts that are due: what did not change for long enough flaps no more."""
    for record in turn.work.due_alerts(turn.now_ns):
        if not record.flapping:  # it was acknowledged no more
            turn.put(msgspec.structs.replace(record, next_ns=None))
            continue
        turn.put(msgspec.structs.replace(record, flapping=False, changes="[]", next_ns=None))
        turn.event(record.id, AlertEventKind.STEADY)


def recent(instants: Sequence[int], limits: Flapping) -> list[int]:
    """Return the changes that count: those within the time before the newest one."""
    since_ns = max(instants) - limits.within_ns
    return sorted(one for one in instants if one > since_ns)[-_MOST:]


def _limits(turn: Turn, record: AlertRecord) -> Flapping | None:
    """Return when an alert flaps: what the first of its routes says of it."""
    return next((one.flapping for one in turn.routes_of(record) if one.flapping), None)


def _newest(record: AlertRecord, there: Sequence[AlertRecord]) -> AlertRecord | None:
    """Return the alert before this one."""
    earlier = [
        one
        for one in there
        if one.id != record.id and one.at_ns < record.at_ns and one.state not in _UNCOUNTED
    ]
    return max(earlier, key=lambda one: one.at_ns, default=None)


def _changes(record: AlertRecord) -> list[int]:
    return msgspec.json.decode(record.changes, type=list[int])


def _hand_on(turn: Turn, before: AlertRecord, record: AlertRecord) -> None:
    """Have the next alert told in place of the one before, as one thing that flaps."""
    for one in turn.work.tellings([before.id]).get(before.id, ()):
        turn.work.put_telling(msgspec.structs.replace(one, alert=record.id, next_ns=None))
        turn.work.put_telling(
            msgspec.structs.replace(one, wanted="", told=Wanted.HANDED_ON.value, next_ns=None)
        )
