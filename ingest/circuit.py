"""When a sink is tried again: the circuit of one sink, closed, open or half open.

Closed: what waits is written. Open: the sink asked to come back later, or did not answer; nothing
is written until the wait is over. Half open: the wait is over, and one write is trying. The waits
grow twofold and are drawn between zero and their bound ("full jitter", Brooker, AWS Architecture
Blog, 2015), so that many workers do not come back together; what the sink asked for is the least.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from core.clock import Clock
from core.sinks import CircuitState

FIRST_WAIT_S = 0.2
"""Bound of the first wait, seconds."""
LONGEST_WAIT_S = 30.0
"""Bound of the longest wait that the sink did not ask for, seconds."""


class Reading(msgspec.Struct, frozen=True):
    """What the circuit says at one moment.

    Attributes:
        state: closed, open or half open.
        reason: why it is not closed, else "".
        since_ns: since when it is closed, or since when it is not.
    """

    state: CircuitState
    reason: str
    since_ns: int


class Circuit:
    """The circuit of one sink. The sink's thread moves it; any thread may read it.

    Args:
        clock: the time.
        draw: gives a number between two bounds; a test may give its own.
    """

    def __init__(
        self, *, clock: Clock, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._bound_s = FIRST_WAIT_S
        self._reading = Reading(CircuitState.CLOSED, "", clock.now_ns())

    @property
    def reading(self) -> Reading:
        """What it says now."""
        return self._reading

    def failed(self, reason: str, after_s: float | None = None) -> float:
        """Open it; return how long to wait, seconds.

        Args:
            reason: why, for a person.
            after_s: what the sink asked for, at least, seconds.
        """
        self._move(CircuitState.OPEN, reason)
        wait_s = self._draw(0.0, self._bound_s)
        self._bound_s = min(2 * self._bound_s, LONGEST_WAIT_S)
        return max(wait_s, after_s or 0.0)

    def trying(self) -> None:
        """Say that a write begins: an open circuit becomes half open."""
        if self._reading.state is not CircuitState.CLOSED:
            self._move(CircuitState.HALF_OPEN, self._reading.reason)

    def worked(self) -> None:
        """Close it."""
        self._bound_s = FIRST_WAIT_S
        if self._reading.state is not CircuitState.CLOSED:
            self._move(CircuitState.CLOSED, "")

    def _move(self, state: CircuitState, reason: str) -> None:
        before = self._reading
        same = (before.state is CircuitState.CLOSED) == (state is CircuitState.CLOSED)
        since_ns = before.since_ns if same else self._clock.now_ns()
        self._reading = Reading(state, reason, since_ns)
