"""Parquet: metadata in the schema, how it ends in the footer, which is written last.

A Parquet file that was cut off has no footer and no reader opens it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from api.exports.formats.writer import END_KEY, METADATA_KEY, Head, Pipe

ROW_GROUP = 100_000
"""Rows of a row group: few enough to be held, many enough to be read quickly."""


class ParquetWriter:
    """A `FileWriter`.

    Args:
        head: of the file.
    """

    def __init__(self, head: Head) -> None:
        self._pipe = Pipe()
        metadata = {METADATA_KEY: msgspec.json.encode(head.metadata)}
        self._writer = pq.ParquetWriter(
            self._pipe, head.columns.schema.with_metadata(metadata), compression="zstd"
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def begin(self) -> bytes:
        """See `FileWriter.begin`."""
        return self._pipe.take()

    def add(self, batch: pa.RecordBatch) -> bytes:
        """See `FileWriter.add`."""
        self._waiting.append(batch)
        self._rows += batch.num_rows
        if self._rows >= ROW_GROUP:
            self._write()
        return self._pipe.take()

    def end(self, facts: dict[str, Any]) -> bytes:
        """See `FileWriter.end`."""
        self._write()
        self._writer.add_key_value_metadata({END_KEY: msgspec.json.encode(facts)})
        self._writer.close()
        return self._pipe.take()

    def abandon(self, why: str) -> bytes:  # noqa: ARG002 - a file without a footer says it
        """See `FileWriter.abandon`: what is written stays without a footer."""
        self._writer.close()
        self._pipe.take()
        return b""

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._rows = [], 0
