"""Arrow IPC stream: metadata in the schema; the last batch is empty and says how the file ends.

A stream that is cut between two batches reads like a complete one to most readers: only the custom
metadata `passerelle.end` of the last batch say that it is complete.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from api.exports.formats.writer import END_KEY, METADATA_KEY, Head, Pipe
from api.exports.schema import Batches


class ArrowWriter:
    """A `FileWriter`.

    Args:
        head: of the file.
    """

    def __init__(self, head: Head) -> None:
        self._pipe = Pipe()
        metadata = {METADATA_KEY: msgspec.json.encode(head.metadata)}
        self._schema = head.columns.schema.with_metadata(metadata)
        self._writer = pa.ipc.new_stream(self._pipe, self._schema)
        self._empty = Batches(head.columns).empty()

    def begin(self) -> bytes:
        """See `FileWriter.begin`."""
        return self._pipe.take()

    def add(self, batch: pa.RecordBatch) -> bytes:
        """See `FileWriter.add`."""
        self._writer.write_batch(batch)
        self._empty = batch.slice(0, 0)
        return self._pipe.take()

    def end(self, facts: dict[str, Any]) -> bytes:
        """See `FileWriter.end`."""
        end = {END_KEY: msgspec.json.encode(facts)}
        self._writer.write_batch(self._empty, custom_metadata=end)
        self._writer.close()
        return self._pipe.take()

    def abandon(self, why: str) -> bytes:  # noqa: ARG002 - a stream without its last batch says it
        """See `FileWriter.abandon`: no last batch, and no end of stream."""
        self._writer.close()
        self._pipe.take()
        return b""
