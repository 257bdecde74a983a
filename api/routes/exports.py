"""`GET /v1/exports`: stored values as a file, streamed while it is read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.exports.formats import FORMATS, FormatName
from api.exports.permitted import plan_export
from api.exports.query import Asked, ExportQuery, resolved
from api.exports.response import ExportResponse
from api.parameters import SiteFilter
from api.schemas.exports import EXAMPLES
from api.selection import DevicesParameter, QuantitiesParameter
from api.services import ServicesDep
from core.access import Permission
from core.clock import iso
from storage.ports import Aggregate

ROUTER = APIRouter(prefix="/v1/exports", tags=["exports"])

ShortText = Annotated[str | None, Query(max_length=64)]

_RESPONSES = answers(None, "query_too_large", "store_unavailable", "exports_busy")
_RESPONSES[200] = {
    "description": "The file; trailers say how many rows it has, and their checksums.",
    "content": {
        form.media_type: {
            "schema": {"type": "string", "format": "binary"},
            "example": EXAMPLES[form.name],
        }
        for form in FORMATS.values()
    },
}


def asked_query(
    services: ServicesDep,
    access: AccessDep,
    *,
    devices: DevicesParameter = None,
    site: SiteFilter = None,
    quantities: QuantitiesParameter = None,
    start: Annotated[
        ShortText,
        Query(
            alias="from",
            description="First instant, inclusive: RFC 3339, a day, or relative such as -24h; "
            "default -24h.",
            examples=["2026-11-23T08:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        ShortText,
        Query(
            alias="to",
            description="Last instant, exclusive, in the same forms; default now.",
            examples=["now"],
        ),
    ] = None,
    every: Annotated[
        ShortText,
        Query(
            description="Length of a window: 30s, 15min, 1h, 1d, 1w, 1mo; without it raw values.",
            examples=["1h"],
        ),
    ] = None,
    aggregate: Annotated[
        Aggregate | None,
        Query(description="What is computed of each window; default mean.", examples=["mean"]),
    ] = None,
    percentile: Annotated[
        float | None,
        Query(
            description="For the aggregate percentile: above 0, at most 100.",
            gt=0,
            le=100,
            allow_inf_nan=False,
            examples=[95],
        ),
    ] = None,
    zone: Annotated[
        ShortText,
        Query(
            description="IANA zone of the file's instants, in which windows begin; default: "
            "the site's when all devices are of one, else UTC.",
            examples=["Africa/Tunis"],
        ),
    ] = None,
) -> ExportQuery:
    """Return the query that the parameters name."""
    asked = Asked(
        devices=devices,
        site=site,
        quantities=quantities,
        start=start,
        end=end,
        zone=zone,
        every=every,
        aggregate=aggregate,
        percentile=percentile,
    )
    return resolved(access, services.registry, asked, now_ns=services.clock.now_ns())


FormatParameter = Annotated[
    FormatName, Query(alias="format", description="Format of the file.", examples=["csv"])
]


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.EXPORT),
    summary="Stream a file of values",
    responses=_RESPONSES,
    response_class=Response,
)
def stream_export(
    services: ServicesDep,
    access: AccessDep,
    query: Annotated[ExportQuery, Depends(asked_query)],
    form: FormatParameter = FormatName.CSV,
) -> Response:
    """Return stored values, or one a window, as a file of any size.

    The file says in itself what it holds and, at its end, that it is complete: a client that lost
    the connection can tell.
    """
    chosen = FORMATS[form]
    plan_export(access, query)
    opened = services.streams.open(query, chosen)
    name = f"passerelle-{iso(query.start_ns)[:10]}-{iso(query.end_ns)[:10]}.{chosen.name}"
    return ExportResponse(
        opened.export,
        media_type=chosen.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
        done=opened.done,
    )
