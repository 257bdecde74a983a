"""A store whose long ranges are answered from roll-ups, as far as they can be believed.

An hour can be believed when it ended `SETTLED_S` ago, lies after the point down to which history
was rolled up, and no value was stored in it since (`devices.registry.kept`). Each device is read
from roll-ups up to its first hour that cannot be, and from raw values from there on, so a device
that sends old values costs speed, not truth. Hours are used where windows begin on the hour and
the aggregate follows from hours; below `LEAST_HOURS` raw values are as quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import msgspec

from core.clock import NS_PER_HOUR, NS_PER_S, Clock
from core.reading import DeviceKey
from storage.ports import (
    Aggregate,
    PointReader,
    Selection,
    Windows,
    WindowValue,
)
from storage.rollups import ROLLED_AGGREGATES, RollupReader
from storage.windows import cut

LEAST_HOURS = 48
"""Shortest range that is answered from roll-ups, hours."""
SETTLED_S = 3600
"""How long ago an hour must have ended: values on their way have been stored and told by then."""
_HOUR_S = 3600


class RolledHours(Protocol):
    """Knows which hours' roll-ups can be believed; see `devices.registry.kept`."""

    def first_marks(
        self, devices: Sequence[DeviceKey], *, start_hour: int, end_hour: int
    ) -> dict[DeviceKey, int]:
        """Return the first hour of each device that cannot be believed, of those in a range."""
        ...

    def rolled_from(self) -> int | None:
        """Return from which hour on roll-ups are kept, seconds since the epoch; None: not."""
        ...


class Part(msgspec.Struct, frozen=True):
    """What is read in one way.

    Attributes:
        selection: devices, quantities and range.
        rolled: from roll-ups; else from raw values.
    """

    selection: Selection
    rolled: bool


class Plan(msgspec.Struct, frozen=True):
    """How a query for windows is carried out.

    Attributes:
        selection: of the whole query.
        windows: its windows.
        parts: what is read, in order of time for each device.
    """

    selection: Selection
    windows: Windows
    parts: tuple[Part, ...]

    @property
    def rolled_ns(self) -> tuple[int, int] | None:
        """From when until when roll-ups were used for some device, or None."""
        rolled = [part.selection for part in self.parts if part.rolled]
        if not rolled:
            return None
        return min(one.start_ns for one in rolled), max(one.end_ns for one in rolled)


class RolledReader:
    """Plans and carries out queries for windows on a store that may keep roll-ups.

    Args:
        store: read from.
        rollups: of the same store; None: it keeps none.
        hours: which roll-ups can be believed.
        clock: the time.
    """

    def __init__(
        self, *, store: PointReader, rollups: RollupReader | None, hours: RolledHours, clock: Clock
    ) -> None:
        self._store = store
        self._rollups = rollups
        self._hours = hours
        self._clock = clock

    def plan(self, selection: Selection, windows: Windows) -> Plan:
        """Return how to answer a query.

        Raises:
            RegistryUnavailableError: it cannot be asked which hours can be believed.
        """
        raw = Plan(selection, windows, (Part(selection, rolled=False),))
        if self._rollups is None or windows.aggregate not in ROLLED_AGGREGATES:
            return raw
        first = -(-selection.start_ns // NS_PER_HOUR)
        last = min(
            selection.end_ns // NS_PER_HOUR,
            (self._clock.now_ns() - SETTLED_S * NS_PER_S) // NS_PER_HOUR,
        )
        if last - first < LEAST_HOURS or not _on_the_hour(selection, windows):
            return raw
        rolled_from = self._hours.rolled_from()
        if rolled_from is None:
            return raw
        first = max(first, rolled_from // _HOUR_S)
        if last - first < LEAST_HOURS:
            return raw
        marks = self._hours.first_marks(
            selection.devices, start_hour=first * _HOUR_S, end_hour=last * _HOUR_S
        )
        until: dict[int, list[DeviceKey]] = {}
        for device in selection.devices:
            marked = marks.get(device)
            until.setdefault(last if marked is None else marked // _HOUR_S, []).append(device)
        parts: list[Part] = []
        for end, devices in until.items():
            parts += _parts(selection, tuple(devices), first=first, last=end)
        return Plan(selection, windows, tuple(parts))

    def carry_out(self, plan: Plan) -> list[WindowValue]:
        """Return what `PointReader.aggregate` promises."""
        parts = [self._read(part, plan.windows) for part in plan.parts]
        if len(parts) == 1:
            return parts[0]
        return _joined(plan, parts)

    def _read(self, part: Part, windows: Windows) -> list[WindowValue]:
        if part.rolled and self._rollups is not None:
            return self._rollups.aggregate_rolled(part.selection, windows)
        return self._store.aggregate(part.selection, windows)


def _on_the_hour(selection: Selection, windows: Windows) -> bool:
    if windows.every.unit in {"s", "min"} and (
        windows.every.count * {"s": 1, "min": 60}[windows.every.unit] % _HOUR_S
    ):
        return False
    edges = cut(
        windows.every, zone=windows.zone, start_ns=selection.start_ns, end_ns=selection.end_ns
    )
    return all(edge % NS_PER_HOUR == 0 for edge in edges)


def _parts(
    selection: Selection, devices: tuple[DeviceKey, ...], *, first: int, last: int
) -> Iterator[Part]:
    """Yield how some devices are read whose hours can be believed from `first` until `last`."""
    start_ns, end_ns = first * NS_PER_HOUR, last * NS_PER_HOUR
    if start_ns >= end_ns:
        start_ns = end_ns = selection.start_ns
    for from_ns, to_ns, rolled in (
        (selection.start_ns, start_ns, False),
        (start_ns, end_ns, True),
        (end_ns, selection.end_ns, False),
    ):
        if from_ns < to_ns:
            yield Part(
                msgspec.structs.replace(selection, devices=devices, start_ns=from_ns, end_ns=to_ns),
                rolled=rolled,
            )


_Key = tuple[str, str, str]


def _joined(plan: Plan, parts: Sequence[Iterable[WindowValue]]) -> list[WindowValue]:
    """Return the windows of all parts; those that two parts share are made one."""
    found: dict[_Key, dict[int, WindowValue]] = {}
    for values in parts:
        for value in values:
            windows = found.setdefault((value.site, value.device, value.quantity), {})
            before = windows.get(value.start_ns)
            windows[value.start_ns] = (
                value if before is None else _one(before, value, plan.windows.aggregate)
            )
    return [
        value
        for device in dict.fromkeys(plan.selection.devices)
        for quantity in plan.selection.quantities
        for _, value in sorted(found.get((device.site, device.device, quantity), {}).items())
    ]


def _one(earlier: WindowValue, later: WindowValue, aggregate: Aggregate) -> WindowValue:
    """Return the aggregate of a window from those of its two parts."""
    if earlier.value is None or not earlier.count:
        return later
    if later.value is None or not later.count:
        return earlier
    count = earlier.count + later.count
    match aggregate:
        case Aggregate.MIN:
            value = min(earlier.value, later.value)
        case Aggregate.MAX:
            value = max(earlier.value, later.value)
        case Aggregate.FIRST:
            value = earlier.value
        case Aggregate.LAST:
            value = later.value
        case Aggregate.MEAN:
            value = (earlier.value * earlier.count + later.value * later.count) / count
        case _:
            value = earlier.value + later.value
    return msgspec.structs.replace(earlier, value=value, count=count)
