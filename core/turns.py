"""How long a thread may hold Python's interpreter while others wait for it."""

from __future__ import annotations

import sys

SWITCH_S = 0.001
"""Python's own choice is five times as long. SQLite and sockets hand the interpreter back at every
row and every piece: beside a thread that computes, a transaction of thirty rows that takes 0.3 ms
then takes 50 ms and more in one of a hundred, and less than 20 ms with this."""


def take_short_turns() -> None:
    """Have threads that compute hand the interpreter over often. Call it once, at the start."""
    sys.setswitchinterval(SWITCH_S)
