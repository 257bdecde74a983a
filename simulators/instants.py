"""Keeping the instants of one recorded device apart.

A recording whose clock was set back holds two values at one instant. A point's key is its device
and its instant, so the later value would replace the earlier one. The later one is moved by a
nanosecond, far below any sensor's clock, and both are kept.
"""

from __future__ import annotations

from collections import deque

_MOST_REMEMBERED = 100_000


class Instants:
    """The last 100,000 instants of one device; a clock set back further is not noticed."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._order: deque[int] = deque()

    def apart(self, time_ns: int) -> int:
        """Return `time_ns`, or the first instant after it that is not taken, in nanoseconds."""
        while time_ns in self._taken:
            time_ns += 1
        self._taken.add(time_ns)
        self._order.append(time_ns)
        if len(self._order) > _MOST_REMEMBERED:
            self._taken.discard(self._order.popleft())
        return time_ns
