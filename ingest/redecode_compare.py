"""What decoding again changes: new values set against those that the store has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from core.clock import NS_PER_HOUR
from core.reading import DeviceKey, Point, Reading
from ingest.judge import Verdict
from storage.paging import every_reading
from storage.ports import PointReader, Selection

_GAP_NS = NS_PER_HOUR

Value = tuple[str, str, str, int]
"""Whose value: site, device, quantity, instant."""


class ChangeKind(StrEnum):
    """How a value would differ."""

    ADDED = "added"
    """The store has none there."""
    CHANGED = "changed"
    """The store has another one, or another quality of it."""
    REMOVED = "removed"
    """The store has one that an earlier version gave, and this one gives none."""


class Change(msgspec.Struct, frozen=True):
    """One value that differs.

    Attributes:
        kind: how.
        site: of the device.
        device: the device.
        quantity: which.
        time_ns: instant of the value, nanoseconds since the epoch.
        before: as the store has it, or None.
        after: as it is decoded now, or None.
    """

    kind: ChangeKind
    site: str
    device: str
    quantity: str
    time_ns: int
    before: float | None
    after: float | None


class Compared(msgspec.Struct, frozen=True):
    """What some messages change.

    Attributes:
        changes: every value that differs.
        same: how many do not, by (site, device, quantity).
        points: what has to be written for the added and changed ones.
    """

    changes: list[Change]
    same: dict[tuple[str, str, str], int]
    points: list[Point]


class Portion:
    """Messages decoded by the version asked for and by those before it, not yet compared."""

    def __init__(self) -> None:
        self.messages = 0
        self._points: dict[tuple[str, str, str, int], Point] = {}
        self._earlier: dict[Value, set[float]] = defaultdict(set)

    def add(self, new: Verdict, earlier: Iterable[Verdict]) -> None:
        """Add a message; of two values of one instant the later counts, as in the store."""
        self.messages += 1
        for point in new.points:
            key = (point.site, point.device, point.category, point.time_ns)
            before = self._points.get(key)
            if before is not None:
                quality = point.quality or before.quality
                point = msgspec.structs.replace(  # noqa: PLW2901 - one point of both messages
                    point, values={**before.values, **point.values}, quality=quality
                )
            self._points[key] = point
        for verdict in earlier:
            for point in verdict.points:
                for quantity, value in point.values.items():
                    key = (point.site, point.device, quantity, point.time_ns)
                    self._earlier[key].add(value)

    def compare(self, store: PointReader) -> Compared:
        """Return what differs from the store.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        kept = _stored(store, self._wanted())
        changes: list[Change] = []
        same: dict[tuple[str, str, str], int] = defaultdict(int)
        points: list[Point] = []
        given: set[Value] = set()
        for point in self._points.values():
            differs = False
            for quantity, value in point.values.items():
                key = (point.site, point.device, quantity, point.time_ns)
                given.add(key)
                reading = kept.get(key)
                if reading is None:
                    changes.append(Change(ChangeKind.ADDED, *key, None, value))
                elif reading.value != value or _better_known(point, reading):
                    changes.append(Change(ChangeKind.CHANGED, *key, reading.value, value))
                else:
                    same[key[:3]] += 1
                    continue
                differs = True
            if differs:
                points.append(point)
        for key, values in self._earlier.items():
            reading = kept.get(key)
            # A value that no version gave is somebody else's.
            if key not in given and reading is not None and reading.value in values:
                changes.append(Change(ChangeKind.REMOVED, *key, reading.value, None))
        return Compared(changes, dict(same), points)

    def _wanted(self) -> dict[DeviceKey, tuple[set[str], set[int]]]:
        wanted: dict[DeviceKey, tuple[set[str], set[int]]] = {}
        for point in self._points.values():
            key = DeviceKey(point.site, point.device)
            quantities, times = wanted.setdefault(key, (set(), set()))
            quantities.update(point.values)
            times.add(point.time_ns)
        for site, device, quantity, time_ns in self._earlier:
            quantities, times = wanted.setdefault(DeviceKey(site, device), (set(), set()))
            quantities.add(quantity)
            times.add(time_ns)
        return wanted


def _better_known(point: Point, reading: Reading) -> bool:
    """Say whether the quality differs in a way that can be written: 0 leaves what is there."""
    return point.quality not in (0, reading.quality)


def _stored(
    store: PointReader, wanted: dict[DeviceKey, tuple[set[str], set[int]]]
) -> dict[Value, Reading]:
    """Return what the store has at the instants asked for."""
    found: dict[Value, Reading] = {}
    for device, (quantities, times) in wanted.items():
        names = tuple(sorted(quantities))
        for first_ns, last_ns in spans(sorted(times)):
            selection = Selection((device,), names, first_ns, last_ns + 1)
            for one in every_reading(store, selection):
                if one.time_ns in times:
                    found[one.site, one.device, one.quantity, one.time_ns] = one
    return found


def spans(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the ranges (inclusive) of instants in order, parted where an hour holds none."""
    first = last = times[0]
    for time_ns in times:
        if time_ns - last > _GAP_NS:
            yield first, last
            first = time_ns
        last = time_ns
    yield first, last
