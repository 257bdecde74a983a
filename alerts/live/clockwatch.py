"""Tells when the wall clock was put forward or back, by a clock that never steps."""

from __future__ import annotations

from core.clock import NS_PER_S, Clock

STEP_S = 2.0
"""A difference of the two clocks, seconds, from which on it is a step and not a correction."""


class ClockWatch:
    """Compares the wall clock with the monotonic one.

    Args:
        clock: both of them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = self._now_s()

    def stepped_s(self) -> float:
        """Return by how much the wall clock was stepped since the last call, seconds; else 0.

        Slow corrections do not add up to a step.
        """
        offset_s = self._now_s()
        step_s, self._offset_s = offset_s - self._offset_s, offset_s
        return step_s if abs(step_s) >= STEP_S else 0.0

    def _now_s(self) -> float:
        return self._clock.now_ns() / NS_PER_S - self._clock.monotonic_s()
