"""A snapshot against the store as it is now: the same, or which rows differ, by device and day.

Both are read once, in the canonical order, in constant memory; equal stretches are compared as
arrays, and only rows that differ are looked at one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.exports.canonical import RowsHash, instants
from api.exports.query import ExportQuery
from api.exports.rows import BATCH_ROWS, read_batches
from api.times import in_zone
from storage.ports import PointReader

MOST_EXAMPLES = 20
"""Rows that are shown one by one, at most."""
MOST_DAYS = 1000
"""Pairs of device and day that are shown, at most."""
_FIRST_LOOK = 16

Names = tuple[str, str, str]


class Row(msgspec.Struct, frozen=True):
    """One row of either side; `more` is its quality, or the count of a window."""

    time_ns: int
    names: Names
    value: float | None
    more: int


class Difference(msgspec.Struct, frozen=True):
    """A row that differs; `then` and `now` are None where it is not there."""

    kind: str
    then: Row | None
    now: Row | None


class Comparison(msgspec.Struct):
    """What was found.

    Attributes:
        content_sha256: content hash of the rows that the store has now.
        rows: how many those are.
        counts: of rows `added`, `removed` and `changed`.
        days: the same by (site, device, day in the query's zone).
        examples: the first differences.
    """

    content_sha256: str = ""
    rows: int = 0
    counts: dict[str, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(("added", "removed", "changed"), 0)
    )
    days: dict[tuple[str, str, str], dict[str, int]] = {}
    examples: list[Difference] = []


def compare(store: PointReader, query: ExportQuery, path: Path | None) -> Comparison:
    """Read the store again and compare it with the file of a snapshot.

    Args:
        store: as it is now.
        query: of the snapshot.
        path: its file; None when it cannot be read: only the store's rows are hashed then.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    found = Comparison(days={}, examples=[])
    digest = RowsHash()

    def present() -> Iterator[pa.RecordBatch]:
        for batch in read_batches(store, query):
            digest.add(batch)
            found.rows += batch.num_rows
            yield batch

    if path is None:
        for _ in present():
            pass
        found.content_sha256 = digest.hexdigest()
        return found
    zone = ZoneInfo(query.zone)
    for one in _differences(file_batches(path), present(), windows=query.every is not None):
        _note(found, one, zone)
    found.content_sha256 = digest.hexdigest()
    return found


def file_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a snapshot's file."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Side:
    """The rows of one side that have not been compared yet."""

    def __init__(self, batches: Iterable[pa.RecordBatch], codes: dict[Names, int]) -> None:
        self._batches = iter(batches)
        self._codes = codes
        self._columns: list[np.ndarray] = []
        self._by_code: list[Names] = []
        self._at = 0
        self._end = 0

    def ready(self) -> int:
        """Return how many rows can be looked at now; 0 at the end."""
        while self._at == self._end:
            batch = next(self._batches, None)
            if batch is None:
                return 0
            self._load(batch)
        return self._end - self._at

    def skip(self, rows: int) -> None:
        """Leave rows behind."""
        self._at += rows

    def part(self, rows: int) -> list[np.ndarray]:
        """Return the columns of the next rows: instant, series, bits of the value, more."""
        return [column[self._at : self._at + rows] for column in self._columns]

    def row(self) -> Row:
        """Return the next row."""
        time, code, bits, more = (column[self._at] for column in self._columns)
        value = float(np.int64(bits).view(np.float64))
        return Row(
            time_ns=int(time),
            names=self._by_code[int(code)],
            value=None if np.isnan(value) else value,
            more=int(more),
        )

    def _load(self, batch: pa.RecordBatch) -> None:
        series = [batch.column(name) for name in ("site", "device", "quantity")]
        mixed = np.zeros(batch.num_rows, np.int64)
        for part in series:
            mixed = mixed * max(1, len(part.dictionary))
            mixed += part.indices.to_numpy(zero_copy_only=False)
        _, first, place = np.unique(mixed, return_index=True, return_inverse=True)
        codes = []
        for row in first:
            site, device, quantity = (part[int(row)].as_py() for part in series)
            codes.append(self._codes.setdefault((site, device, quantity), len(self._codes)))
        value = batch.column("value").fill_null(float("nan")).to_numpy(zero_copy_only=False) + 0.0
        more = batch.column("count" if "count" in batch.schema.names else "quality")
        self._by_code = list(self._codes)
        self._columns = [
            instants(batch, batch.schema.names[0]),
            np.array(codes, np.int64)[place],
            value.view(np.int64),
            more.to_numpy(zero_copy_only=False).astype(np.int64),
        ]
        self._at, self._end = 0, batch.num_rows


def _differences(
    then: Iterable[pa.RecordBatch], now: Iterable[pa.RecordBatch], *, windows: bool
) -> Iterator[Difference]:
    codes: dict[Names, int] = {}
    old, new = _Side(then, codes), _Side(now, codes)
    look = _FIRST_LOOK
    while True:
        here, there = old.ready(), new.ready()
        if not (here and there):
            break
        rows = min(look, here, there)
        pairs = zip(old.part(rows), new.part(rows), strict=True)
        same = np.logical_and.reduce([one == other for one, other in pairs])
        equal = rows if same.all() else int(np.argmin(same))
        old.skip(equal)
        new.skip(equal)
        if equal == rows:
            look *= 2
            continue
        look = _FIRST_LOOK
        yield _first_difference(old, new, windows=windows)
    while old.ready():
        yield Difference("removed", old.row(), None)
        old.skip(1)
    while new.ready():
        yield Difference("added", None, new.row())
        new.skip(1)


def _first_difference(old: _Side, new: _Side, *, windows: bool) -> Difference:
    one, other = old.row(), new.row()
    first, second = _key(one, windows=windows), _key(other, windows=windows)
    if first < second:
        old.skip(1)
        return Difference("removed", one, None)
    if second < first:
        new.skip(1)
        return Difference("added", None, other)
    old.skip(1)
    new.skip(1)
    return Difference("changed", one, other)


def _key(row: Row, *, windows: bool) -> tuple[Any, ...]:
    return (*row.names, row.time_ns) if windows else (row.time_ns, *row.names)


def _note(found: Comparison, one: Difference, zone: ZoneInfo) -> None:
    row = one.then or one.now
    assert row is not None  # noqa: S101 - a difference has a side
    found.counts[one.kind] += 1
    if len(found.examples) < MOST_EXAMPLES:
        found.examples.append(one)
    day = (row.names[0], row.names[1], in_zone(row.time_ns, zone)[:10])
    if day in found.days or len(found.days) < MOST_DAYS:
        kinds = found.days.setdefault(day, dict.fromkeys(found.counts, 0))
        kinds[one.kind] += 1
