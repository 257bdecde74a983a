"""`/v1/completeness`."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request

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
    accounted_site,
    instant_range,
    next_link,
)
from api.problems import InvalidParameterError
from api.schemas.completeness import (
    COMPLETENESS_EXAMPLE,
    CompletenessAnswer,
    CompletenessRow,
    Counts,
    completeness_row,
)
from api.services import ServicesDep
from api.times import EARLIEST_NS, LATEST_NS
from core.access import Permission
from core.clock import NS_PER_HOUR, NS_PER_S, hour_of, iso
from core.identity import UNASSIGNED_SITE
from devices.registry import LedgerRow, Registry

ROUTER = APIRouter(prefix="/v1/completeness", tags=["completeness"])

_READ_AHEAD = 5000
_PAST_EVERY_HOUR = 2**62
_LARGEST_BOOT = 2**63 - 1

LedgerKey = tuple[str, str, int]


class Group(StrEnum):
    """What one row of the answer counts."""

    HOUR = "hour"
    BOOT = "boot"
    DEVICE = "device"
    SITE = "site"
    TOTAL = "total"


class LedgerFilter(msgspec.Struct, frozen=True):
    """What part of the ledger is asked for; hours in seconds since the epoch, end exclusive."""

    site: str | None
    sites: frozenset[str] | None
    device: str | None
    start_hour: int
    end_hour: int


class _Position(msgspec.Struct, frozen=True):
    start_hour: int
    end_hour: int
    site: str
    device: str
    hour: int


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_ACCOUNT),
    summary="Account for every message",
    responses=answers(COMPLETENESS_EXAMPLE),
)
def read_completeness(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    site: SiteFilter = None,
    device: DeviceFilter = None,
    start: SinceParameter = "-24h",
    end: UntilParameter = "now",
    group: Annotated[
        Group, Query(description="What one row counts.", examples=["hour"])
    ] = Group.HOUR,
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> CompletenessAnswer:
    """Return for each device and hour of reception what became of the messages.

    `received = stored + duplicate + dead_lettered + pending`; `balanced` says whether it holds.
    Messages without a site stand under `unassigned`, without a device under `unidentified`. The
    group `boot` has a row for each boot of a device: a counter that begins again is no gap.
    """
    accounted_site(access, services.registry, site)
    asked = ("completeness", site, device, start, end, group.value)
    position = None if cursor is None else _checked(cursor, asked, group)
    if position is None:
        start_ns, end_ns = instant_range(
            start, end, now_ns=services.clock.now_ns(), zone=UTC, names=("from", "to")
        )
        hours = hour_of(start_ns), hour_of(end_ns + NS_PER_HOUR - 1)
    else:
        hours = position.start_hour, position.end_hour
    wanted = LedgerFilter(site, access.sites, device, *hours)
    ledger = services.registry.ledger
    totals = ledger.totals(
        site=site,
        sites=wanted.sites,
        device=device,
        start_hour=hours[0],
        end_hour=hours[1],
    )
    rows, last = _rows(
        services.registry,
        wanted,
        group,
        totals=totals,
        after=None if position is None else (position.site, position.device, position.hour),
        limit=limit or min(services.settings.api.page_size, MAX_PAGE),
    )
    following = (
        None
        if last is None
        else encode_cursor(_Position(hours[0], hours[1], last[0], last[1], last[2]), query=asked)
    )
    reports = [worker.seen_ns for worker in services.registry.workers.list()]
    return CompletenessAnswer(
        start=iso(hours[0] * NS_PER_S),
        end=iso(hours[1] * NS_PER_S),
        as_of=iso(min(reports)) if reports else None,
        totals=Counts.of(totals),
        rows=rows,
        next=next_link(request, following),
    )


def _checked(cursor: str, asked: tuple[object, ...], group: Group) -> _Position:
    position = decode_cursor(cursor, _Position, query=asked)
    hours = EARLIEST_NS // NS_PER_S, position.start_hour, position.end_hour, LATEST_NS // NS_PER_S
    most = _LARGEST_BOOT if group is Group.BOOT else _PAST_EVERY_HOUR
    if list(hours) != sorted(hours) or abs(position.hour) > most:
        raise InvalidParameterError("cursor", "says something impossible; start without a cursor")
    return position


def _rows(
    registry: Registry,
    wanted: LedgerFilter,
    group: Group,
    *,
    totals: LedgerRow,
    after: LedgerKey | None,
    limit: int,
) -> tuple[list[CompletenessRow], LedgerKey | None]:
    """Return the rows of a page, and where it ended when there may be more."""
    if group is Group.TOTAL:
        return [completeness_row(totals, site=None, device=None, hour=None)], None
    if group is Group.SITE:
        return list(_by_site(registry, wanted)), None
    if group is Group.BOOT:
        return _by_boot(registry, wanted, after=after, limit=limit)
    rows: list[CompletenessRow] = []
    last: LedgerKey = ("", "", 0)
    chunk = min(_READ_AHEAD, limit + 1) if group is Group.HOUR else _READ_AHEAD
    ledger = _ledger(registry, wanted, after=after, chunk=chunk)
    for key, members in groupby(ledger, key=lambda row: _key(row, group)):
        if len(rows) == limit:
            return rows, last
        summed = _sum(members)
        hour = summed.hour if group is Group.HOUR else None
        rows.append(completeness_row(summed, site=summed.site, device=summed.device, hour=hour))
        last = key
    return rows, None


def _by_boot(
    registry: Registry, wanted: LedgerFilter, *, after: LedgerKey | None, limit: int
) -> tuple[list[CompletenessRow], LedgerKey | None]:
    found = registry.ledger.by_boot(
        site=wanted.site,
        sites=wanted.sites,
        device=wanted.device,
        start_hour=wanted.start_hour,
        end_hour=wanted.end_hour,
        after=after,
        limit=limit + 1,
    )
    rows = [
        completeness_row(row, site=row.site, device=row.device, hour=None, boot=row.boot)
        for row in found[:limit]
    ]
    if len(found) <= limit:
        return rows, None
    last = found[limit - 1]
    return rows, (last.site, last.device, last.boot)


def _by_site(registry: Registry, wanted: LedgerFilter) -> Iterator[CompletenessRow]:
    """Sum each site that received something, and what came without a site."""
    every = (*(site.id for site in registry.sites.list()), UNASSIGNED_SITE)
    for site in every if wanted.site is None else (wanted.site,):
        summed = registry.ledger.totals(
            site=site,
            sites=wanted.sites,
            device=wanted.device,
            start_hour=wanted.start_hour,
            end_hour=wanted.end_hour,
        )
        if summed.received or summed.redelivered or summed.missing:
            yield completeness_row(summed, site=site, device=None, hour=None)


def _ledger(
    registry: Registry, wanted: LedgerFilter, *, after: LedgerKey | None, chunk: int
) -> Iterator[LedgerRow]:
    while True:
        rows = registry.ledger.read(
            site=wanted.site,
            sites=wanted.sites,
            device=wanted.device,
            start_hour=wanted.start_hour,
            end_hour=wanted.end_hour,
            after=after,
            limit=chunk,
        )
        yield from rows
        if len(rows) < chunk:
            return
        after = (rows[-1].site, rows[-1].device, rows[-1].hour)


def _key(row: LedgerRow, group: Group) -> LedgerKey:
    return (row.site, row.device, row.hour if group is Group.HOUR else _PAST_EVERY_HOUR)


def _sum(rows: Iterator[LedgerRow]) -> LedgerRow:
    summed = next(rows)
    for row in rows:
        summed = LedgerRow(
            worker=summed.worker,
            site=summed.site,
            device=summed.device,
            hour=summed.hour,
            received=summed.received + row.received,
            stored=summed.stored + row.stored,
            duplicate=summed.duplicate + row.duplicate,
            dead_lettered=summed.dead_lettered + row.dead_lettered,
            pending=summed.pending + row.pending,
            redelivered=summed.redelivered + row.redelivered,
            missing=summed.missing + row.missing,
        )
    return summed
