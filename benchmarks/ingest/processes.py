"""A contestant as a process: started, watched in /proc, ended."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12  # fields of /proc/PID/stat after the name, from 0 (proc(5))


class Contestant:
    """A program under measurement.

    Args:
        name: what it is called in the table.
        command: how it is started.
        environment: its whole environment.
        log: where its output goes.
    """

    def __init__(
        self, *, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._command = list(command)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=sink, stderr=sink
            )

    def cpu_s(self) -> float:
        """Return its CPU time so far, user and system, all threads, seconds."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS

    def peak_mib(self) -> float:
        """Return the most memory it held (VmHWM), MiB."""
        lines = self._proc("status").splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 1024

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(timeout=60)

    def _proc(self, name: str) -> str:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended; see {self._log}")
        return Path(f"/proc/{self._process.pid}/{name}").read_text(encoding="ascii")
