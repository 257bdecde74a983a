"""Exports: how files look, and the jobs that make them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field

from api.exports.formats import FormatName
from api.exports.query import Asked, ExportQuery
from api.schemas import Schema
from api.selection import MAX_DEVICES
from core.clock import iso
from devices.registry import ExportRecord, ExportState
from storage.ports import Aggregate

Name = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
_QUERY = msgspec.json.Decoder(ExportQuery)

EXAMPLES = {
    "csv": '# passerelle-export {"format":"passerelle-export","version":1}\r\n'
    "time,site,device,quantity,unit,value,quality\r\n"
    "2026-11-23T08:00:00+01:00,elgazala,elg-env-001,air_temperature,Cel,21.5,\r\n"
    '# end {"complete":true,"rows":1}\r\n',
    "jsonl": '{"record":"metadata","format":"passerelle-export","version":1}\n'
    '{"record":"row","time":"2026-11-23T08:00:00+01:00","site":"elgazala",'
    '"device":"elg-env-001","quantity":"air_temperature","unit":"Cel","value":21.5,"quality":[]}\n'
    '{"record":"end","complete":true,"rows":1}\n',
    "parquet": "PAR1",
    "arrow": "(an Arrow IPC stream)",
    "xlsx": "PK",
}
"""How a file of each format begins, or looks."""


class SelectionBody(Schema):
    """Which values, with the meaning that `GET /v1/readings` gives each."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    devices: list[Name] | None = Field(
        None, min_length=1, max_length=MAX_DEVICES, description="Device identifiers; or"
    )
    site: Short | None = Field(None, description="every device of this site.")
    quantities: list[Name] | None = Field(
        None, max_length=500, description="Canonical names; default: every quantity."
    )
    start: Short | None = Field(
        None, alias="from", description="First instant, inclusive; default -24h."
    )
    end: Short | None = Field(None, alias="to", description="Last instant, exclusive; default now.")
    zone: Short | None = Field(None, description="IANA zone of instants, in which windows begin.")
    every: Short | None = Field(None, description="Length of a window; without it raw values.")
    aggregate: Aggregate | None = Field(None, description="Of each window; default mean.")
    percentile: float | None = Field(
        None, gt=0, le=100, allow_inf_nan=False, description="For the aggregate percentile."
    )

    def asked(self) -> Asked:
        """Return the parameters."""
        return Asked(
            devices=self.devices,
            site=self.site,
            quantities=self.quantities,
            start=self.start,
            end=self.end,
            zone=self.zone,
            every=self.every,
            aggregate=self.aggregate,
            percentile=self.percentile,
        )


class JobOrder(SelectionBody):
    """A file that is made in the background."""

    format: FormatName = Field(FormatName.PARQUET, description="Format of the file.")


class ShownQuery(Schema):
    """A query with nothing left to decide."""

    devices: list[str] = Field(description="Every device, also of a site.")
    site: str | None
    quantities: list[str] = Field(description="Empty: every quantity that a device has.")
    start: str = Field(alias="from", description="First instant, inclusive.")
    end: str = Field(alias="to", description="Last instant, exclusive.")
    from_ns: int = Field(description="The same, nanoseconds since the epoch.")
    to_ns: int = Field(description="The same, nanoseconds since the epoch.")
    zone: str
    every: str | None
    aggregate: str | None
    percentile: float | None


class JobAnswer(Schema):
    """One job, and how far it is."""

    id: str
    state: ExportState = Field(
        description="`queued`, `running`, then `done`, `failed` or `cancelled`; `expired` when the "
        "file has been removed."
    )
    format: FormatName
    query: ShownQuery
    requested_by: str = Field(description="Name of the key with which it was ordered.")
    created: str
    started: str | None = Field(description="When it was last begun.")
    finished: str | None
    expires: str | None = Field(description="When the file is removed.")
    attempts: int = Field(description="How often it was begun; more than once after a restart.")
    progress: float = Field(description="Part of the range that has been read, 0 to 1.")
    rows: int = Field(description="In the file, so far.")
    size: int = Field(description="Bytes of the file, so far.")
    sha256: str | None = Field(description="Of the file, once it is done.")
    content_sha256: str | None = Field(description="Hash of the rows, once it is done.")
    error: str | None = Field(description="Why it failed, or why it is tried again.")
    file: str | None = Field(description="Where to fetch it, once it is done.")

    @classmethod
    def of(cls, record: ExportRecord) -> JobAnswer:
        """Return the answer for `record`."""
        done = record.state == ExportState.DONE
        return cls.model_validate(
            {
                **common_fields(record),
                "requested_by": record.requested_by,
                "expires": instant(record.expires_ns),
                "file": f"/v1/exports/jobs/{record.id}/file" if done else None,
            }
        )


class JobsAnswer(Schema):
    """A page of jobs, the newest first."""

    jobs: list[JobAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


def common_fields(record: ExportRecord) -> dict[str, Any]:
    """Return the fields that jobs and snapshots share."""
    return {
        "id": record.id,
        "state": record.state,
        "format": record.format,
        "query": _QUERY.decode(record.query).shown(),
        "created": iso(record.created_ns),
        "started": instant(record.started_ns),
        "finished": instant(record.finished_ns),
        "attempts": record.attempts,
        "progress": record.progress,
        "rows": record.rows,
        "size": record.size,
        "sha256": record.sha256 or None,
        "content_sha256": record.content_sha256 or None,
        "error": record.error or None,
    }


def instant(time_ns: int | None) -> str | None:
    """Return RFC 3339 text, or None."""
    return None if time_ns is None else iso(time_ns)


_SELECTION = {
    "devices": ["elg-env-001"],
    "quantities": ["air_temperature"],
    "from": "2026-11-01T00:00:00+01:00",
    "to": "2026-11-23T00:00:00+01:00",
    "zone": "Africa/Tunis",
}
JOB_ORDER_EXAMPLE = {**_SELECTION, "format": "parquet"}
QUERY_EXAMPLE = {
    **_SELECTION,
    "site": None,
    "from_ns": 1793487600000000000,
    "to_ns": 1795388400000000000,
    "every": None,
    "aggregate": None,
    "percentile": None,
}
JOB_EXAMPLE = {
    "id": "9f86d081884c7d65",
    "state": "done",
    "format": "parquet",
    "query": QUERY_EXAMPLE,
    "requested_by": "researcher",
    "created": "2026-11-23T08:00:00Z",
    "started": "2026-11-23T08:00:00.1Z",
    "finished": "2026-11-23T08:00:02Z",
    "expires": "2026-11-26T08:00:02Z",
    "attempts": 1,
    "progress": 1.0,
    "rows": 31680,
    "size": 201544,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "content_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "error": None,
    "file": "/v1/exports/jobs/9f86d081884c7d65/file",
}
JOBS_EXAMPLE = {"jobs": [JOB_EXAMPLE], "next": None}
