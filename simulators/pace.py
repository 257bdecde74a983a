"""Simulated time: how the instants of a run relate to those of the wall clock.

Simulated time never runs ahead of the wall clock, because a platform does not trust a device whose
clock is in the future. An accelerated run therefore begins in the past: with a given length it
ends at the present; without one it begins a day ago, catches up with the present, and goes on at
the present's own speed.
"""

from __future__ import annotations

import math

from core.clock import NS_PER_S, Clock

_CATCH_UP_S = 86_400.0


class Pace:
    """The simulated clock of one run.

    Args:
        clock: the wall clock.
        speed: simulated seconds in a second; infinity: as fast as it goes.
        duration_s: simulated seconds, or None for a run without end.
        start_ns: the first simulated instant, or None to let it be worked out (see the module).
    """

    def __init__(
        self, *, clock: Clock, speed: float, duration_s: float | None, start_ns: int | None
    ) -> None:
        self._clock = clock
        self._speed = speed
        self._begun_s = clock.monotonic_s()
        now_ns = clock.now_ns()
        if start_ns is None:
            length_s = _CATCH_UP_S if duration_s is None else duration_s
            head_start = max(0.0, 1.0 - 1.0 / speed)
            start_ns = now_ns - round(length_s * head_start * NS_PER_S)
        self.start_ns = start_ns
        self.end_ns = None if duration_s is None else start_ns + round(duration_s * NS_PER_S)

    def now_ns(self) -> int:
        """Return the simulated instant, nanoseconds since the epoch."""
        wall_ns = self._clock.now_ns()
        if math.isinf(self._speed):
            return wall_ns
        elapsed_s = self._clock.monotonic_s() - self._begun_s
        return min(wall_ns, self.start_ns + round(elapsed_s * self._speed * NS_PER_S))

    def wait_s(self, instant_ns: int) -> float:
        """Return how many wall seconds there are until the simulated `instant_ns`; 0 if past."""
        ahead_s = (instant_ns - self.now_ns()) / NS_PER_S
        if ahead_s <= 0:
            return 0.0
        until_wall_s = (instant_ns - self._clock.now_ns()) / NS_PER_S
        return max(ahead_s / self._speed, until_wall_s, 0.0)
