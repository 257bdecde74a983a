"""Waiting for what a program needs before it can begin."""

from __future__ import annotations

import threading
from collections.abc import Callable

from core.errors import PasserelleError
from core.logs import Outage

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0


def until_it_answers(
    ask: Callable[[], None],
    *,
    away: tuple[type[PasserelleError], ...],
    outage: Outage,
    stopping: threading.Event,
) -> bool:
    """Ask until it answers, with back-off; return False when told to stop first.

    Args:
        ask: raises one of `away` while what is asked is away.
        away: those errors; any other one is raised on.
        outage: logs once that it is away, and once that it is back.
        stopping: set to give up.
    """
    wait_s = FIRST_WAIT_S
    while not stopping.is_set():
        try:
            ask()
        except away as error:
            outage.down(error.detail)
            stopping.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        else:
            outage.up()
            return True
    return False
