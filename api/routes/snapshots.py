"""`/v1/snapshots`: queries that are frozen, so that a study can be done again on the same bytes."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body, Request, Response

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.exports.formats import FORMATS, FormatName
from api.exports.permitted import plan_export, readable, recorded_query
from api.exports.query import ExportQuery
from api.exports.verify import Comparison, Difference, Row, compare, file_sha256
from api.parameters import CursorParameter, IdPath, LimitParameter, next_link
from api.routes.dead_letters import asked_by
from api.routes.export_jobs import body_query, file_of, listed
from api.schemas.exports import EXAMPLES
from api.schemas.snapshots import (
    SNAPSHOT_EXAMPLE,
    SNAPSHOT_ORDER_EXAMPLE,
    SNAPSHOTS_EXAMPLE,
    VERIFICATION_EXAMPLE,
    Snapshot,
    SnapshotOrder,
    SnapshotsAnswer,
    SnapshotSummary,
    Verification,
)
from api.services import ServicesDep
from api.times import in_zone
from core.access import Permission
from core.clock import iso
from core.errors import ConflictError
from core.quantities import CATALOGUE
from devices.registry import ExportKind, ExportRecord

ROUTER = APIRouter(prefix="/v1/snapshots", tags=["snapshots"])

_REFUSED = ("bad_request", "body_too_large", "query_too_large", "exports_unavailable")
_PARQUET = {
    FORMATS[FormatName.PARQUET].media_type: {
        "schema": {"type": "string", "format": "binary"},
        "example": EXAMPLES["parquet"],
    }
}
_DATA_RESPONSES = answers(None, "not_found", "conflict", "exports_unavailable")
_DATA_RESPONSES[200] = {"description": "The whole file.", "content": _PARQUET}
_DATA_RESPONSES[206] = {"description": "The part that `Range` asked for.", "content": _PARQUET}
_DATA_RESPONSES[416] = {"description": "The file is shorter than `Range` asks for."}


@ROUTER.post(
    "",
    status_code=202,
    openapi_extra=requires(Permission.SNAPSHOT),
    summary="Freeze a query",
    responses=answers(SNAPSHOT_EXAMPLE, *_REFUSED, status=202),
)
def order_snapshot(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    order: Annotated[SnapshotOrder, Body(examples=[SNAPSHOT_ORDER_EXAMPLE])],
) -> Snapshot:
    """Freeze what the store has now; the file is made in the background and kept for good."""
    query = body_query(access, services, order)
    plan_export(access, query)
    record = services.orders.order(
        ExportKind.SNAPSHOT,
        query,
        form=FormatName.PARQUET,
        requested_by=asked_by(request),
        title=order.title.strip(),
    )
    response.headers["Location"] = f"/v1/snapshots/{record.id}"
    return Snapshot.of(record)


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.SNAPSHOT),
    summary="List snapshots",
    responses=answers(SNAPSHOTS_EXAMPLE),
)
def list_snapshots(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> SnapshotsAnswer:
    """Return snapshots, the newest first."""
    records, following = listed(access, services, ExportKind.SNAPSHOT, limit=limit, cursor=cursor)
    return SnapshotsAnswer(
        snapshots=[SnapshotSummary.of(record) for record in records],
        next=next_link(request, following),
    )


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.SNAPSHOT),
    summary="Show a snapshot",
    responses=answers(SNAPSHOT_EXAMPLE, "not_found"),
)
def show_snapshot(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> Snapshot:
    """Return one snapshot: hashes, data dictionary, completeness, citation."""
    return Snapshot.of(readable(access, services, id, kind=ExportKind.SNAPSHOT))


@ROUTER.get(
    "/{id}/data",
    openapi_extra=requires(Permission.SNAPSHOT),
    summary="Fetch the data of a snapshot",
    responses=_DATA_RESPONSES,
    response_class=Response,
)
def fetch_snapshot(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> Response:
    """Return the frozen file (Parquet): the same bytes whenever it is fetched; `Range` works."""
    return file_of(access, services, readable(access, services, id, kind=ExportKind.SNAPSHOT))


@ROUTER.get(
    "/{id}/verify",
    openapi_extra=requires(Permission.SNAPSHOT),
    summary="Compare a snapshot with the store",
    responses=answers(
        VERIFICATION_EXAMPLE,
        "not_found",
        "conflict",
        "exports_busy",
        "exports_unavailable",
        "store_unavailable",
    ),
)
def verify_snapshot(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> Verification:
    """Read the store again, and say which rows were added, removed or changed since."""
    record = readable(access, services, id, kind=ExportKind.SNAPSHOT)
    path = services.orders.file(record)
    query = recorded_query(record)
    unknown = [name for name in query.quantities if name not in CATALOGUE]
    if unknown:
        raise ConflictError(
            f"{', '.join(unknown)}: not in the catalogue of this version, so the store cannot be "
            "asked; the file of the snapshot is as it was"
        )
    release = services.streams.place()
    try:
        intact = file_sha256(path) == record.sha256
        found = compare(services.store, query, path if intact else None)
    finally:
        release()
    return Verification.model_validate(
        {
            "id": record.id,
            "checked": iso(services.clock.now_ns()),
            "intact": intact,
            "same": found.content_sha256 == record.content_sha256,
            "content_sha256_then": record.content_sha256,
            "content_sha256_now": found.content_sha256,
            "rows_then": record.rows,
            "rows_now": found.rows,
            **found.counts,
            "by_device_and_day": [
                {"site": site, "device": device, "day": day, **counts}
                for (site, device, day), counts in sorted(found.days.items())
            ],
            "examples": [_shown(one, query) for one in found.examples],
            "explanation": _explanation(record, found, intact=intact),
        }
    )


def _shown(one: Difference, query: ExportQuery) -> dict[str, Any]:
    row = one.then or one.now
    assert row is not None  # noqa: S101 - a difference has a side
    site, device, quantity = row.names
    windows = query.every is not None
    return {
        "kind": one.kind,
        "time": in_zone(row.time_ns, ZoneInfo(query.zone)),
        "site": site,
        "device": device,
        "quantity": quantity,
        "then": _state(one.then, windows=windows),
        "now": _state(one.now, windows=windows),
    }


def _state(row: Row | None, *, windows: bool) -> dict[str, Any] | None:
    if row is None:
        return None
    quality, count = (None, row.more) if windows else (row.more, None)
    return {"value": row.value, "quality": quality, "count": count}


def _explanation(record: ExportRecord, found: Comparison, *, intact: bool) -> str:
    damaged = "" if intact else " The file itself is not as it was frozen: restore it."
    if found.content_sha256 == record.content_sha256:
        return f"The store has the same {found.rows} rows still.{damaged}"
    counts = found.counts
    if not intact:
        return f"The store has other rows now; which ones cannot be told.{damaged}"
    if not any(counts.values()):
        return (
            "Every row is the same but its unit: the catalogue of this version measures a quantity "
            "in another unit."
        )
    return (
        f"The store differs from the snapshot: {counts['added']} rows added, "
        f"{counts['removed']} removed, {counts['changed']} changed since. Rows are added by "
        "messages that came late, by replayed dead letters and by decoding again; changed by "
        "decoding again; removed by decoding again or by the store's retention."
    )
