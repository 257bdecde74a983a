"""Whether a channel works, as far as its latest attempts tell, and when it may be tried again."""

from __future__ import annotations

from random import Random

from core.clock import NS_PER_S

DOWN_AFTER = 3
"""So many failed attempts in a row, over `DOWN_AFTER_S` seconds or longer, and it is down."""
DOWN_AFTER_S = 20.0
FIRST_WAIT_S = 5.0
"""Longest wait after the first failed attempt, seconds; it doubles with each."""
LONGEST_WAIT_S = 900.0
_LONGEST_PROBE_S = 60.0


def backoff_s(failures: int, random: Random, *, longest_s: float = LONGEST_WAIT_S) -> float:
    """Return how long to wait after so many failures, seconds: full jitter, so that many part."""
    return random.uniform(0, min(longest_s, FIRST_WAIT_S * 2.0 ** min(failures - 1, 20)))


class Circuit:
    """What is known of one channel. While it is down one notice at a time finds out whether it is.

    Args:
        random: spreads the probes.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._first_ns = 0
        self._probe_ns = 0
        self.down = False
        self.error = ""

    def works(self) -> None:
        """Note that it delivered."""
        self._failures = 0
        self.down = False
        self.error = ""

    def fails(self, error: str, now_ns: int, *, lost: bool) -> None:
        """Note a failed attempt.

        Args:
            error: what it said.
            now_ns: the present.
            lost: the notice is lost: it is down whatever came before, as somebody was not told.
        """
        if not self._failures:
            self._first_ns = now_ns
        self._failures += 1
        self.error = error
        long_enough = now_ns - self._first_ns >= DOWN_AFTER_S * NS_PER_S
        if lost or (self._failures >= DOWN_AFTER and long_enough):
            self.down = True
        wait_s = backoff_s(self._failures, self._random, longest_s=_LONGEST_PROBE_S)
        self._probe_ns = now_ns + round(wait_s * NS_PER_S)

    def allowed(self, now_ns: int, *, most: int) -> int:
        """Return how many notices may be tried now.

        Args:
            now_ns: the present.
            most: at most, while it works.
        """
        if not self.down:
            return most
        return 1 if now_ns >= self._probe_ns else 0
