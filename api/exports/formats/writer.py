"""What a format does: bytes for the beginning, for each batch of rows, and for the end."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import pyarrow as pa

from api.exports.schema import Columns

METADATA_KEY = b"passerelle"
"""Under which Parquet and Arrow files keep the metadata, as JSON."""
END_KEY = b"passerelle.end"
"""Under which they keep how they end, as JSON; a file without it is not complete."""


class Head(msgspec.Struct, frozen=True):
    """What a file begins with.

    Attributes:
        columns: of its rows.
        metadata: see `metadata.file_metadata`.
    """

    columns: Columns
    metadata: dict[str, Any]


class FileWriter(Protocol):
    """Writes one file; each call returns the bytes that are ready, perhaps none."""

    def begin(self) -> bytes:
        """Return how the file begins."""
        ...

    def add(self, batch: pa.RecordBatch) -> bytes:
        """Add rows."""
        ...

    def end(self, facts: dict[str, Any]) -> bytes:
        """Return how the file ends; `facts` stand at its end."""
        ...

    def abandon(self, why: str) -> bytes:
        """Return how a file ends that cannot be completed: never as a complete one does."""
        ...


class Pipe:
    """A file that a library writes into and whose bytes are taken out as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._at = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Keep a copy of `data` until it is taken; return its size."""
        part = bytes(data)
        self._parts.append(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._at

    def flush(self) -> None:
        """Do nothing: what is written can be taken at once."""

    def close(self) -> None:
        """Note that nothing more comes."""
        self.closed = True

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return False: what was taken is gone."""
        return False

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
