"""How long it takes until what was published before the end of a fault has met its fate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.reliability.evidence import Account

_LOOK_S = 0.02


class Recovery:
    """Watches the ledger on disk, in a thread of its own, from the end of a fault on.

    Args:
        account: gives the sums of the ledger on disk.
        enough: messages that a worker may never be sent do not count: then it has recovered when
            nothing waits and something came after the fault.
    """

    def __init__(self, *, account: Callable[[], Account], enough: bool) -> None:
        self._account = account
        self._enough = enough
        self._lock = threading.Lock()
        self._goal: int | None = None
        self._before = 0
        self._mended_s = 0.0
        self._recovered_s: float | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery")

    def mended(self, *, published: int, since_s: float | None = None) -> None:
        """Say that the fault ends now.

        Args:
            since_s: from when on the time counts, monotonic; None: from now.
            published: messages that are to have met their fate: those published by now, and the
                next one.
        """
        account = self._account()
        with self._lock:
            self._goal = max(published, account.received)
            self._before = account.received
            self._mended_s = time.monotonic() if since_s is None else since_s
            self._recovered_s = None
        if not self._thread.is_alive():
            self._thread.start()

    @property
    def done(self) -> bool:
        """Whether a fault ended, and everything from before has met its fate."""
        with self._lock:
            return self._recovered_s is not None

    @property
    def seconds(self) -> float:
        """From the end of the fault until then; 0 when there was none, or it never came."""
        with self._lock:
            return 0.0 if self._recovered_s is None else self._recovered_s - self._mended_s

    def stop(self) -> None:
        """End the watching."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            if not self.done:
                self._look(self._account(), time.monotonic())

    def _look(self, account: Account, now_s: float) -> None:
        with self._lock:
            if self._goal is None:
                return
            reached = account.received - account.pending >= self._goal
            flows = not account.pending and account.received > self._before
            if reached or (self._enough and flows):
                self._recovered_s = now_s
