"""The value is far from what is usual at this time of the day or week, by the series' own past."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np

from alerts.conditions.baseline import usual
from alerts.conditions.node import Entry
from alerts.rules.model import Season, Seasonal
from core.clock import NS_PER_S
from core.quantities import quantity

_QUARTER_S = 900
_SLOTS: Mapping[Season, tuple[int, int, int]] = {
    # seconds of a slot, slots of a season, slots between two looks at the past
    Season.DAY: (1800, 48, 12),
    Season.WEEK: (3600, 168, 24),
}
_NOTHING = b""


class SeasonalNode:
    """The newest value is further from the usual one than so many spreads.

    Of the past it keeps one value a slot (half an hour of the day, an hour of the week): the first.
    What is usual (see `baseline`) is found from them again every six hours (every day for a week),
    so what alarms is not usual within the hour, and is once it has lasted for half of the history.
    It cannot be said before half of the history is known, nor at a time of the day that half of the
    seasons did not have. Slots follow the clock on the wall: an hour that it shows twice adds
    nothing the second time.

    Args:
        said: as it is written.
        zone: of the site.
    """

    timed = False

    def __init__(self, said: Seasonal, *, zone: ZoneInfo) -> None:
        self._said = said
        self._zone = zone
        self.quantities: frozenset[str] | None = frozenset((said.quantity,))
        self._slot_s, self._slots, self._every = _SLOTS[said.season]
        self._needed = math.ceil(said.seasons / 2)
        self._clock = (-1, 0)
        self._samples = _NOTHING  # float32, whole seasons, of which the last is the present one
        self._newest = -1  # slot of the newest sample, counted from the epoch on the clock
        self._usual = _NOTHING  # two rows of float32, or nothing
        self._looked = -1
        self._value: float | None = None
        self._expected: float | None = None
        self._allowed = 0.0

    def take(self, entry: Entry) -> None:
        """Take a value, and judge it."""
        at_ns, device, name, value = entry
        said = self._said
        if name != said.quantity or (said.device and device != said.device):
            return
        wall_s = self._wall_s(at_ns // NS_PER_S)
        slot = wall_s // self._slot_s
        if slot > self._newest:
            self._keep(slot, value)
            look = (slot + crc32(device.encode()) % self._every) // self._every
            if look != self._looked:
                self._looked = look
                self._usual = self._look()
        self._value = value
        self._expected = None
        if self._usual:
            self._judge(slot, (wall_s % self._slot_s) / self._slot_s)

    def holds(self, _at_ns: int) -> bool | None:
        """Return whether the newest value is far off; None: nobody knows what is usual."""
        if self._value is None or self._expected is None:
            return None
        off = self._value - self._expected
        said = self._said
        return (said.above and off > self._allowed) or (said.below and off < -self._allowed)

    def next_ns(self, _at_ns: int) -> int | None:
        """Return None: only values change it."""
        return None

    def facts(self, _at_ns: int) -> Mapping[str, str | float]:
        """Return the value, the usual one, and how far off it may be."""
        name = self._said.quantity
        found: dict[str, str | float] = {"quantity": name, "unit": quantity(name).unit}
        if self._value is not None:
            found["value"] = self._value
        if self._expected is not None:
            found |= {"expected": self._expected, "allowed": self._allowed}
        return found

    def save(self) -> Any:
        """Return all state; what did not change since is the same object."""
        return (
            self._samples, self._newest, self._usual, self._looked,
            self._value, self._expected, self._allowed,
        )  # fmt: skip

    def load(self, saved: Any) -> None:
        """Return to a state."""
        (self._samples, self._newest, self._usual, self._looked,
         self._value, self._expected, self._allowed) = saved  # fmt: skip

    def _wall_s(self, at_s: int) -> int:
        """Return what the clock on the wall shows, as seconds; zones change at whole quarters."""
        quarter, offset_s = self._clock
        if at_s // _QUARTER_S != quarter:
            offset = datetime.fromtimestamp(at_s, UTC).astimezone(self._zone).utcoffset()
            offset_s = (offset or timedelta()) // timedelta(seconds=1)
            self._clock = at_s // _QUARTER_S, offset_s
        return at_s + offset_s

    def _keep(self, slot: int, value: float) -> None:
        season, place = divmod(slot, self._slots)
        kept = np.frombuffer(self._samples, dtype=np.float32).reshape(-1, self._slots)
        ahead = season - self._newest // self._slots if len(kept) else 1
        most = self._said.seasons + 1
        new = np.full((min(ahead, most), self._slots), np.nan, dtype=np.float32)
        rows = np.concatenate((kept, new))[-most:]
        rows[-1, place] = value
        self._samples = rows.tobytes()
        self._newest = slot

    def _look(self) -> bytes:
        about = quantity(self._said.quantity)
        rows = np.frombuffer(self._samples, dtype=np.float32).reshape(-1, self._slots)
        if len(rows) < self._needed:
            return _NOTHING
        return usual(rows, needed=self._needed, extent=about.maximum - about.minimum).tobytes()

    def _judge(self, slot: int, part: float) -> None:
        """Find what is usual between the slot and the next one, as far as it is in the slot."""
        levels, spreads = np.frombuffer(self._usual, dtype=np.float32).reshape(2, self._slots)
        first, second = slot % self._slots, (slot + 1) % self._slots
        here, ahead = float(levels[first]), float(levels[second])
        if math.isnan(here):
            return
        spread = float(spreads[first])
        if not math.isnan(ahead):
            here += (ahead - here) * part
            spread = max(spread, float(spreads[second]))
        self._expected = here
        self._allowed = max(self._said.deviations * spread, self._said.minimum)
