"""The battery will be empty soon: a robust line through the medians of its days."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from statistics import median
from typing import Any

from alerts.conditions.node import Entry
from alerts.rules.model import Battery
from core.clock import NS_PER_S

_DAY_NS = 86_400 * NS_PER_S
_FEWEST_DAYS = 3
_CHARGED = 20.0
_MOST_A_DAY = 1440


class BatteryNode:
    """The level will reach `empty` within some days.

    The slope is the median of the slopes between all pairs of days (Theil 1950, Sen 1968), each day
    being the median of its values; a rise of 20 points means that it was charged or exchanged, and
    what was before does not count.

    Args:
        said: as it is written.
    """

    timed = False

    def __init__(self, said: Battery) -> None:
        self._said = said
        self.quantities: frozenset[str] | None = frozenset(("battery_level",))
        self._days: tuple[tuple[int, float], ...] = ()
        self._today: tuple[int, tuple[float, ...]] = (-1, ())

    def take(self, entry: Entry) -> None:
        """Take a level."""
        at_ns, device, name, value = entry
        if name != "battery_level" or (self._said.device and device != self._said.device):
            return
        day, levels = self._today
        if levels and value > median(levels) + _CHARGED:
            self._days, levels = (), ()
        if at_ns // _DAY_NS != day:
            if levels:
                self._days = (*self._days, (day, median(levels)))[-self._said.over_days :]
            day, levels = at_ns // _DAY_NS, ()
        self._today = day, (*levels, value)[-_MOST_A_DAY:]

    def holds(self, _at_ns: int) -> bool | None:
        """Return whether it will be empty soon; None: fewer than three days are known."""
        level = self._level()
        if level is None:
            return None
        if level <= self._said.empty:
            return True
        days = self._days_left(level)
        return None if days is None else days < self._said.within_days

    def next_ns(self, _at_ns: int) -> int | None:
        """Return None: only values change it."""
        return None

    def facts(self, _at_ns: int) -> Mapping[str, str | float]:
        """Return the level, and in how many days it is empty."""
        found: dict[str, str | float] = {"quantity": "battery_level", "unit": "%"}
        level = self._level()
        if level is None:
            return found
        found["value"] = level
        days = self._days_left(level)
        if days is not None and days != float("inf"):
            found["days_left"] = round(days, 1)
        return found

    def save(self) -> Any:
        """Return all state."""
        return self._days, self._today

    def load(self, saved: Any) -> None:
        """Return to a state."""
        self._days, self._today = saved

    def _level(self) -> float | None:
        return median(self._today[1]) if self._today[1] else None

    def _days_left(self, level: float) -> float | None:
        days = (*self._days, (self._today[0], level))
        if len(days) < _FEWEST_DAYS:
            return None
        slope = median((b - a) / (later - day) for (day, a), (later, b) in combinations(days, 2))
        return (level - self._said.empty) / -slope if slope < 0 else float("inf")
