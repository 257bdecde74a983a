"""`/v1/completeness/values`: what `passerelle verify` sets the ledger against."""

from __future__ import annotations

from bisect import bisect_right

import msgspec
from fastapi import APIRouter, Request

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import (
    MAX_PAGE,
    UTC,
    CursorParameter,
    DeviceFilter,
    LimitParameter,
    SinceParameter,
    SiteFilter,
    UntilParameter,
    existing_site,
    instant_range,
    next_link,
)
from api.problems import InvalidParameterError
from api.schemas.completeness import VALUE_COUNTS_EXAMPLE, ValueCount, ValueCountsAnswer
from api.services import ServicesDep
from api.times import EARLIEST_NS, LATEST_NS
from core.access import Permission
from core.clock import NS_PER_S, iso
from core.reading import DeviceKey

ROUTER = APIRouter(prefix="/v1/completeness/values", tags=["completeness"])


class _Position(msgspec.Struct, frozen=True):
    start_ns: int
    end_ns: int
    site: str
    device: str
    hour: int


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_ACCOUNT),
    summary="Count the stored values",
    responses=answers(VALUE_COUNTS_EXAMPLE),
)
def read_value_counts(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    start: SinceParameter = "-24h",
    end: UntilParameter = "now",
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> ValueCountsAnswer:
    """Return how many values the store holds of each device in each UTC hour of their instants.

    The ledger's hours are those of reception. Each page counts again: ask for large ones.
    """
    if site is not None:
        existing_site(access, services.registry, site)
    asked = ("value_counts", site, device, start, end)
    position = None if cursor is None else decode_cursor(cursor, _Position, query=asked)
    if position is None:
        start_ns, end_ns = instant_range(
            start, end, now_ns=services.clock.now_ns(), zone=UTC, names=("from", "to")
        )
    else:
        start_ns, end_ns = position.start_ns, position.end_ns
        if not EARLIEST_NS <= start_ns < end_ns <= LATEST_NS:
            raise InvalidParameterError(
                "cursor", "says something impossible; start without a cursor"
            )
    devices = None if site is None or device is None else [DeviceKey(site, device)]
    counts = [
        one
        for one in services.store.hourly(devices, start_ns=start_ns, end_ns=end_ns)
        if site in (None, one.site) and device in (None, one.device)
    ]
    most = limit or min(services.settings.api.page_size, MAX_PAGE)
    first = 0
    if position is not None:
        after = (position.site, position.device, position.hour)
        first = bisect_right(counts, after, key=lambda one: (one.site, one.device, one.hour))
    page = counts[first : first + most]
    following = None
    if first + most < len(counts):
        last = page[-1]
        following = encode_cursor(
            _Position(start_ns, end_ns, last.site, last.device, last.hour), query=asked
        )
    return ValueCountsAnswer(
        start=iso(start_ns),
        end=iso(end_ns),
        keeps_s=services.store.keeps_s(),
        rows=[
            ValueCount(
                site=one.site, device=one.device, hour=iso(one.hour * NS_PER_S), values=one.values
            )
            for one in page
        ],
        next=next_link(request, following),
    )
