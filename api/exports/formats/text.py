"""Columns of a batch as Python values that text formats write."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from api.exports.canonical import instants
from api.selection import quality_names
from api.times import in_zone


def texts(batch: pa.RecordBatch, zone: ZoneInfo) -> dict[str, list[Any]]:
    """Return each column by its name.

    Instants are RFC 3339 text in `zone`, exact to the nanosecond; quality flags are joined by
    spaces; values are floats or None, counts are integers.
    """
    found: dict[str, list[Any]] = {}
    for name in batch.schema.names:
        column = batch.column(name)
        if name in {"time", "start", "end"}:
            found[name] = [in_zone(each, zone) for each in instants(batch, name).tolist()]
        elif name == "quality":
            found[name] = [" ".join(quality_names(mask)) if mask else "" for mask in _list(column)]
        elif isinstance(column, pa.DictionaryArray):
            names = np.array(column.dictionary.to_pylist(), object)
            codes = column.indices.to_numpy(zero_copy_only=False)
            found[name] = names[codes].tolist() if len(codes) else []
        else:
            found[name] = _list(column)
    return found


def _list(column: pa.Array) -> list[Any]:
    if column.null_count:
        values: list[Any] = column.to_pylist()
    else:
        values = column.to_numpy(zero_copy_only=False).tolist()
    return values
