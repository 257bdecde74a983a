"""A hash of rows that says nothing of the file they are in: the content hash.

Algorithm `passerelle-rows-1` (docs/exports.md has a worked example):

1. SHA-256 begins with the 18 bytes `passerelle-rows-1` and a line feed.
2. Rows come in the order of `rows`. Integers are little-endian, text is UTF-8.
3. The name of a row is the first 16 bytes of SHA-256 of site, device, quantity and unit, joined by
   the byte 0x1F.
4. A stored value is 36 bytes: time (int64, ns since the epoch), name (16), value (IEEE 754
   float64; -0.0 as 0.0), quality (int32).
5. A window is 49 bytes: start (int64), end (int64), name (16), 1 or 0 for with or without a value
   (uint8), value (float64; 0.0 without one), count (int64).
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

ALGORITHM = "passerelle-rows-1"

_RAW = np.dtype([("time", "<i8"), ("name", "V16"), ("value", "<f8"), ("quality", "<i4")])
_WINDOW = np.dtype(
    [
        ("start", "<i8"),
        ("end", "<i8"),
        ("name", "V16"),
        ("valid", "u1"),
        ("value", "<f8"),
        ("count", "<i8"),
    ]
)


class RowsHash:
    """Hashes batches of rows, in their order."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256(f"{ALGORITHM}\n".encode())
        self._names: dict[tuple[str, str, str, str], bytes] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch."""
        windows = "count" in batch.schema.names
        rows = np.zeros(batch.num_rows, _WINDOW if windows else _RAW)
        value = batch.column("value")
        rows["name"] = self._digests(batch)
        rows["value"] = value.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
        if windows:
            rows["start"], rows["end"] = instants(batch, "start"), instants(batch, "end")
            rows["valid"] = value.is_valid().to_numpy(zero_copy_only=False)
            rows["count"] = batch.column("count").to_numpy(zero_copy_only=False)
        else:
            rows["time"] = instants(batch, "time")
            rows["quality"] = batch.column("quality").to_numpy(zero_copy_only=False)
        self._sha256.update(rows.tobytes())

    def hexdigest(self) -> str:
        """Return the hash of what was added so far, 64 hexadecimal digits."""
        return self._sha256.hexdigest()

    def _digests(self, batch: pa.RecordBatch) -> np.ndarray:
        """Return the digest of the names of each row."""
        parts = [batch.column(name) for name in ("site", "device", "quantity", "unit")]
        codes = np.zeros(batch.num_rows, np.int64)
        for part in parts:
            codes *= len(part.dictionary)
            codes += part.indices.to_numpy(zero_copy_only=False)
        _, first, place = np.unique(codes, return_index=True, return_inverse=True)
        found = [self._digest(*(part[int(row)].as_py() for part in parts)) for row in first]
        return np.array(found, "V16")[place] if found else np.zeros(0, "V16")

    def _digest(self, site: str, device: str, quantity: str, unit: str) -> bytes:
        names = (site, device, quantity, unit)
        digest = self._names.get(names)
        if digest is None:
            digest = hashlib.sha256("\x1f".join(names).encode()).digest()[:16]
            self._names[names] = digest
        return digest


def instants(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Return a column of instants as int64 nanoseconds since the epoch."""
    found: np.ndarray = batch.column(name).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return found
