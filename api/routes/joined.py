"""`/v1/readings/joined`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.analysis.grouping import registered
from api.analysis.joined import Across, JoinQuery, read_joined
from api.analysis.nearest import Direction
from api.analysis.parameters import ExcludeQualityParameter, QualityParameter, parse_length
from api.analysis.quality import chosen_quality
from api.analysis.rendering import joined_csv, joined_json
from api.documentation import answers
from api.parameters import CursorParameter, SiteFilter, instant_range, next_link, split_list
from api.problems import InvalidParameterError
from api.reading_query import ReadingQuery, checked_raw_cursor, raw_cursor
from api.rendering import CSV_MEDIA_TYPE, wants_csv
from api.schemas.joined import JOINED_CSV_EXAMPLE, JOINED_EXAMPLE, JoinedReadings
from api.selection import (
    DevicesParameter,
    chosen_devices,
    chosen_quantities,
    common_zone,
    permitted_quantities,
)
from api.services import ServicesDep
from api.times import in_zone, parse_zone
from core.access import Permission
from core.clock import NS_PER_S
from core.errors import QueryTooLargeError
from core.quantities import CATALOGUE

ROUTER = APIRouter(prefix="/v1/readings", tags=["readings"])

ShortText = Annotated[str, Query(max_length=64)]
_MOST_RIGHT = 20


@ROUTER.get(
    "/joined",
    openapi_extra=requires(Permission.READ_READINGS),
    summary="Join values by time",
    response_model=JoinedReadings,
    responses=answers(
        JOINED_EXAMPLE,
        "query_too_large",
        "store_unavailable",
        media={"text/csv": JOINED_CSV_EXAMPLE},
    ),
)
def read_joined_values(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    left: Annotated[
        str,
        Query(
            description="The quantity to whose values others are joined.",
            max_length=200,
            examples=["carbon_dioxide"],
        ),
    ],
    right: Annotated[
        list[str],
        Query(
            description="The quantities that are joined, repeated or comma-separated; at most 20.",
            max_length=50,
            examples=[["people_count"]],
        ),
    ],
    devices: DevicesParameter = None,
    site: SiteFilter = None,
    tolerance: Annotated[
        ShortText,
        Query(
            description="How far away in time a right value may be, inclusive: 30s, 5min, 2h, 1d.",
            examples=["5min"],
        ),
    ] = "5min",
    direction: Annotated[
        Direction,
        Query(
            description="Whether it stands at or before the left value (the latest), at or after "
            "it (the earliest), or is the nearer of the two (if equally near: the earlier).",
            examples=["nearest"],
        ),
    ] = Direction.BACKWARD,
    across: Annotated[
        Across,
        Query(
            description="Whose values are joined: the device's own, or those of every chosen "
            "device in its zone, its building or its site.",
            examples=["zone"],
        ),
    ] = Across.DEVICE,
    start: Annotated[
        ShortText,
        Query(
            alias="from",
            description="First instant of left values, inclusive: RFC 3339, a day, or relative "
            "such as -24h.",
            examples=["-24h"],
        ),
    ] = "-24h",
    end: Annotated[
        ShortText,
        Query(
            alias="to",
            description="Last instant of left values, exclusive, in the same forms.",
            examples=["now"],
        ),
    ] = "now",
    zone: Annotated[
        str | None,
        Query(
            description="IANA zone of the answer's instants; default: the site's when all devices "
            "are of one, else UTC.",
            max_length=64,
            examples=["Africa/Tunis"],
        ),
    ] = None,
    quality: QualityParameter = None,
    exclude_quality: ExcludeQualityParameter = None,
    limit: Annotated[
        int | None,
        Query(
            description="Left values of a page, at most; default: setting `api.page_size`.",
            ge=1,
            examples=[1000],
        ),
    ] = None,
    cursor: CursorParameter = None,
) -> Response:
    """Return the values of one quantity, each with the nearest ones in time of others.

    Both sides are chosen by quality. Answers JSON, or CSV to `Accept: text/csv` (the next page then
    stands in the header `Link`).
    """
    asked = JoinQuery(
        right=_right_quantities(left, right),
        across=across,
        direction=direction,
        tolerance_ns=parse_length(tolerance, parameter="tolerance", zero=True),
        quality=chosen_quality(quality, exclude_quality),
    )
    keys = chosen_devices(access, services.registry, devices=devices, site=site)
    permitted_quantities(access, keys, (left, *asked.right))
    shown_in = common_zone(services.registry, keys) if zone is None else parse_zone(zone)
    start_ns, end_ns = instant_range(
        start, end, now_ns=services.clock.now_ns(), zone=shown_in, names=("from", "to")
    )
    query = ReadingQuery(
        devices=keys,
        quantities=(left,),
        start_ns=start_ns,
        end_ns=end_ns,
        zone=shown_in,
        max_points=services.settings.api.max_points,
    )
    fingerprint = ("joined", split_list(devices), site, left, asked, start, end)
    after = None
    if cursor is not None:
        position = checked_raw_cursor(cursor, asked=fingerprint)
        query = query.within(position.start_ns, position.end_ns)
        after = position.after
    rows, ended = read_joined(
        services.store,
        query,
        asked,
        registered(services.registry, keys) if across in (Across.ZONE, Across.BUILDING) else {},
        limit=_rows(limit, query, asked, usual=services.settings.api.page_size),
        after=after,
    )
    following = next_link(request, raw_cursor(query, ended, asked=fingerprint))
    headers = {"Vary": "Accept"}
    if wants_csv(request.headers.get("accept", "")):
        if following is not None:
            headers["Link"] = f'<{following}>; rel="next"'
        body: str | bytes = joined_csv(rows, left, asked, zone=query.zone)
        return Response(body, media_type=CSV_MEDIA_TYPE, headers=headers)
    head = {
        "kind": "joined",
        "start": in_zone(query.start_ns, query.zone),
        "end": in_zone(query.end_ns, query.zone),
        "zone": query.zone.key,
        "left": {"quantity": left, "unit": CATALOGUE[left].unit},
        "right": [{"quantity": name, "unit": CATALOGUE[name].unit} for name in asked.right],
        "direction": direction,
        "across": across,
        "tolerance_s": asked.tolerance_ns // NS_PER_S,
        "next": following,
    }
    body = joined_json(rows, asked, head, zone=query.zone)
    return Response(body, media_type="application/json", headers=headers)


def _right_quantities(left: str, right: list[str]) -> tuple[str, ...]:
    if _named("left", [left]) != (left,):
        raise InvalidParameterError("left", "is one quantity, such as air_temperature")
    names = _named("right", right)
    if not names:
        raise InvalidParameterError("right", "names no quantity; see /v1/quantities")
    if left in names:
        raise InvalidParameterError("right", f"{left} is the left quantity; name others")
    if len(names) > _MOST_RIGHT:
        raise InvalidParameterError("right", f"names more than {_MOST_RIGHT} quantities")
    return names


def _named(parameter: str, given: list[str]) -> tuple[str, ...]:
    try:
        return chosen_quantities(given)
    except InvalidParameterError as error:
        raise InvalidParameterError(parameter, error.detail) from None


def _rows(limit: int | None, query: ReadingQuery, asked: JoinQuery, *, usual: int) -> int:
    """Return how many left values a page has; each counts with what is joined to it."""
    most = max(1, query.max_points // (1 + len(asked.right)))
    if limit is not None and limit > most:
        raise QueryTooLargeError(
            f"a page of {limit} values with {len(asked.right)} joined to each is more than "
            f"{query.max_points} values",
            hint=f"limit={most} would fit",
        )
    return limit or min(usual, most)
