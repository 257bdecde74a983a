"""The data directory of `passerelle up`: writable, and used by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from core.errors import ConfigurationError

LOCAL_KEY_FILE = "local-key"
"""File in it with the API key of this data directory."""


class DataDirectory:
    """A context manager that makes the directory and holds its lock.

    The lock is released by the system when the process dies, however it dies.

    Args:
        path: the directory.

    Raises:
        ConfigurationError: on entry: it cannot be written, or another process uses it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {self.path} cannot be written ({error.strerror}); "
                "choose another with --data-dir"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise ConfigurationError(
                f"another passerelle (process {owner}) uses the data directory {self.path}; "
                "stop it or choose another with --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()
