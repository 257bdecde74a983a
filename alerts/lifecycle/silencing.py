"""Silences and maintenance windows: alerts that nobody is told of, though they are recorded."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.lifecycle.turn import Turn
from alerts.policy.model import Match
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertEventKind,
    AlertRecord,
    AlertState,
    Silence,
)
from devices.registry.alert_work import Standing
from devices.registry.silences import read_match


class Silences:
    """The silences that count now.

    Args:
        silences: of several that fit, the first counts.
    """

    def __init__(self, silences: Iterable[Silence]) -> None:
        self._all = [
            (one, Match({name: tuple(some) for name, some in read_match(one.match).items()}))
            for one in silences
        ]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all."""
        return frozenset(one.id for one, _ in self._all)

    def of(self, turn: Turn, alert: AlertRecord | Standing) -> Silence | None:
        """Return the silence that mutes an alert, or None."""
        if not self._all:
            return None
        fields = turn.known.fields(alert)
        return next((one for one, match in self._all if match.fits(fields)), None)


def silence(turn: Turn, silences: Silences, *, every: bool) -> None:
    """Mute what a silence fits, and unmute what none does any more.

    Args:
        turn: the turn.
        silences: those that count now.
        every: look at every alert that goes on, not only at those that changed.
    """
    names = set(turn.touched)
    if every:
        for one in turn.work.standing():
            there = silences.of(turn, one)
            if one.silence != ("" if there is None else there.id):
                names.add(one.id)
    for record in turn.work.load(sorted(names)).values():
        there = silences.of(turn, record)
        name = "" if there is None else there.id
        if name == record.silence or not _concerned(record, name):
            continue
        turn.put(msgspec.structs.replace(record, silence=name))
        if there is not None:
            turn.event(
                record.id, AlertEventKind.SILENCED, silence=name, why=there.kind, by=there.by
            )
        else:
            turn.event(record.id, AlertEventKind.UNSILENCED, silence=record.silence)
            turn.unmuted.add(record.id)


def _concerned(record: AlertRecord, name: str) -> bool:
    """Return whether it matters: of what is over only what was not told is muted, and stays so."""
    if record.state in OPEN_STATES:
        return True
    return record.state == AlertState.RESOLVED and bool(name) and not record.told
