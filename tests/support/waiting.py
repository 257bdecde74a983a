"""Waiting on a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, what: str, timeout_s: float = 30.0) -> None:
    """Return when `condition` is true; fail the test when it is not within `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        pause.wait(0.02)
