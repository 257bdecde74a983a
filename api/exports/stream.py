"""One export from its query to its bytes, with everything that its end has to say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from api.exports.canonical import ALGORITHM, RowsHash, instants
from api.exports.formats import Format, Head
from api.exports.query import ExportQuery
from api.exports.rows import Progress, read_batches
from api.exports.schema import columns_of
from api.times import in_zone
from core.errors import PasserelleError
from storage.ports import PointReader


class Export:
    """The bytes of one file, to be iterated over once, in one thread at a time.

    The facts below grow while the file is made; they are final when it is complete.

    Args:
        store: from which the rows are read.
        query: which rows.
        form: the format.
        metadata: of the file.

    Attributes:
        progress: how far it is.
        rows: how many rows there are so far.
        size: bytes so far.
        complete: True when the last byte was handed out.
    """

    def __init__(
        self, *, store: PointReader, query: ExportQuery, form: Format, metadata: dict[str, Any]
    ) -> None:
        self._store = store
        self._query = query
        columns = columns_of(query)
        self._writer = form.writer(Head(columns=columns, metadata=metadata))
        self._hash = RowsHash()
        self._sha256 = hashlib.sha256()
        self._zone = ZoneInfo(query.zone)
        self._edges: list[int] = []
        self._ended = False
        self.progress = Progress()
        self.rows = 0
        self.size = 0
        self.complete = False

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes so far."""
        return self._sha256.digest()

    def facts(self) -> dict[str, Any]:
        """Return what stands at the end of the file."""
        first, last = (min(self._edges), max(self._edges)) if self._edges else (None, None)
        return {
            "complete": True,
            "rows": self.rows,
            "first": None if first is None else in_zone(first, self._zone),
            "last": None if last is None else in_zone(last, self._zone),
            "content_sha256": self._hash.hexdigest(),
            "content_hash_algorithm": ALGORITHM,
        }

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            PasserelleError: the store failed on the way. What was yielded is recognisably not
                complete: the end is missing, and text formats say why in their last line.
        """
        try:
            yield from self._parts()
        except PasserelleError as error:
            last = self._abandoned(error.detail)
            if last:
                yield last
            raise
        finally:
            self._abandoned("it was stopped")

    def _parts(self) -> Iterator[bytes]:
        yield self._counted(self._writer.begin())
        for batch in read_batches(self._store, self._query, progress=self.progress):
            self._note(batch)
            part = self._writer.add(batch)
            if part:
                yield self._counted(part)
        last = self._writer.end(self.facts())
        self._ended = True
        yield self._counted(last)
        self.complete = True

    def _abandoned(self, why: str) -> bytes:
        """End a file that is not complete; what is left open would complain when it is freed."""
        if self._ended:
            return b""
        self._ended = True
        return self._counted(self._writer.abandon(why))

    def _note(self, batch: pa.RecordBatch) -> None:
        self._hash.add(batch)
        self.rows += batch.num_rows
        times = instants(batch, batch.schema.names[0])
        self._edges = [*self._edges, int(times.min()), int(times.max())]
        self._edges = [min(self._edges), max(self._edges)]

    def _counted(self, part: bytes) -> bytes:
        self.size += len(part)
        self._sha256.update(part)
        return part
