"""The bounded queue between the source and the accept stage; full, the source stops reading.

Any number of threads put, one takes. What was taken counts as unfinished until `done` says that it
is on disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from core.clock import Clock
from ingest.arrival import Arrival


class Inbox:
    """Arrivals that were delivered and are not on disk yet.

    Args:
        max_messages: how many may wait; one delivery may go beyond it.
        clock: measures waits.
    """

    def __init__(self, *, max_messages: int, clock: Clock) -> None:
        self._max_messages = max_messages
        self._clock = clock
        self._waiting: deque[Sequence[Arrival]] = deque()
        self._messages = 0
        self._unfinished = 0
        self._closed = False
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
        with self._changed:
            while self._messages >= self._max_messages and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._waiting.append(arrivals)
            self._messages += len(arrivals)
            self._unfinished += len(arrivals)
            self._changed.notify_all()
            return True

    def take(self, *, limit: int, first_s: float, fill_s: float) -> list[Arrival]:
        """Return the oldest arrivals, none when there are none in time.

        Args:
            limit: most arrivals to return.
            first_s: how long to wait for the first, seconds.
            fill_s: how long to wait for more after it, seconds; 0 once the inbox is closed.
        """
        taken: list[Arrival] = []
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(first_s)
            deadline_s = self._clock.monotonic_s() + fill_s
            while len(taken) < limit:
                if self._waiting:
                    self._move(taken, limit)
                    continue
                left_s = deadline_s - self._clock.monotonic_s()
                if not taken or left_s <= 0 or self._closed:
                    break
                self._changed.wait(left_s)
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

    def _move(self, taken: list[Arrival], limit: int) -> None:
        arrivals = self._waiting.popleft()
        room = limit - len(taken)
        if len(arrivals) > room:
            self._waiting.appendleft(arrivals[room:])
            arrivals = arrivals[:room]
        taken.extend(arrivals)
        self._messages -= len(arrivals)
