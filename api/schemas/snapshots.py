"""Snapshots: queries that were frozen, and how they compare with the store now."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from api.exports.query import ExportQuery
from api.exports.snapshots import citation, dictionary
from api.schemas import Schema
from api.schemas.exports import QUERY_EXAMPLE, SelectionBody, ShownQuery, common_fields
from devices.registry import ExportRecord, ExportState

_QUERY = msgspec.json.Decoder(ExportQuery)


class SnapshotOrder(SelectionBody):
    """A query to freeze."""

    title: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$")] = (
        Field(description="What it is; it stands in the citation.")
    )


class Citation(Schema):
    """How to cite a snapshot."""

    en: str
    fr: str


class SnapshotSummary(Schema):
    """One snapshot."""

    id: str
    title: str
    state: ExportState = Field(description="`queued`, `running`, then `done` or `failed`.")
    format: Literal["parquet"]
    query: ShownQuery
    created: str
    started: str | None = Field(description="When it was last begun.")
    finished: str | None = Field(description="When it was frozen.")
    attempts: int
    progress: float = Field(description="Part of the range that has been read, 0 to 1.")
    rows: int
    size: int = Field(description="Bytes of the file.")
    sha256: str | None = Field(description="Of the file: these bytes never change.")
    content_sha256: str | None = Field(description="Hash of the rows, of no format.")
    error: str | None
    data: str | None = Field(description="Where to fetch the file.")
    citation: Citation | None

    @classmethod
    def of(cls, record: ExportRecord) -> SnapshotSummary:
        """Return the answer for `record`."""
        return cls.model_validate(_fields(record))


class Snapshot(SnapshotSummary):
    """One snapshot with all that it says of itself."""

    dictionary: dict[str, Any] = Field(
        description="Quantities, units, codes, definitions, devices without persons, completeness: "
        "as they were when it was frozen; empty until then."
    )

    @classmethod
    def of(cls, record: ExportRecord) -> Snapshot:
        """Return the answer for `record`."""
        return cls.model_validate({**_fields(record), "dictionary": dictionary(record)})


class SnapshotsAnswer(Schema):
    """A page of snapshots, the newest first."""

    snapshots: list[SnapshotSummary]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class DayDifferences(Schema):
    """How many rows of one device and day differ."""

    site: str
    device: str
    day: str = Field(description="In the zone of the query.")
    added: int
    removed: int
    changed: int


class RowState(Schema):
    """What a row was, or is."""

    value: float | None
    quality: int | None = Field(description="Bit mask; null of a window.")
    count: int | None = Field(description="Values in the window; null of a stored value.")


class RowDifference(Schema):
    """One row that differs."""

    kind: Literal["added", "removed", "changed"]
    time: str
    site: str
    device: str
    quantity: str
    then: RowState | None = Field(description="In the snapshot; null where it has no such row.")
    now: RowState | None = Field(description="In the store; null where it has no such row.")


class Verification(Schema):
    """A snapshot beside the store as it is now."""

    id: str
    checked: str
    intact: bool = Field(description="True when the file has the bytes that were frozen.")
    same: bool = Field(description="True when the store has the same rows still.")
    content_sha256_then: str
    content_sha256_now: str
    rows_then: int
    rows_now: int
    added: int = Field(description="Rows that the store has and the snapshot has not.")
    removed: int = Field(description="Rows that the snapshot has and the store has not.")
    changed: int = Field(description="Rows whose value, quality or count is another.")
    by_device_and_day: list[DayDifferences] = Field(description="The first 1000.")
    examples: list[RowDifference] = Field(description="The first 20 rows that differ.")
    explanation: str


def _fields(record: ExportRecord) -> dict[str, Any]:
    done = record.state == ExportState.DONE
    return {
        **common_fields(record),
        "title": record.title,
        "data": f"/v1/snapshots/{record.id}/data" if done else None,
        "citation": citation(record, _QUERY.decode(record.query)) if done else None,
    }


_HASH = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
SNAPSHOT_ORDER_EXAMPLE = {
    "title": "Air temperature of hall A, November 2026",
    "devices": ["elg-env-001"],
    "quantities": ["air_temperature"],
    "from": "2026-11-01",
    "to": "2026-11-23",
}
_SUMMARY: dict[str, Any] = {
    "id": "9f86d081884c7d65",
    "title": "Air temperature of hall A, November 2026",
    "state": "done",
    "format": "parquet",
    "query": QUERY_EXAMPLE,
    "created": "2026-11-23T08:00:00Z",
    "started": "2026-11-23T08:00:00.100Z",
    "finished": "2026-11-23T08:00:02Z",
    "attempts": 1,
    "progress": 1.0,
    "rows": 31680,
    "size": 201544,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "content_sha256": _HASH,
    "error": None,
    "data": "/v1/snapshots/9f86d081884c7d65/data",
    "citation": {
        "en": "Passerelle (2026). Air temperature of hall A, November 2026 [data snapshot ...].",
        "fr": "Passerelle (2026). Air temperature of hall A, November 2026 [instantané ...].",
    },
}
SNAPSHOT_EXAMPLE = {
    **_SUMMARY,
    "dictionary": {"quantities": {"air_temperature": {"unit": "Cel"}}},
}
SNAPSHOTS_EXAMPLE = {"snapshots": [_SUMMARY], "next": None}
VERIFICATION_EXAMPLE = {
    "id": "9f86d081884c7d65",
    "checked": "2027-11-23T08:00:00Z",
    "intact": True,
    "same": False,
    "content_sha256_then": _HASH,
    "content_sha256_now": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "rows_then": 31680,
    "rows_now": 31681,
    "added": 1,
    "removed": 0,
    "changed": 0,
    "by_device_and_day": [
        {
            "site": "elgazala",
            "device": "elg-env-001",
            "day": "2026-11-22",
            "added": 1,
            "removed": 0,
            "changed": 0,
        }
    ],
    "examples": [
        {
            "kind": "added",
            "time": "2026-11-22T08:00:00+01:00",
            "site": "elgazala",
            "device": "elg-env-001",
            "quantity": "air_temperature",
            "then": None,
            "now": {"value": 21.5, "quality": 8, "count": None},
        }
    ],
    "explanation": "The store differs from the snapshot: 1 row added, 0 removed, 0 changed since.",
}
