"""Starting the platform's own programs as a user does, and killing them as a power cut does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]


class Program:
    """A child process whose output goes to a file.

    Args:
        command: `python -m ingest` is `["-m", "ingest"]`; it runs with this interpreter.
        environment: added to a minimal one; settings of the machine do not leak in.
        log: where its output goes.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.command = [sys.executable, *command]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT),
            "PASSERELLE_CONFIG": "/nonexistent",
            **environment,
        }
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it."""
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        return self

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self, *, timeout_s: float = 60.0) -> int:
        """Ask it to end; return its exit code."""
        return self._end(signal.SIGTERM, timeout_s=timeout_s)

    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(f"--- {self.command}\n{self.output()[-6000:]}\n")
        self.stop()

    def _end(self, how: signal.Signals, *, timeout_s: float = 60.0) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
