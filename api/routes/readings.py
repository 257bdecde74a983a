"""`/v1/readings`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.analysis.answers import plots_body, shown_rollups, windows_body
from api.analysis.parameters import Refinements, chosen_aggregates, chosen_refinements
from api.column_json import raw_json
from api.documentation import answers
from api.parameters import CursorParameter, SiteFilter, instant_range, next_link, split_list
from api.problems import InvalidParameterError
from api.reading_query import (
    ReadingQuery,
    checked_raw_cursor,
    raw_cursor,
    read_columns,
    read_raw,
    read_windows,
)
from api.rendering import CSV_MEDIA_TYPE, raw_csv, wants_csv, windows_csv, windows_json
from api.schemas.plots import PLOT_EXAMPLE, PlotReadings
from api.schemas.readings import (
    CSV_EXAMPLE,
    RAW_EXAMPLE,
    WINDOWS_EXAMPLE,
    RawReadings,
    WindowReadings,
)
from api.schemas.several import SEVERAL_EXAMPLE, GroupReadings, SeveralReadings
from api.selection import (
    DevicesParameter,
    QuantitiesParameter,
    chosen_devices,
    chosen_quantities,
    common_zone,
    permitted_quantities,
)
from api.services import Services, ServicesDep
from api.times import in_zone, parse_zone
from api.windows import every_text, parse_every
from core.access import Permission
from storage.columns import ColumnPage, columns_of
from storage.ports import Aggregate, Windows

ROUTER = APIRouter(prefix="/v1/readings", tags=["readings"])

_EXAMPLES = {
    "raw": RAW_EXAMPLE,
    "plot": PLOT_EXAMPLE,
    "windows": WINDOWS_EXAMPLE,
    "aggregates": SEVERAL_EXAMPLE,
}
_JSON = {"examples": {name: {"value": value} for name, value in _EXAMPLES.items()}}
_RESPONSES = answers(RAW_EXAMPLE, "query_too_large", "store_unavailable")
_RESPONSES[200] = {
    "content": {
        "application/json": _JSON,
        "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
    }
}

ROLLUPS = "Passerelle-Rollups"
"""Header of CSV: which part of the range was answered from roll-ups, and of what resolution."""

ShortText = Annotated[str | None, Query(max_length=64)]


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_READINGS),
    summary="Read values",
    response_model=RawReadings | PlotReadings | WindowReadings | GroupReadings | SeveralReadings,
    responses=_RESPONSES,
)
def read_readings(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    refined: Annotated[Refinements, Depends(chosen_refinements)],
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
        list[str] | None,
        Query(
            description=f"What is computed of each window: {', '.join(Aggregate)}; default mean. "
            "Several, repeated or comma-separated, are answered together.",
            max_length=20,
            examples=[["mean"]],
        ),
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
            description="IANA zone of the answer's instants, in which windows begin; default: "
            "the site's when all devices are of one, else UTC.",
            examples=["Africa/Tunis"],
        ),
    ] = None,
    limit: Annotated[
        int | None,
        Query(
            description="Values of a raw page, at most; default: setting `api.page_size`.",
            ge=1,
            examples=[1000],
        ),
    ] = None,
    cursor: CursorParameter = None,
) -> Response:
    """Return stored values of devices: raw and paged, reduced for a plot, or one a window.

    Answers JSON, or CSV to `Accept: text/csv` (the next page then stands in the header `Link`).
    """
    keys = chosen_devices(access, services.registry, devices=devices, site=site)
    named = chosen_quantities(quantities)
    names = permitted_quantities(access, keys, named)
    shown_in = common_zone(services.registry, keys) if zone is None else parse_zone(zone)
    start_ns, end_ns = instant_range(
        "-24h" if start is None else start,
        "now" if end is None else end,
        now_ns=services.clock.now_ns(),
        zone=shown_in,
        names=("from", "to"),
    )
    query = ReadingQuery(
        devices=keys,
        quantities=named,
        among=names or None,
        start_ns=start_ns,
        end_ns=end_ns,
        zone=shown_in,
        max_points=services.settings.api.max_points,
    )
    as_csv = wants_csv(request.headers.get("accept", ""))
    if every is None:
        for name, value in (("aggregate", aggregate), ("percentile", percentile)):
            if value is not None:
                raise InvalidParameterError(name, "needs windows: give every, such as every=1h")
        refined.check_raw(paged=limit is not None or cursor is not None)
        if refined.max_points is not None:
            body = plots_body(services, query, refined, _range(query), as_csv=as_csv)
            return _answer(body, CSV_MEDIA_TYPE if as_csv else "application/json")
        asked: tuple[object, ...] = ("readings", split_list(devices), site, named, start, end)
        if refined.quality.active:
            asked = (*asked, refined.quality)
        return _raw(
            request,
            services,
            query,
            refined=refined,
            asked=asked,
            limit=limit,
            cursor=cursor,
            as_csv=as_csv,
        )
    for name, given in (("limit", limit), ("cursor", cursor)):
        if given is not None:
            raise InvalidParameterError(name, "pages raw values; with every there are no pages")
    aggregates = chosen_aggregates(aggregate, percentile)
    refined.check_windows(aggregates)
    windows = Windows(
        every=parse_every(every),
        zone=shown_in,
        aggregate=aggregates[0],
        percentile=percentile,
    )
    if len(aggregates) == 1 and not refined.refines_windows:
        return _windows(services, query, windows, as_csv=as_csv)
    body, rollups = windows_body(
        services, query, windows, aggregates, refined, _range(query), as_csv=as_csv
    )
    if as_csv:
        return _answer(body, CSV_MEDIA_TYPE, _rollups_header(rollups))
    return _answer(body, "application/json")


def _raw(
    request: Request,
    services: Services,
    query: ReadingQuery,
    *,
    refined: Refinements,
    asked: tuple[object, ...],
    limit: int | None,
    cursor: str | None,
    as_csv: bool,
) -> Response:
    after = None
    if cursor is not None:
        position = checked_raw_cursor(cursor, asked=asked)
        query = query.within(position.start_ns, position.end_ns)
        after = position.after
    api = services.settings.api
    rows = limit or min(api.page_size, api.max_points)
    if as_csv or refined.quality.active:
        readings, ended = read_raw(
            services.store, query, limit=rows, after=after, quality=refined.quality
        )
        page = ColumnPage(() if as_csv else columns_of(readings), ended)
    else:
        readings, page = (), read_columns(services.store, query, limit=rows, after=after)
    following = next_link(request, raw_cursor(query, page.after, asked=asked))
    if as_csv:
        headers = {} if following is None else {"Link": f'<{following}>; rel="next"'}
        return _answer(raw_csv(readings, zone=query.zone), CSV_MEDIA_TYPE, headers)
    head = {"kind": "raw", **_range(query), "next": following}
    return _answer(raw_json(page.columns, head, zone=query.zone), "application/json")


def _windows(
    services: Services, query: ReadingQuery, windows: Windows, *, as_csv: bool
) -> Response:
    read = read_windows(services.store, services.rolled, query, windows)
    rollups = None if read.rolled_ns is None else shown_rollups(*read.rolled_ns, zone=query.zone)
    if as_csv:
        body = windows_csv(read.values, zone=query.zone)
        return _answer(body, CSV_MEDIA_TYPE, _rollups_header(rollups))
    head = {
        "kind": "windows",
        **_range(query),
        "every": every_text(windows.every),
        "aggregate": windows.aggregate.value,
        "percentile": windows.percentile,
        "rollups": rollups,
    }
    return _answer(windows_json(read.values, head, zone=query.zone), "application/json")


def _rollups_header(rollups: dict[str, str] | None) -> dict[str, str]:
    return {} if rollups is None else {ROLLUPS: "; ".join(map("=".join, rollups.items()))}


def _range(query: ReadingQuery) -> dict[str, str]:
    return {
        "start": in_zone(query.start_ns, query.zone),
        "end": in_zone(query.end_ns, query.zone),
        "zone": query.zone.key,
    }


def _answer(body: str | bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    return Response(body, media_type=media_type, headers={"Vary": "Accept", **(headers or {})})
