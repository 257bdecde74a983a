"""The bounded queue between the source and the accept stage; full, the source stops reading.

Any number of threads put, one takes. What was taken counts as unfinished until `done` says that it
is on disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from operator import attrgetter

from core.clock import Clock
from ingest.arrival import Arrival

_PAYLOAD = attrgetter("payload")


class Inbox:
    """Arrivals that were delivered and are not on disk yet.

    Args:
        max_messages: how many may wait; one delivery may go beyond it.
        max_bytes: size of the payloads that may wait; likewise.
        clock: measures waits.
    """

    def __init__(self, *, max_messages: int, max_bytes: int, clock: Clock) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._clock = clock
        self._waiting: deque[tuple[Sequence[Arrival], int, float]] = deque()
        self._messages = 0
        self._bytes = 0
        self._unfinished = 0
        self._closed = False
        self._wanted_messages = self._wanted_bytes = 0
        self._changed = threading.Condition()

    @property
    def messages(self) -> int:
        """How many wait to be taken."""
        return self._messages

    @property
    def unfinished(self) -> int:
        """How many were put and are not done."""
        return self._unfinished

    def put(self, arrivals: Sequence[Arrival]) -> bool:
        """Add arrivals; block while the inbox is full.

        Returns:
            False when it was closed: then they are not taken.
        """
        size = sum(map(len, map(_PAYLOAD, arrivals)))
        with self._changed:
            while self._full and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._waiting.append((arrivals, size, self._clock.monotonic_s()))
            self._messages += len(arrivals)
            self._bytes += size
            self._unfinished += len(arrivals)
            if self._enough:  # who waits for more is not woken at each delivery
                self._changed.notify_all()
            return True

    @property
    def _enough(self) -> bool:
        return (
            self._messages >= self._wanted_messages
            or self._bytes >= self._wanted_bytes
            or self._full
        )

    @property
    def _full(self) -> bool:
        return self._messages >= self._max_messages or self._bytes >= self._max_bytes

    def take(self, *, limit: int, limit_bytes: int, first_s: float, fill_s: float) -> list[Arrival]:
        """Return the oldest arrivals, none when there are none in time.

        Args:
            limit: most arrivals to return.
            limit_bytes: size of their payloads from which on no further delivery is added.
            first_s: how long to wait for the first, seconds.
            fill_s: how long the first may have waited for more, seconds; 0 once the inbox is
                closed.
        """
        taken: list[Arrival] = []
        size = 0
        with self._changed:
            if not self._waiting and not self._closed:
                self._wanted_messages, self._wanted_bytes = 1, 1
                self._changed.wait(first_s)
            if not self._waiting:
                return taken
            deadline_s = self._waiting[0][2] + fill_s
            self._wanted_messages, self._wanted_bytes = limit, limit_bytes
            while not self._enough and not self._closed:
                left_s = deadline_s - self._clock.monotonic_s()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            while self._waiting and len(taken) < limit and size < limit_bytes:
                size += self._move(taken, limit)
            self._changed.notify_all()
        return taken

    def done(self, messages: int) -> None:
        """Say that so many of those taken are on disk, or left to the broker."""
        with self._changed:
            self._unfinished -= messages

    def close(self) -> None:
        """Take nothing more; what is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _move(self, taken: list[Arrival], limit: int) -> int:
        """Take the oldest delivery, or what there is room for; return the size of its payloads."""
        arrivals, size, put_s = self._waiting.popleft()
        room = limit - len(taken)
        if len(arrivals) > room:
            rest = arrivals[room:]
            rest_size = sum(map(len, map(_PAYLOAD, rest)))
            self._waiting.appendleft((rest, rest_size, put_s))
            arrivals, size = arrivals[:room], size - rest_size
        taken.extend(arrivals)
        self._messages -= len(arrivals)
        self._bytes -= size
        return size
