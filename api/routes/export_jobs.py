"""`/v1/exports/jobs`: files that are made in the background and fetched when they are done."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Request, Response
from starlette.responses import FileResponse

from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.exports.formats import FORMATS, FormatName
from api.exports.permitted import may_read, plan_export, readable, recorded_query
from api.exports.query import ExportQuery, resolved
from api.exports.response import repr_digest
from api.parameters import MAX_PAGE, CursorParameter, IdPath, LimitParameter, next_link
from api.problems import InvalidParameterError
from api.routes.dead_letters import asked_by
from api.schemas.exports import (
    EXAMPLES,
    JOB_EXAMPLE,
    JOB_ORDER_EXAMPLE,
    JOBS_EXAMPLE,
    JobAnswer,
    JobOrder,
    JobsAnswer,
    SelectionBody,
)
from api.services import Services, ServicesDep
from core.access import Permission
from devices.registry import ExportKind, ExportRecord

ROUTER = APIRouter(prefix="/v1/exports/jobs", tags=["exports"])

_REFUSED = ("bad_request", "body_too_large", "query_too_large", "exports_unavailable")
_FILE_RESPONSES = answers(None, "not_found", "conflict", "exports_unavailable")
_FILE = {
    form.media_type: {
        "schema": {"type": "string", "format": "binary"},
        "example": EXAMPLES[form.name],
    }
    for form in FORMATS.values()
}
_FILE_RESPONSES[200] = {"description": "The whole file.", "content": _FILE}
_FILE_RESPONSES[206] = {"description": "The part that `Range` asked for.", "content": _FILE}
_FILE_RESPONSES[416] = {"description": "The file is shorter than `Range` asks for."}


class Place(msgspec.Struct, frozen=True):
    """Where a page of jobs or snapshots ended."""

    created_ns: int
    id: str


@ROUTER.post(
    "",
    status_code=202,
    openapi_extra=requires(Permission.EXPORT),
    summary="Order a file of values",
    responses=answers(JOB_EXAMPLE, *_REFUSED, status=202),
)
def order_job(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    order: Annotated[JobOrder, Body(examples=[JOB_ORDER_EXAMPLE])],
) -> JobAnswer:
    """Order a file; it is made in the background, also after a restart of the API."""
    query = body_query(access, services, order)
    plan_export(access, query)
    record = services.orders.order(
        ExportKind.JOB,
        query,
        form=order.format,
        requested_by=asked_by(request),
    )
    response.headers["Location"] = f"/v1/exports/jobs/{record.id}"
    return JobAnswer.of(record)


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.EXPORT),
    summary="List export jobs",
    responses=answers(JOBS_EXAMPLE),
)
def list_jobs(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> JobsAnswer:
    """Return jobs, the newest first."""
    records, following = listed(access, services, ExportKind.JOB, limit=limit, cursor=cursor)
    return JobsAnswer(
        jobs=[JobAnswer.of(record) for record in records], next=next_link(request, following)
    )


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.EXPORT),
    summary="Show how far an export job is",
    responses=answers(JOB_EXAMPLE, "not_found"),
)
def show_job(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> JobAnswer:
    """Return one job, with its progress and, once it is done, its checksums."""
    return JobAnswer.of(readable(access, services, id, kind=ExportKind.JOB))


@ROUTER.delete(
    "/{id}",
    openapi_extra=requires(Permission.EXPORT),
    summary="Cancel an export job, or remove its file",
    responses=answers(JOB_EXAMPLE, "not_found", "exports_unavailable"),
)
def cancel_job(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> JobAnswer:
    """Cancel a job that is not done; of one that is, remove the file before it expires."""
    readable(access, services, id, kind=ExportKind.JOB)
    return JobAnswer.of(services.orders.cancel(id))


@ROUTER.get(
    "/{id}/file",
    openapi_extra=requires(Permission.EXPORT),
    summary="Fetch the file of an export job",
    responses=_FILE_RESPONSES,
    response_class=Response,
)
def fetch_job(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> Response:
    """Return the file; with `Range` a part of it, so that a fetch can go on where it stopped."""
    return file_of(access, services, readable(access, services, id, kind=ExportKind.JOB))


def file_of(access: Access, services: Services, record: ExportRecord) -> Response:
    """Return the file of a job or a snapshot; its entity tag is its SHA-256."""
    path = services.orders.file(record)
    plan_export(access, recorded_query(record), rows=record.rows)
    return FileResponse(
        path,
        media_type=FORMATS[FormatName(record.format)].media_type,
        filename=f"passerelle-{record.kind}-{record.id}.{record.format}",
        headers={
            "ETag": f'"{record.sha256}"',
            "Repr-Digest": repr_digest(bytes.fromhex(record.sha256)),
            "Passerelle-Rows": str(record.rows),
            "Cache-Control": "private, no-transform",
        },
    )


def body_query(access: Access, services: Services, body: SelectionBody) -> ExportQuery:
    """Return the query of a body.

    Raises:
        InvalidParameterError: a field cannot be used.
    """
    try:
        return resolved(access, services.registry, body.asked(), now_ns=services.clock.now_ns())
    except InvalidParameterError as error:
        raise error.in_body() from None


def listed(
    access: Access, services: Services, kind: ExportKind, *, limit: int | None, cursor: str | None
) -> tuple[list[ExportRecord], str | None]:
    """Return a page, and the cursor of the next one."""
    asked = ("exports", kind.value)
    place = None if cursor is None else decode_cursor(cursor, Place, query=asked)
    if place is not None and not 0 <= place.created_ns < 2**63:
        raise InvalidParameterError("cursor", "says something impossible; start without a cursor")
    rows = limit or min(services.settings.api.page_size, MAX_PAGE)
    after = None if place is None else (place.created_ns, place.id)
    found: list[ExportRecord] = []
    while len(found) <= rows:
        chunk = services.registry.exports.list(kind, limit=rows + 1, after=after)
        found += [record for record in chunk if may_read(access, record)]
        if len(chunk) <= rows:
            break
        after = (chunk[-1].created_ns, chunk[-1].id)
    if len(found) <= rows:
        return found, None
    last = found[rows - 1]
    return found[:rows], encode_cursor(Place(last.created_ns, last.id), query=asked)
