"""Waiting for a condition, with a deadline: what tests use instead of a fixed sleep."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], *, seconds: float = 10.0, what: str, every: float = 0.02
) -> None:
    """Return as soon as the condition is true.

    Args:
        condition: called again and again; any true value ends the wait.
        seconds: how long it may take.
        what: the condition in words, for the failure.
        every: pause between two calls, seconds.

    Raises:
        TimeoutError: it was never true.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(every)
