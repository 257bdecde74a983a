"""What is told of a sink: shared by the workers, which tell it, and the API, which shows it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

SINKS_FACT = "sinks"
"""Name under which a worker's report holds its sinks."""
STORED_UNTIL_FACT = "stored_until_ns"
"""Name under which a worker's report says until when the store has all that was committed."""


class CircuitState(StrEnum):
    """Whether a sink is written to."""

    CLOSED = "closed"
    """What waits is written."""
    OPEN = "open"
    """It failed; the next attempt is due later."""
    HALF_OPEN = "half_open"
    """It failed; an attempt is under way."""


CIRCUIT_NUMBERS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}
"""The states as the metric `passerelle_drain_state` shows them."""


class SinkReport(msgspec.Struct, frozen=True, kw_only=True):
    """One sink of one worker at one moment.

    Attributes:
        name: `store`, or its name in the settings.
        state: of its circuit.
        reason: why it is not closed, else "".
        since_ns: since when it is closed, or since when it is not; nanoseconds since the epoch.
        lag_messages: messages on the worker's disk that wait for it.
        lag_bytes: their size.
        lag_s: how long the oldest of them waits, seconds.
        missed_messages: messages that it was not given because it fell behind its bound.
        missed_points: their points.
        missed_since_ns: when the oldest of those was received, or 0.
        missed_until_ns: when the newest of those was received, or 0.
    """

    name: str
    state: CircuitState
    reason: str = ""
    since_ns: int = 0
    lag_messages: int = 0
    lag_bytes: int = 0
    lag_s: float = 0.0
    missed_messages: int = 0
    missed_points: int = 0
    missed_since_ns: int = 0
    missed_until_ns: int = 0

    @property
    def detached(self) -> bool:
        """Whether it misses something that `passerelle sinks refill` can fill."""
        return self.missed_messages > 0
