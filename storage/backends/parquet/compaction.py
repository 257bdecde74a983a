"""Many small files of a day become one, in which every key has one row.

What may still be written again is left alone: of every stream the last span, which may not be
confirmed yet. The new file names those that it replaces, and is on disk before they are removed: a
compaction that was interrupted is finished by the next one. In between a row may be there twice,
with the same values.

Devices are taken a few at a time, so that the memory needed does not grow with the day.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from storage.backends.parquet.files import Directory, directories, remove, span_of, write_file
from storage.backends.parquet.rows import KEY, SCHEMA

_ROWS_AT_ONCE = 100_000
_REPLACES = b"passerelle-replaces"


class Compacted(msgspec.Struct, frozen=True):
    """What became of one directory.

    Attributes:
        site: its site.
        day: its day.
        files: how many files became one.
        rows_before: rows in them.
        rows: rows in the one.
    """

    site: str
    day: date
    files: int
    rows_before: int
    rows: int


def compact(
    root: Path, *, before: date, progress: Callable[[Compacted], None] = lambda _done: None
) -> int:
    """Merge the files of every day before `before`; return how many directories changed.

    Args:
        root: directory of the sink.
        before: the first day that is left as it is.
        progress: called after each directory.

    Raises:
        OSError: a file cannot be read or written; what was there is still there.
    """
    last = _last_spans(root)
    changed = 0
    for where in directories(root):
        _finish(where)
        paths = [
            path
            for path in sorted(where.path.glob("*.parquet"))
            if (span := span_of(path.name)) is None or last[span.stream] != span.first
        ]
        if where.day < before and len(paths) > 1:
            progress(_merge(where, paths))
            changed += 1
    return changed


def _last_spans(root: Path) -> dict[str, int]:
    last: dict[str, int] = {}
    for where in directories(root):
        for path in where.path.glob("*.parquet"):
            span = span_of(path.name)
            if span is not None:
                last[span.stream] = max(span.first, last.get(span.stream, 0))
    return last


def _finish(where: Directory) -> None:
    """Remove what a merged file replaces and an interrupted compaction left."""
    for path in where.path.glob("merged-*.parquet"):
        metadata = pq.read_schema(path).metadata or {}
        replaced = [where.path / name for name in json.loads(metadata.get(_REPLACES, b"[]"))]
        left = [one for one in replaced if one.exists()]
        if left:
            remove(left)


def _merge(where: Directory, paths: Sequence[Path]) -> Compacted:
    names = [path.name for path in paths]
    source = ds.dataset([str(path) for path in paths], format="parquet", schema=SCHEMA)
    counts = Counter(source.to_table(columns=["device"])["device"].to_pylist())
    digest = hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest()
    schema = SCHEMA.with_metadata({**SCHEMA.metadata, _REPLACES: json.dumps(names).encode()})
    rows = 0

    def write(file: IO[bytes]) -> None:
        nonlocal rows
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for devices in _together(counts):
                merged = _one_row_a_key(source.to_table(filter=pc.field("device").isin(devices)))
                writer.write_table(merged.cast(schema))
                rows += len(merged)

    write_file(where.path, f"merged-{digest}.parquet", write)
    remove(list(paths))
    return Compacted(where.site, where.day, len(paths), counts.total(), rows)


def _together(counts: Counter[str]) -> Iterator[list[str]]:
    """Yield devices, in order, as many at a time as have some rows together."""
    devices: list[str] = []
    rows = 0
    for device in sorted(counts):
        if devices and rows + counts[device] > _ROWS_AT_ONCE:
            yield devices
            devices, rows = [], 0
        devices.append(device)
        rows += counts[device]
    if devices:
        yield devices


def _one_row_a_key(table: Any) -> Any:
    """Return a table with one row a key: of each column the value that was written last."""
    quality = pc.if_else(
        pc.equal(table["quality"], 0), pa.scalar(None, pa.int32()), table["quality"]
    )
    table = table.set_column(table.column_names.index("quality"), "quality", quality)
    filled = [
        name for name in table.column_names if name in KEY or table[name].null_count < len(table)
    ]
    ordered = table.select(filled).sort_by([(name, "ascending") for name in (*KEY, "written")])
    found = ordered.group_by(list(KEY), use_threads=False).aggregate(
        [(name, "last") for name in filled if name not in KEY]
    )
    columns = []
    for field in SCHEMA:
        name = field.name if field.name in KEY else f"{field.name}_last"
        column = found[name] if name in found.column_names else pa.nulls(len(found), field.type)
        columns.append(pc.fill_null(column, 0) if field.name == "quality" else column)
    return pa.table(columns, schema=SCHEMA)
