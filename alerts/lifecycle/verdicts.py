"""The first stage: verdicts become alerts, all of a batch with a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from alerts.lifecycle.flapping import count_changes
from alerts.lifecycle.judging import Judged, judge, watch_of_verdict
from alerts.lifecycle.turn import Turn
from alerts.model import Verdict
from devices.registry.alert_records import OPEN_STATES, AlertRecord
from devices.registry.alert_rows import watch_of

_FOREVER_NS = 2**63 - 1


def take_verdicts(turn: Turn, verdicts: Sequence[Verdict]) -> None:
    """Change the alerts of which verdicts speak.

    Args:
        turn: the turn.
        verdicts: in the order in which they were found.
    """
    watches = [watch_of_verdict(one) for one in verdicts]
    there = _there(turn, verdicts, watches)
    for watch, verdict in zip(watches, verdicts, strict=True):
        alerts = there[watch]
        judged = judge(
            list(alerts.values()),
            verdict,
            turn.known.described(verdict.rule),
            now_ns=turn.now_ns,
        )
        _keep(turn, judged, alerts)


def _there(
    turn: Turn, verdicts: Sequence[Verdict], watches: Sequence[str]
) -> dict[str, dict[str, AlertRecord]]:
    """Return the alerts that may be meant, by what they are about."""
    first_ns = min(min(one.at_ns, one.alert_ns or one.at_ns) for one in verdicts)
    flapping_ns = max(
        (one.flapping.within_ns for one in turn.policy.routes if one.flapping), default=0
    )
    found: dict[str, dict[str, AlertRecord]] = defaultdict(dict)
    for record in turn.work.of_watches(
        frozenset(watches), from_ns=first_ns - flapping_ns - 1, to_ns=_FOREVER_NS
    ):
        found[watch_of(record)][record.id] = record
    return found


def _keep(turn: Turn, judged: Judged, alerts: dict[str, AlertRecord]) -> None:
    for name in judged.forgotten:
        turn.work.forget(name)
        alerts.pop(name, None)
    record = judged.record
    if record is None:
        return
    before = alerts.get(record.id)
    if (before is not None and before.state in OPEN_STATES) != (record.state in OPEN_STATES):
        turn.opened = True
    turn.put(record)
    turn.work.events.extend(judged.events)
    alerts[record.id] = record
    if judged.changes:
        for one in count_changes(turn, record, list(alerts.values()), judged.changes):
            alerts[one.id] = one
