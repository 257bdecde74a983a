"""What every program of the platform stands in: signals, threads that die, exit codes."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from core.errors import ConfigurationError, PasserelleError
from core.logs import configure_logging, logger
from core.settings import Settings, load_settings

_WRONG_SETTING = 2


def run_program(name: str, run: Callable[[Settings, threading.Event], None]) -> int:
    """Run a program with the settings of the environment, until SIGTERM or SIGINT.

    A thread that dies of a defect ends the program: whoever watches over it starts it anew.

    Args:
        name: of the program, for the log.
        run: does it; returns soon after the event is set.

    Returns:
        The exit code: 2 when a setting is wrong, 1 when it failed, else 0.
    """
    stopping = threading.Event()
    crashed = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    def crash(args: threading.ExceptHookArgs) -> None:
        logger(name).error(
            "thread_died", thread=args.thread and args.thread.name, exc_info=args.exc_value
        )
        crashed.set()
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.excepthook = crash
    try:
        settings = load_settings()
        configure_logging(settings.logging)
        run(settings, stopping)
    except PasserelleError as error:
        sys.stderr.write(f"passerelle: {error.detail}\n")
        return _WRONG_SETTING if isinstance(error, ConfigurationError) else 1
    return 1 if crashed.is_set() else 0
