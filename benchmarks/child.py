"""A program under measurement: its CPU and its memory, as the kernel counts them.

CPU is user and system time of the whole process with all its threads. Of a process that ended it is
what the kernel hands to its parent (`wait4`); of one that runs, its CPU clock. Peak memory is VmHWM
of `/proc`, the greatest resident size: shared pages of libraries count.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.waiting import wait_until

_ROOT = Path(__file__).parents[1]
_STOP_S = 120.0


class ProgramDiedError(Exception):
    """A program under measurement ended by itself."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a running process has used, by the clock that Linux keeps for it.

    The clock's number is what `clock_getcpuclockid(3)` computes, which Python does not offer.
    """
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def peak_rss_mib(pid: int) -> float:
    """Return the greatest resident size of a running process so far, MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise ProgramDiedError(f"process {pid} has no memory any more: it ended")
    return int(found[1]) / 1024


class Child:
    """A program that can be started again and again with the same settings.

    Args:
        name: for messages.
        command: program and arguments.
        environment: added to PATH, HOME and PYTHONPATH, which is all it gets of ours.
        log: where its output goes.
    """

    def __init__(
        self, *, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(_ROOT),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def python(cls, *arguments: str, name: str, environment: Mapping[str, str], log: Path) -> Child:
        """Return `python ARGUMENTS` with this interpreter, not started."""
        return cls(
            name=name, command=[sys.executable, *arguments], environment=environment, log=log
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    def check(self) -> None:
        """Return while it runs.

        Raises:
            ProgramDiedError: it ended; the message holds the end of its output.
        """
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            raise ProgramDiedError(
                f"{self.name} ended (exit code {code}):\n{self.output()[-3000:]}"
            )

    def stop(self) -> float:
        """Send SIGTERM and wait for its end; return the CPU seconds of its whole life.

        Raises:
            ProgramDiedError: it had ended before, or did not end in time.
        """
        self.check()
        self._signal(signal.SIGTERM)
        ended: list[tuple[int, int, float]] = []

        def reaped() -> bool:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                ended.append((pid, status, usage.ru_utime + usage.ru_stime))
            return bool(ended)

        try:
            wait_until(reaped, seconds=_STOP_S, what=f"{self.name} ends after SIGTERM")
        except TimeoutError as error:
            self.kill()
            raise ProgramDiedError(f"{error}\n{self.output()[-3000:]}") from None
        assert self._process is not None  # noqa: S101 - check() saw it
        self._process.returncode = os.waitstatus_to_exitcode(ended[0][1])
        return ended[0][2]

    def wait(self, *, seconds: float) -> None:
        """Wait until it ends by itself, and well.

        Raises:
            ProgramDiedError: it did not end in time, or not well.
        """
        assert self._process is not None  # noqa: S101 - it was started
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process.wait(timeout=seconds) == 0:
                return
        self.kill()
        raise ProgramDiedError(f"{self.name} did not end well:\n{self.output()[-3000:]}")

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def output(self) -> str:
        """Return what it has said so far, all starts together."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _signal(self, how: signal.Signals) -> None:
        assert self._process is not None  # noqa: S101 - the callers saw it
        self._process.send_signal(how)
