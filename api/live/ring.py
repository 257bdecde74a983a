"""What arrived lately, numbered, within a bound: readers take from it at their own pace.

A reader holds nothing but the number up to which it has read. One that is slow falls out at the
oldest end and learns what it missed; it costs the others nothing. The newest event is kept
whatever its size and whatever its worker's clock says: behind a number that is not the newest there
is always something to take.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec

from core.reading import Point

T = TypeVar("T")
_POINT_BYTES = 400
"""About what a point costs in memory, bytes."""
_TEXT_BYTES = 300
"""About what a text costs beside its own length, bytes."""
_NO_FACTS: Mapping[str, str | int] = MappingProxyType({})


class Texts(Generic[T]):
    """How events were written out lately, by what was asked for; the oldest texts go first.

    Args:
        most_bytes: how much they may take in all.
        size: of one, bytes.
    """

    def __init__(self, *, most_bytes: int, size: Callable[[T], int]) -> None:
        self._most_bytes = most_bytes
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self.bytes = 0

    def of(self, key: Hashable, write: Callable[[], T]) -> T:
        """Return a text, written once for all who ask for the same.

        Args:
            key: which events, and what is asked: equal for those who get the same text.
            write: makes the text.
        """
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = write()
            self.bytes += self._size(found) + _TEXT_BYTES
            while self.bytes > self._most_bytes:
                _, gone = self._kept.popitem(last=False)
                self.bytes -= self._size(gone) + _TEXT_BYTES
        return found


class Event(msgspec.Struct, eq=False):
    """Something that readers are told.

    Attributes:
        number: 1, 2, 3... of this process.
        told_ns: when it was committed, by its worker's clock, nanoseconds since the epoch.
        points: what arrived; none where something was missed on the way here.
        texts: of this event and of others.
        came_s: when it came, on the monotonic clock.
        missed: why something may be missing before this event, or "".
        facts: what is known of it.
    """

    number: int
    told_ns: int
    points: list[Point]
    texts: Texts[bytes]
    came_s: float = 0.0
    missed: str = ""
    facts: Mapping[str, str | int] = _NO_FACTS

    @property
    def size(self) -> int:
        """Return about how much memory it takes, bytes."""
        return _POINT_BYTES * (len(self.points) + 1)

    def text(self, asked: Hashable, write: Callable[[], bytes]) -> bytes:
        """Return how it is written out; see `Texts.of`."""
        return self.texts.of((self.number, asked), write)


class Ring:
    """The newest events.

    Args:
        keep_s: how long ago the oldest may have come, seconds.
        keep_bytes: how much they may take in all, beside the newest one.
        text_bytes: how much what was written out of them may take; 0: as much.
    """

    def __init__(self, *, keep_s: float, keep_bytes: int, text_bytes: int = 0) -> None:
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._texts: Texts[bytes] = Texts(most_bytes=text_bytes or keep_bytes, size=len)
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
        now_s: float,
        missed: str = "",
        facts: Mapping[str, str | int] = _NO_FACTS,
    ) -> Event:
        """Add what arrived, and let go of what is too old or too much."""
        self.newest += 1
        event = Event(self.newest, told_ns, points, self._texts, now_s, missed, facts)
        self._events.append(event)
        self._bytes += event.size
        while len(self._events) > 1 and (
            self._bytes > self._keep_bytes or self._events[0].came_s < now_s - self._keep_s
        ):
            self._bytes -= self._events.popleft().size
        return event

    def after(self, number: int, *, most: int) -> list[Event]:
        """Return events after a number, the oldest first, at most so many."""
        if not self._events or number >= self.newest:
            return []
        first = max(0, number + 1 - self._events[0].number)
        return [self._events[place] for place in range(first, min(first + most, len(self._events)))]
