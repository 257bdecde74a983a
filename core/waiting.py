"""Waiting: for what a program needs before it can begin, and until it is told to end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from core.errors import PasserelleError
from core.logs import Outage

_T = TypeVar("_T")
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
_SIGNAL_S = 0.5


def until_set(event: threading.Event) -> None:
    """Wait in the main thread until a signal, or anything else, sets an event.

    Python runs what a signal does in the main thread, and a wait without end is not interrupted by
    a signal that came to another thread or just before the wait: so it looks up now and then.
    """
    while not event.wait(_SIGNAL_S):
        pass


def answer_of(
    ask: Callable[[], _T],
    *,
    away: tuple[type[PasserelleError], ...],
    outage: Outage,
    stopping: threading.Event,
) -> _T | None:
    """Ask until it answers, with back-off; return the answer, or None when told to stop first.

    Args:
        ask: raises one of `away` while what is asked is away.
        away: those errors; any other one is raised on.
        outage: logs once that it is away, and once that it is back.
        stopping: set to give up.
    """
    wait_s = FIRST_WAIT_S
    while not stopping.is_set():
        try:
            answer = ask()
        except away as error:
            outage.down(error.detail)
            stopping.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        else:
            outage.up()
            return answer
    return None


def until_it_answers(
    ask: Callable[[], None],
    *,
    away: tuple[type[PasserelleError], ...],
    outage: Outage,
    stopping: threading.Event,
) -> bool:
    """Ask as `answer_of` does what has no answer; return False when told to stop first."""

    def asked() -> bool:
        ask()
        return True

    return answer_of(asked, away=away, outage=outage, stopping=stopping) is not None
