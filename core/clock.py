"""Time comes in through a `Clock`, so that a test can decide what time it is.

All instants are integers: nanoseconds since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S


class Clock(Protocol):
    """Where the present comes from."""

    def now_ns(self) -> int:
        """Return the wall clock, in nanoseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return a clock that never steps, in seconds; only differences have a meaning."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Return the wall clock, in nanoseconds since the epoch."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return `time.monotonic()`, in seconds."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to.

    Args:
        now_ns: the first instant, in nanoseconds since the epoch.
    """

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._monotonic_s = 0.0

    def now_ns(self) -> int:
        """Return the instant last set, in nanoseconds since the epoch."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Return the seconds by which `advance` moved the clock."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._now_ns += round(seconds * NS_PER_S)
        self._monotonic_s += seconds

    def step_to(self, now_ns: int) -> None:
        """Step the wall clock, as an administrator or NTP would; the monotonic one stays."""
        self._now_ns = now_ns


def hour_of(time_ns: int) -> int:
    """Return the start of the UTC hour that holds `time_ns`, in seconds since the epoch."""
    return time_ns // NS_PER_HOUR * 3600


def iso(time_ns: int) -> str:
    """Return RFC 3339 UTC text for `time_ns`, with as many decimals as it needs (0, 3, 6, 9)."""
    seconds, fraction = divmod(time_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if fraction == 0:
        return f"{text}Z"
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z"
