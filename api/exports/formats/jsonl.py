"""JSON lines: an object with the metadata, one object a row, an object that says how it ends.

Every line has a `record`: `metadata`, `row`, `end`, or `incomplete` where the file could not be
completed. `sha256` in the last one is that of every byte before its line.
"""

from __future__ import annotations

import hashlib
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from api.exports.formats.text import texts
from api.exports.formats.writer import Head


class JsonLinesWriter:
    """A `FileWriter`.

    Args:
        head: of the file.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._zone = ZoneInfo(head.metadata["zone"])
        self._sha256 = hashlib.sha256()
        self._encoder = msgspec.json.Encoder()

    def begin(self) -> bytes:
        """See `FileWriter.begin`."""
        return self._told(self._line({"record": "metadata", **self._head.metadata}))

    def add(self, batch: pa.RecordBatch) -> bytes:
        """See `FileWriter.add`."""
        columns = texts(batch, self._zone)
        if "quality" in columns:
            columns["quality"] = [one.split() for one in columns["quality"]]
        names = ("record", *columns)
        rows = zip(["row"] * batch.num_rows, *columns.values(), strict=True)
        return self._told(
            self._encoder.encode_lines([dict(zip(names, row, strict=True)) for row in rows])
        )

    def end(self, facts: dict[str, Any]) -> bytes:
        """See `FileWriter.end`."""
        return self._line({"record": "end", **facts, "sha256": self._sha256.hexdigest()})

    def abandon(self, why: str) -> bytes:
        """See `FileWriter.abandon`."""
        return self._line({"record": "incomplete", "complete": False, "why": why})

    def _line(self, content: dict[str, Any]) -> bytes:
        return self._encoder.encode(content) + b"\n"

    def _told(self, data: bytes) -> bytes:
        self._sha256.update(data)
        return data
