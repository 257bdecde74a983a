"""A file being fetched: where to go on, whether it is whole, and how far it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tqdm.auto import tqdm

from passerelle._errors import ChecksumError

Progress = bool | Callable[[int, int], None]
"""True: a bar; a function: called with the bytes that are there, and of how many."""


class Download:
    """A file that is written beside its place, and moved there when it is whole.

    Args:
        path: where it goes.
        size: how long it is, bytes.
        sha256: of the whole, hexadecimal.
        progress: see `Progress`.
    """

    def __init__(self, path: Path, *, size: int, sha256: str, progress: Progress) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._size = size
        self._sha256 = sha256
        self._told = progress if callable(progress) else None
        self._bar: Any = (
            tqdm(total=size, unit="B", unit_scale=True, desc=path.name)
            if progress is True
            else None
        )
        self._file: IO[bytes] = self._part.open("wb")
        self.done = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; what is not whole is taken away."""
        self._file.close()
        if self._bar is not None:
            self._bar.close()
        self._part.unlink(missing_ok=True)

    @property
    def headers(self) -> dict[str, str]:
        """What to ask for: the rest, once something is there."""
        if not self.done:
            return {}
        return {"Range": f"bytes={self.done}-", "If-Range": f'"{self._sha256}"'}

    @property
    def whole(self) -> bool:
        """Whether everything is there."""
        return self.done >= self._size

    def begin(self, status: int) -> None:
        """Take the head of an answer: one that is not a part starts from the beginning."""
        if self.done and status != 206:  # noqa: PLR2004 - Partial Content
            self._file.seek(0)
            self._file.truncate()
            self.done = 0

    def add(self, piece: bytes) -> None:
        """Take a piece."""
        self._file.write(piece)
        self.done += len(piece)
        if self._bar is not None:
            self._bar.update(len(piece))
        if self._told is not None:
            self._told(self.done, self._size)

    def finish(self) -> Path:
        """Put the file in its place.

        Raises:
            ChecksumError: it is not what was sent.
        """
        self._file.close()
        with self._part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self._sha256:
            raise ChecksumError(f"{self._path.name}: SHA-256 {found}, and {self._sha256} was sent")
        self._part.replace(self._path)
        return self._path
