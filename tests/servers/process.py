"""A server that runs as a process of its own."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class ServerProcess:
    """A `Runner`: a program started as a child, in a process group of its own.

    Args:
        command: the program and its arguments.
        log_file: where its output goes, start after start.
        environment: variables added to those of the tests.
        user: run it as this user (only root may name another); default: the current one.
        stop_signal: what ends it politely.
        stop_seconds: how long that may take.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 30.0,
    ) -> None:
        self._command = list(command)
        self._log_file = log_file
        self._environment = {**os.environ, **(environment or {})}
        self._user = user
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id, also that of its group."""
        if self._process is None:
            raise RuntimeError(f"{self._command[0]} was not started")
        return self._process.pid

    def start(self) -> None:
        """Start the process."""
        if self.running:
            raise RuntimeError(f"{self._command[0]} runs already")
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                user=self._user,
                group=None if self._user is None else pwd.getpwnam(self._user).pw_gid,
                extra_groups=[] if self._user else None,
                start_new_session=True,
                cwd="/",
            )

    def stop(self) -> None:
        """Send the stop signal and wait; SIGKILL when it takes too long, which is an error."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(
                f"{self._command[0]} did not stop within {self._stop_seconds:g} s\n{self.log()}"
            ) from None

    def kill(self) -> None:
        """Kill the process and its children."""
        if self._process is None or not self.running:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def remove(self) -> None:
        """Kill the process: its files belong to whoever made the directory."""
        self.kill()

    def log(self) -> str:
        """Return what the process printed, all starts together."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""
