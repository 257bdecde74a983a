"""The directory of export files: whose it is, and who may write in it.

A file is complete or not there: it is written as `NAME.part`, and renamed when it is on disk. The
directory has a name of its own (`owner`), by which the registry knows the files in it; processes
that share it take turns: one holds the lock and makes the files, all hand them out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import IO, TextIO

from core.errors import ExportsUnavailableError

_OWNER = "owner"
_LOCK = "lock"
_PART = ".part"


class ExportFiles:
    """One directory.

    Args:
        path: the directory; made when it is first needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: TextIO | None = None

    def owner(self) -> str:
        """Return the name of the directory, chosen when it was made.

        Raises:
            ExportsUnavailableError: the directory cannot be used.
        """
        file = self.path / _OWNER
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                made = self.path / f"{_OWNER}-{secrets.token_hex(8)}"
                made.write_text(secrets.token_hex(8), encoding="ascii")
                try:
                    os.link(made, file)  # whole or not at all, whoever comes first
                finally:
                    made.unlink()
            return file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ExportsUnavailableError(
                f"the directory of exports {self.path} cannot be used: {error.strerror or error}; "
                "correct it, or the setting exports.path"
            ) from None

    def lock(self) -> bool:
        """Take the lock, if nobody has it; return whether it is held. Kept until `unlock`.

        Raises:
            ExportsUnavailableError: the directory cannot be used.
        """
        if self._lock is not None:
            return True
        self.owner()
        lock = (self.path / _LOCK).open("a", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        return True

    def unlock(self) -> None:
        """Let the lock go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def file(self, export: str, suffix: str) -> Path:
        """Return where the file of an export is, or will be."""
        return self.path / f"{export}.{suffix}"

    def begin(self, export: str) -> IO[bytes]:
        """Open the file of an export for writing; an earlier beginning is forgotten."""
        return (self.path / f"{export}{_PART}").open("wb")

    def complete(self, file: IO[bytes], export: str, suffix: str) -> None:
        """Close a file that is complete: it is on disk when this returns."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        (self.path / f"{export}{_PART}").rename(self.file(export, suffix))
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def forget(self, file: IO[bytes], export: str) -> None:
        """Close and remove a file that will not be completed."""
        file.close()
        (self.path / f"{export}{_PART}").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a process that died had begun; only for who holds the lock."""
        for part in self.path.glob(f"*{_PART}"):
            part.unlink(missing_ok=True)
