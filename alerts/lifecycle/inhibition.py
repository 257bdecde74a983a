"""Inhibition: of alerts that have one cause, people hear of the cause.

Built in: silence of something wider (site, building, zone, device; a gateway of what speaks through
it; alerting itself that hears nothing) explains silence of what is inside. The wider one has to be
as grave: nothing critical keeps quiet because of a warning. The policy adds its own.

Each alert is given the root of its causes. Causes never form a circle: of two that would explain
each other, the one that was there first is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from alerts.lifecycle.known import Known
from alerts.lifecycle.platform_rules import DEAF
from alerts.lifecycle.turn import Turn
from alerts.model import AlarmClass, Severity
from alerts.policy.model import Fields, Inhibit
from devices.registry.alert_records import AlertEventKind
from devices.registry.alert_work import Standing

_RANK = {one.value: rank for rank, one in enumerate(Severity)}
_Place = tuple[str, str, str, str]
"""Site, building, zone, device."""


def inhibit(turn: Turn) -> None:
    """Give every alert that goes on its cause, or none."""
    standing = turn.work.standing()
    found = causes(standing, turn.known, turn.policy.inhibits)
    changed = {
        one.id: found.get(one.id, "") for one in standing if found.get(one.id, "") != one.cause
    }
    for name, record in turn.work.load(changed).items():
        turn.put(msgspec.structs.replace(record, cause=changed[name]))
        if changed[name]:
            turn.event(name, AlertEventKind.INHIBITED, cause=changed[name])
        else:
            turn.event(name, AlertEventKind.UNINHIBITED, cause=record.cause)
            turn.unmuted.add(name)


def causes(
    standing: Sequence[Standing], known: Known, inhibits: Sequence[Inhibit]
) -> dict[str, str]:
    """Return the root cause of each alert that has one, by its id.

    Args:
        standing: every alert that goes on, the oldest first.
        known: where devices are.
        inhibits: those of the policy.
    """
    built_in = _BuiltIn(standing, known)
    written = _Written(standing, known, inhibits)
    direct: dict[str, str] = {}
    for one in standing:
        for cause in (*built_in.causes(one), *written.causes(one)):
            if cause != one.id and _root(cause, direct) != one.id:
                direct[one.id] = cause
                break
    return {name: _root(name, direct) for name in direct}


def _root(name: str, direct: dict[str, str]) -> str:
    while name in direct:
        name = direct[name]
    return name


class _BuiltIn:
    """Silence that explains silence."""

    def __init__(self, standing: Iterable[Standing], known: Known) -> None:
        self._known = known
        self._deaf: list[Standing] = []
        self._silent: dict[_Place, list[Standing]] = defaultdict(list)
        for one in standing:
            if one.rule == DEAF:
                self._deaf.append(one)
            elif one.alarm_class == AlarmClass.NO_DATA and not one.quantity and not one.person:
                self._silent[_own_place(one)].append(one)

    def causes(self, target: Standing) -> Iterator[str]:
        """Yield what explains an alert, the widest first."""
        if target.rule == DEAF or not self._known.is_silence(target):
            return
        for one in self._deaf:
            yield one.id
        own = _own_place(target)
        for place in self._wider(target):
            if place != own or target.quantity or target.person:
                for one in self._silent.get(place, ()):
                    if _as_grave(one, target):
                        yield one.id

    def _wider(self, target: Standing) -> Iterator[_Place]:
        building, zone = self._known.place(target)
        yield (target.site, "", "", "")
        if building:
            yield (target.site, building, "", "")
        if zone:
            yield (target.site, building, zone, "")
        if target.device:
            for gateway in reversed(self._known.gateways(target.site, target.device)):
                yield (target.site, "", "", gateway)
            yield (target.site, "", "", target.device)


class _Written:
    """What the policy says."""

    def __init__(
        self, standing: Sequence[Standing], known: Known, inhibits: Sequence[Inhibit]
    ) -> None:
        self._inhibits = inhibits
        self._fields: dict[str, Fields] = {}
        self._sources: list[dict[tuple[str, ...], list[str]]] = []
        if inhibits:
            self._fields = {one.id: known.fields(one) for one in standing}
        for inhibition in inhibits:
            there: dict[tuple[str, ...], list[str]] = defaultdict(list)
            for name, fields in self._fields.items():
                if inhibition.source.fits(fields):
                    there[_equal(inhibition, fields)].append(name)
            self._sources.append(there)

    def causes(self, target: Standing) -> Iterator[str]:
        """Yield what keeps an alert quiet; alerts that fit both sides do not silence each other."""
        for inhibition, sources in zip(self._inhibits, self._sources, strict=True):
            if not sources:
                continue
            fields = self._fields[target.id]
            if not inhibition.target.fits(fields):
                continue
            both = inhibition.source.fits(fields)
            for name in sources.get(_equal(inhibition, fields), ()):
                if not (both and inhibition.target.fits(self._fields[name])):
                    yield name


def _equal(inhibition: Inhibit, fields: Fields) -> tuple[str, ...]:
    return tuple(fields.get(name, "") for name in inhibition.equal)


def _own_place(one: Standing) -> _Place:
    if one.device:
        return (one.site, "", "", one.device)
    return (one.site, one.building, one.zone, "")


def _as_grave(cause: Standing, target: Standing) -> bool:
    return _RANK.get(cause.severity, 0) >= _RANK.get(target.severity, 0)
