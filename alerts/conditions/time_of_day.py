"""It is between two times of the day, in the zone of the site, on some days of the week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts.conditions.node import Entry
from alerts.rules.model import TimeOfDay
from core.clock import NS_PER_S

_DAY = timedelta(days=1)
_DAY_MIN = 1440
_AHEAD = 9


class TimeOfDayNode:
    """It is that time at the site.

    A window is from its start on the clock on the wall until its end on that clock: across a change
    of summer time it is an hour longer or shorter. A time that the clock leaves out is the instant
    at which the clock would have shown it had it not been changed (PEP 495, fold 0).

    Args:
        said: as it is written.
        zone: of the site.
    """

    timed = True
    quantities: frozenset[str] | None = frozenset()

    def __init__(self, said: TimeOfDay, *, zone: ZoneInfo) -> None:
        self._said = said
        self._zone = zone
        self._known = (0, 0, False)

    def take(self, entry: Entry) -> None:
        """Pass over a value."""

    def holds(self, at_ns: int) -> bool | None:
        """Return whether it is that time."""
        start_ns, end_ns, inside = self._known
        if not start_ns <= at_ns < end_ns:
            self._known = start_ns, end_ns, inside = self._around(at_ns)
        return inside

    def next_ns(self, at_ns: int) -> int | None:
        """Return when the answer changes."""
        self.holds(at_ns)
        return self._known[1]

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return the local time."""
        local = datetime.fromtimestamp(at_ns / NS_PER_S, UTC).astimezone(self._zone)
        return {"local_time": local.strftime("%H:%M")}

    def save(self) -> Any:
        """Return None: it only depends on the instant."""

    def load(self, saved: Any) -> None:
        """Return to a state."""

    def _around(self, at_ns: int) -> tuple[int, int, bool]:
        """Return an interval around an instant in which the answer is one, and the answer."""
        day = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(self._zone).date()
        before = at_ns
        for start_ns, end_ns in self._windows(day - 2 * _DAY):
            if start_ns <= at_ns < end_ns:
                return start_ns, end_ns, True
            if at_ns < start_ns:
                return before, start_ns, False
            before = max(end_ns, before) if end_ns <= at_ns else before
        return at_ns, at_ns + NS_PER_S, False

    def _windows(self, first: date) -> Iterator[tuple[int, int]]:
        said = self._said
        over = said.end_min <= said.start_min
        for ahead in range(_AHEAD + 2):
            day = first + ahead * _DAY
            if day.weekday() in said.days:
                start_ns = self._instant(day, said.start_min)
                end_ns = self._instant(day + _DAY if over else day, said.end_min)
                if end_ns > start_ns:
                    yield start_ns, end_ns

    def _instant(self, day: date, minute: int) -> int:
        day += _DAY * (minute // _DAY_MIN)
        hour, left = divmod(minute % _DAY_MIN, 60)
        local = datetime(day.year, day.month, day.day, hour, left, tzinfo=self._zone)
        return round(local.timestamp()) * NS_PER_S
