"""What a reader of the live stream asked for and may see, and how it is written out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import msgspec

from api.analysis.quality import QualityFilter
from api.live.ring import Event
from api.selection import quality_flags
from api.times import in_zone
from core.quantities import CATALOGUE
from core.reading import Point

Visible = Callable[[str, str], bool]
"""Tells whether values of (site, quantity) may be shown."""


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for; empty: everything that may be seen.

    Attributes:
        sites: of these sites.
        devices: of these devices.
        quantities: of these quantities.
        quality: of this quality.
        zone: in which instants are written.
    """

    sites: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    quantities: frozenset[str] = frozenset()
    quality: QualityFilter = QualityFilter()
    zone: ZoneInfo = ZoneInfo("UTC")

    def units(self) -> dict[str, str]:
        """Return the UCUM unit of each quantity that may come."""
        names = self.quantities or CATALOGUE.keys()
        return {name: CATALOGUE[name].unit for name in CATALOGUE if name in names}


class _Asked:
    """A question and rights, looked up at every event: equal ones are one object, by `_asked`."""


_keys: WeakValueDictionary[Hashable, _Asked] = WeakValueDictionary()
_lock = Lock()


def _asked(what: Hashable) -> _Asked:
    """Return the object that stands for a question and rights as long as anybody asks it."""
    with _lock:
        key = _keys.get(what)
        if key is None:
            key = _keys[what] = _Asked()
        return key


class Shown:
    """What one reader gets. Readers that ask for the same with the same rights share the work.

    Args:
        wanted: what is asked for.
        visible: what may be seen.
        rights: equal for readers of whom `visible` says the same.

    Attributes:
        wanted: as above.
        key: equal for those who get the same texts.
    """

    def __init__(self, wanted: Wanted, *, visible: Visible, rights: Hashable) -> None:
        self.wanted = wanted
        self._visible = visible
        self.key: Hashable = _asked((wanted, wanted.zone.key, rights))

    def text(self, event: Event) -> bytes:
        """Return the points of an event as a JSON array; empty where it has none for the reader."""
        return event.text(self.key, lambda: self._written(event))

    def _written(self, event: Event) -> bytes:
        rows = [row for point in event.points if (row := self._row(point)) is not None]
        return msgspec.json.encode(rows) if rows else b""

    def _row(self, point: Point) -> dict[str, object] | None:
        wanted = self.wanted
        if wanted.sites and point.site not in wanted.sites:
            return None
        if wanted.devices and point.device not in wanted.devices:
            return None
        if wanted.quality.active and not wanted.quality.keeps(point.quality):
            return None
        values = {
            name: value
            for name, value in point.values.items()
            if (not wanted.quantities or name in wanted.quantities)
            and self._visible(point.site, name)
        }
        if not values:
            return None
        return {
            "site": point.site,
            "device": point.device,
            "time": in_zone(point.time_ns, wanted.zone),
            "values": values,
            "quality": quality_flags(point.quality),
        }
