"""The store and the newest values as one caller may read them.

Every request reads through these. Routes refuse what may not be read with a better sentence before
they get here; what a route forgot is refused here all the same. Vital signs that are read on the
way are noted in the request's trail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from api.access.visibility import Access, check_quantities, visible
from api.watched_store import WatchedStore
from core.access import HEALTH_QUANTITIES
from core.reading import DeviceKey, Reading
from devices.registry import Device
from storage.columns import ColumnPage
from storage.ports import HourCount, Page, Position, Selection, Windows, WindowValue
from storage.rollups import RollupReader


class Newest(Protocol):
    """The newest value of every series; see `api.newest.NewestValues`."""

    def of(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """Return what `PointReader.latest` does."""
        ...

    def devices(self) -> list[Device]:
        """Return every registered device."""
        ...


class PermittedStore:
    """The store, for one caller and one request.

    Raises `ForbiddenError` where a selection has what the caller may not read.
    """

    def __init__(self, store: WatchedStore, access: Access) -> None:
        self._store = store
        self._access = access
        self._checked: list[tuple[object, object]] = []

    @property
    def rollups(self) -> RollupReader | None:
        """Where roll-ups are read, or None when the store keeps none."""
        return None if self._store.rollups is None else self

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`."""
        self._check(selection)
        page = self._store.read(selection, limit=limit, after=after)
        self._note(page.readings, selection)
        return page

    def read_columns(
        self, selection: Selection, *, limit: int, after: Position | None = None
    ) -> ColumnPage:
        """See `SettledColumns.page`."""
        self._check(selection)
        page = self._store.read_columns(selection, limit=limit, after=after)
        if self._concerns_health(selection):
            for one in page.columns:
                if one.series.quantity in HEALTH_QUANTITIES:
                    device = DeviceKey(one.series.site, one.series.device)
                    self._access.trail.value(device, one.series.quantity, rows=len(one))
        return page

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        self._check(selection)
        found = self._store.aggregate(selection, windows)
        self._note_windows(found, selection)
        return found

    def aggregate_rolled(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `RollupReader.aggregate_rolled`; only for a reader that keeps roll-ups."""
        self._check(selection)
        found = self._store.aggregate_rolled(selection, windows)
        self._note_windows(found, selection)
        return found

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`; without quantities: those that the caller may read."""
        if quantities is not None:
            check_quantities(self._access, _sites(devices), quantities)
        found = self._store.latest(devices, quantities=quantities)
        return _shown(found, self._access)

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        self._check(selection)
        return self._store.count(selection)

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`; without devices: those that the caller may know of."""
        sites = self._access.sites
        found = self._store.hourly(devices, start_ns=start_ns, end_ns=end_ns)
        return found if sites is None else [one for one in found if one.site in sites]

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`."""
        return self._store.keeps_s()

    def ping(self) -> None:
        """See `PointReader.ping`."""
        self._store.ping()

    def close(self) -> None:
        """Do nothing: the store belongs to whoever made it."""

    def _check(self, selection: Selection) -> None:
        asked = (selection.devices, selection.quantities)
        if any(asked[0] is one and asked[1] is other for one, other in self._checked):
            return
        check_quantities(self._access, _sites(selection.devices), selection.quantities)
        self._checked = [asked]

    def _note(self, readings: Iterable[Reading], selection: Selection) -> None:
        if self._concerns_health(selection):
            note_readings(self._access, readings)

    def _concerns_health(self, selection: Selection) -> bool:
        """Tell whether vital signs were asked for, and note for when."""
        if HEALTH_QUANTITIES.isdisjoint(selection.quantities):
            return False
        self._access.trail.between(selection.start_ns, selection.end_ns)
        return True

    def _note_windows(self, values: Iterable[WindowValue], selection: Selection) -> None:
        if not self._concerns_health(selection):
            return
        trail = self._access.trail
        for one in values:
            if one.value is not None and one.quantity in HEALTH_QUANTITIES:
                trail.value(DeviceKey(one.site, one.device), one.quantity)


class PermittedNewest:
    """The newest values, for one caller and one request."""

    def __init__(self, newest: Newest, access: Access) -> None:
        self._newest = newest
        self._access = access

    def of(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """Return what `PointReader.latest` does, of what the caller may read."""
        if quantities is not None:
            check_quantities(self._access, _sites(devices), quantities)
        found = _shown(self._newest.of(devices, quantities=quantities), self._access)
        note_readings(self._access, found)
        return found

    def devices(self) -> list[Device]:
        """Return the registered devices that the caller may know of."""
        sites = self._access.sites
        found = self._newest.devices()
        return found if sites is None else [one for one in found if one.site in sites]


def note_readings(access: Access, readings: Iterable[Reading]) -> None:
    """Note the vital signs among values that are shown to a caller."""
    for one in readings:
        if one.quantity in HEALTH_QUANTITIES:
            access.trail.value(DeviceKey(one.site, one.device), one.quantity)


def _shown(readings: list[Reading], access: Access) -> list[Reading]:
    shown = visible(access)
    return [one for one in readings if shown(one.site, one.quantity)]


def _sites(devices: Collection[DeviceKey]) -> set[str]:
    return {device.site for device in devices}
