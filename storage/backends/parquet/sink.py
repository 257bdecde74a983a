"""Points as Parquet files.

A span becomes one file in each directory that its points belong to. What was written of a span that
was never confirmed is taken away before it is written again: so every span is there exactly once.
Points without a span (a refill) are compared with the rows that are there, and only what is new or
different is added: writing them again changes nothing.

One lock makes the callers take turns; other processes may read, and refill, at the same time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.clock import Clock
from core.reading import Point
from storage.backends.parquet.files import (
    Directory,
    directories,
    directory_for,
    name_of_span,
    remove,
    site_problem,
    span_of,
    write_table,
)
from storage.backends.parquet.rows import Row, Rows, by_day, table_of
from storage.ports import Rejected, Retry, Span, Written
from storage.refusal import refused


class ParquetSink:
    """A `PointWriter` and `SpanWriter`.

    Args:
        directory: of the files; made when it is missing.
        span_points: points in one flush, at most.
        span_age_s: how long points may wait for a flush to fill, seconds.
        clock: the time.
    """

    def __init__(
        self, *, directory: Path, span_points: int, span_age_s: float, clock: Clock
    ) -> None:
        self.directory = directory
        self.span_points = span_points
        self.span_age_s = span_age_s
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`."""

        def add(where: Directory, rows: Rows) -> None:
            new = _news(where.path, rows)
            if new:
                self._put(where, f"fill-{_digest(new)}.parquet", new)

        return self._each_day(points, add)

    def write_span(self, points: Sequence[Point], span: Span) -> Written | Retry:
        """See `SpanWriter.write_span`."""
        name = name_of_span(span)
        return self._each_day(points, lambda where, rows: self._put(where, name, rows))

    def reclaim(self, stream: str, *, after: int) -> Written | Retry:
        """See `SpanWriter.reclaim`."""
        unconfirmed = []
        try:
            for where in directories(self.directory):
                for path in where.path.iterdir():
                    span = span_of(path.name)
                    if span is not None and span.stream == stream and span.first > after:
                        unconfirmed.append(path)
            remove(unconfirmed)
        except OSError as error:
            return self._away(error)
        return Written()

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _each_day(
        self, points: Sequence[Point], put: Callable[[Directory, Rows], None]
    ) -> Written | Retry:
        rejected = {one.index: one for one in refused(points)}
        for index, point in enumerate(points):
            problem = site_problem(point.site)
            if problem is not None:
                rejected.setdefault(index, Rejected(index, problem))
        kept = [point for index, point in enumerate(points) if index not in rejected]
        try:
            with self._lock:
                for (site, day), rows in by_day(kept).items():
                    put(directory_for(self.directory, site, day), rows)
        except (OSError, pa.ArrowException) as error:
            return self._away(error)
        return Written(tuple(rejected[index] for index in sorted(rejected)))

    def _put(self, where: Directory, name: str, rows: Rows) -> None:
        write_table(where.path, name, table_of(rows, written_ns=self._clock.now_ns()))

    def _away(self, error: Exception) -> Retry:
        return Retry(f"the Parquet files in {self.directory} cannot be written: {error}")


def _news(directory: Path, rows: Rows) -> Rows:
    """Return of some rows what a directory does not have."""
    there = _there(directory, rows)
    found: Rows = {}
    for key, row in rows.items():
        old = there.get(key, Row({}))
        values = {
            name: value
            for name, value in row.values.items()
            if name not in old.values or old.values[name].hex() != float(value).hex()
        }
        mark = row.quality if row.quality != old.quality else 0
        if values or mark or key not in there:
            found[key] = Row(values, mark)
    return found


def _there(directory: Path, rows: Rows) -> Rows:
    """Return what a directory says of the keys of some rows."""
    devices = pa.array(sorted({device for device, _, _ in rows}))
    instants = [time_ns for _, _, time_ns in rows]
    first, last = min(instants), max(instants)
    names = sorted({name for row in rows.values() for name in row.values})
    told: list[tuple[datetime, tuple[str, str, int], dict[str, float], int]] = []
    for path in sorted(directory.glob("*.parquet")):
        table = _matching(path, devices, first, last)
        columns: list[list[Any]] = [
            table[name].to_pylist() if name in table.column_names else [None] * len(table)
            for name in names
        ]
        keys = zip(
            table["device"].to_pylist(),
            table["category"].to_pylist(),
            table["time"].cast(pa.int64()).to_pylist(),
            strict=True,
        )
        for place, (key, quality, written) in enumerate(
            zip(keys, table["quality"].to_pylist(), table["written"].to_pylist(), strict=True)
        ):
            if key in rows:
                values: dict[str, float] = {
                    name: column[place]
                    for name, column in zip(names, columns, strict=True)
                    if column[place] is not None
                }
                told.append((written, key, values, quality))
    found: Rows = {}
    for _, key, named, quality in sorted(told, key=lambda one: one[0]):
        found.setdefault(key, Row({})).take(named, quality)
    return found


def _matching(path: Path, devices: Any, first: int, last: int) -> Any:
    table = pq.ParquetFile(path).read()
    times = table["time"].cast(pa.int64())
    within = pc.and_(pc.greater_equal(times, first), pc.less_equal(times, last))
    return table.filter(pc.and_(within, pc.is_in(table["device"], value_set=devices)))


def _digest(rows: Rows) -> str:
    text = msgspec.json.encode(
        [[*key, sorted(rows[key].values.items()), rows[key].quality] for key in sorted(rows)]
    )
    return hashlib.blake2b(text, digest_size=16).hexdigest()
