"""CSV (RFC 4180) between comment lines: the metadata first, how it ends last.

```
# passerelle-export {"format":"passerelle-export",...}
time,site,device,quantity,unit,value,quality
2026-11-23T08:00:00+01:00,elgazala,elg-env-001,air_temperature,Cel,21.5,
# end {"complete":true,"rows":1,...,"sha256":"..."}
```
`sha256` is that of every byte before the line that says it. Readers skip the comments
(pandas: `comment="#"`): no column can hold a `#`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from api.exports.formats.text import texts
from api.exports.formats.writer import Head

HEAD_MARK = b"# passerelle-export "
END_MARK = b"# end "
ABANDONED_MARK = b"# incomplete "


class CsvWriter:
    """A `FileWriter`.

    Args:
        head: of the file.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._zone = ZoneInfo(head.metadata["zone"])
        self._sha256 = hashlib.sha256()

    def begin(self) -> bytes:
        """See `FileWriter.begin`."""
        metadata = msgspec.json.encode(self._head.metadata)
        names = ",".join(self._head.columns.names).encode()
        return self._told(HEAD_MARK + metadata + b"\r\n" + names + b"\r\n")

    def add(self, batch: pa.RecordBatch) -> bytes:
        """See `FileWriter.add`."""
        columns = texts(batch, self._zone)
        columns["value"] = ["" if one is None else repr(one) for one in columns["value"]]
        buffer = io.StringIO(newline="")
        csv.writer(buffer).writerows(zip(*columns.values(), strict=True))
        return self._told(buffer.getvalue().encode())

    def end(self, facts: dict[str, Any]) -> bytes:
        """See `FileWriter.end`."""
        told = {**facts, "sha256": self._sha256.hexdigest()}
        return END_MARK + msgspec.json.encode(told) + b"\r\n"

    def abandon(self, why: str) -> bytes:
        """See `FileWriter.abandon`."""
        return ABANDONED_MARK + msgspec.json.encode({"complete": False, "why": why}) + b"\r\n"

    def _told(self, data: bytes) -> bytes:
        self._sha256.update(data)
        return data
