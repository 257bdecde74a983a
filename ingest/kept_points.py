"""Telling the registry of points that reached the store: newest values, and hours that changed.

The drain's points are told through the spool (`ingest.kept`); `KeptWriter` is for what writes to
the store beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.clock import NS_PER_HOUR
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Point, Reading, readings_of
from devices.registry import Registry
from devices.registry.kept import Mark
from storage.line_protocol import series_of
from storage.ports import PointReader, PointWriter, Position, Retry, ValueRemover, Written

_HOUR_S = 3600


def tell_points(
    registry: Registry, points: Iterable[Point], hours: Iterable[tuple[bytes, int]] = ()
) -> None:
    """Tell newest values of some points, and hours by what stands before the fields of a line.

    Raises:
        RegistryUnavailableError: the registry does not answer; nothing was told.
    """
    registry.kept.tell(readings_of(points), [Mark(*series_of(head), hour) for head, hour in hours])


class KeptWriter:
    """Writes points to a store, or takes values out of it, and tells the registry.

    The hours are marked before and after: whatever is interrupted, they are rolled up again.

    Args:
        registry: is told.
        writer: the store.
        reader: the same store.
        remover: the same store, where it can remove.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        writer: PointWriter,
        reader: PointReader,
        remover: ValueRemover | None = None,
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._reader = reader
        self._remover = remover

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`.

        Raises:
            RegistryUnavailableError: the registry does not answer; write them again.
        """
        marks = {Mark(one.site, one.device, one.category, _hour(one.time_ns)) for one in points}
        self._registry.kept.tell([], marks)
        outcome = self._writer.write(points)
        if not isinstance(outcome, Retry):
            refused = {one.index for one in outcome.rejected}
            taken = [one for place, one in enumerate(points) if place not in refused]
            tell_points(self._registry, taken)
            self._registry.kept.tell([], marks)
        return outcome

    def remove(self, values: Sequence[Position]) -> int | Retry:
        """See `ValueRemover.remove`; the newest value before one that is gone takes its place.

        Raises:
            RegistryUnavailableError: the registry does not answer; remove them again.
        """
        if self._remover is None:
            raise TypeError("this store cannot remove values")
        marks = {
            Mark(one.site, one.device, CATALOGUE[one.quantity].category, _hour(one.time_ns))
            for one in values
        }
        self._registry.kept.tell([], marks)
        outcome = self._remover.remove(values)
        if not isinstance(outcome, Retry):
            self._registry.kept.forget(
                [Reading(one.site, one.device, one.quantity, one.time_ns, 0.0) for one in values]
            )
            devices = sorted({DeviceKey(one.site, one.device) for one in values})
            self._registry.kept.tell(self._reader.latest(devices), marks)
        return outcome

    def close(self) -> None:
        """Nothing is held: the store is the caller's to close."""


def _hour(time_ns: int) -> int:
    return time_ns // NS_PER_HOUR * _HOUR_S
