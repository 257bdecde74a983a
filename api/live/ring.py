"""What arrived lately, numbered, within a bound: readers take from it at their own pace.

A reader holds nothing but the number up to which it has read. One that is slow falls out at the
oldest end and learns what it missed; it costs the others nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from core.reading import Point

_POINT_BYTES = 400
"""About what a point costs in memory, bytes."""
_NO_FACTS: Mapping[str, str | int] = MappingProxyType({})


class Event(msgspec.Struct, eq=False):
    """Something that readers are told.

    Attributes:
        number: 1, 2, 3... of this process.
        told_ns: when it was committed, nanoseconds since the epoch.
        points: what arrived; none where something was missed on the way here.
        missed: why something may be missing before this event, or "".
        facts: what is known of it.
        texts: how it was written out already, by what was asked for.
    """

    number: int
    told_ns: int
    points: list[Point]
    missed: str = ""
    facts: Mapping[str, str | int] = _NO_FACTS
    texts: dict[object, bytes] = {}

    @property
    def size(self) -> int:
        """Return about how much memory it takes, bytes."""
        return _POINT_BYTES * (len(self.points) + 1)


class Ring:
    """The newest events.

    Args:
        keep_s: how old the oldest may be, seconds.
        keep_bytes: how much they may take in all.
    """

    def __init__(self, *, keep_s: float, keep_bytes: int) -> None:
        self._keep_ns = round(keep_s * 1e9)
        self._keep_bytes = keep_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0
        self.newest = 0

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept; one more than the newest when none is."""
        return self._events[0].number if self._events else self.newest + 1

    def put(
        self,
        points: list[Point],
        *,
        told_ns: int,
        now_ns: int,
        missed: str = "",
        facts: Mapping[str, str | int] = _NO_FACTS,
    ) -> Event:
        """Add what arrived, and let go of what is too old or too much."""
        self.newest += 1
        event = Event(self.newest, told_ns, points, missed, facts, {})
        self._events.append(event)
        self._bytes += event.size
        while self._events and (
            self._bytes > self._keep_bytes or self._events[0].told_ns < now_ns - self._keep_ns
        ):
            self._bytes -= self._events.popleft().size
        return event

    def after(self, number: int, *, most: int) -> list[Event]:
        """Return events after a number, the oldest first, at most so many."""
        if not self._events or number >= self.newest:
            return []
        first = max(0, number + 1 - self._events[0].number)
        return [self._events[place] for place in range(first, min(first + most, len(self._events)))]
