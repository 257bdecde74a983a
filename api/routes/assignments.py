"""`/v1/assignments`: who wears or uses which device.

Which person a device belongs to makes its values that person's: it is shown to who may read vital
signs at the site of the device, and every such answer is in the audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Body, Path, Query, Request

from api.access.errors import ForbiddenError
from api.access.giving import in_body
from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import (
    MAX_PAGE,
    UTC,
    CursorParameter,
    DeviceFilter,
    LimitParameter,
    SiteFilter,
    existing_device,
    existing_site,
    next_link,
)
from api.problems import InvalidParameterError
from api.schemas.assignments import (
    ASSIGNMENT_END_EXAMPLE,
    ASSIGNMENT_EXAMPLE,
    ASSIGNMENTS_EXAMPLE,
    ENDED_EXAMPLE,
    NEW_ASSIGNMENT_EXAMPLE,
    AssignmentAnswer,
    AssignmentEnd,
    AssignmentsAnswer,
    NewAssignment,
)
from api.services import Services, ServicesDep
from api.times import parse_instant
from core.access import Domain, Permission
from core.reading import DeviceKey
from devices.registry import Assignment
from devices.registry.assignments import unknown_assignment

ROUTER = APIRouter(prefix="/v1/assignments", tags=["assignments"])

PERSON = "person"
"""What the audit calls who wears a device, in the place of quantities."""
_LARGEST_ID = 2**31 - 1
_REFUSED = ("bad_request", "not_found", "conflict", "body_too_large")

Number = Annotated[int, Path(description="Its number.", ge=1, le=_LARGEST_ID, examples=[7])]


class _After(msgspec.Struct, frozen=True, array_like=True):
    id: int


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_HEALTH),
    summary="List who wears which device",
    responses=answers(ASSIGNMENTS_EXAMPLE),
)
def list_assignments(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    device: DeviceFilter = None,
    person: Annotated[
        str | None,
        Query(description="Only this person (a pseudonym).", max_length=64, examples=["p-0017"]),
    ] = None,
    site: SiteFilter = None,
    at: Annotated[
        str | None,
        Query(
            description="Only those that count at this instant.", max_length=64, examples=["now"]
        ),
    ] = None,
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> AssignmentsAnswer:
    """Return assignments, the newest first, those that ended too."""
    sites = access.sites
    if site is not None:
        sites = frozenset({existing_site(access, services.registry, site)})
    query = ("assignments", device, person, site, at)
    after = None if cursor is None else decode_cursor(cursor, _After, query=query).id
    rows = limit or min(services.settings.api.page_size, MAX_PAGE)
    found = services.registry.assignments.list(
        device=device,
        person=person,
        at_ns=None if at is None else _instant(services, at, parameter="at"),
        sites=sites,
        after=after,
        limit=rows + 1,
    )
    page = found[:rows]
    _note(access, page)
    following = encode_cursor(_After(page[-1].id), query=query) if len(found) > rows else None
    return AssignmentsAnswer(
        assignments=[AssignmentAnswer.of(one) for one in page], next=next_link(request, following)
    )


@ROUTER.post(
    "",
    status_code=201,
    openapi_extra=requires(Permission.MANAGE_DEVICES),
    summary="Give a device to a person",
    responses=answers(ASSIGNMENT_EXAMPLE, *_REFUSED, status=201),
)
def assign_device(
    services: ServicesDep,
    access: AccessDep,
    new: Annotated[NewAssignment, Body(examples=[NEW_ASSIGNMENT_EXAMPLE])],
) -> AssignmentAnswer:
    """Give a device to a person, from an instant on; it is with one person at a time."""
    device = existing_device(access, services.registry, new.device)
    _check_health(access, device.site)
    zone = ZoneInfo(services.registry.sites.get(device.site).zone)
    start_ns = _instant(services, new.start, parameter="from", zone=zone, in_body=True)
    end_ns = None
    if new.end is not None:
        end_ns = _instant(services, new.end, parameter="to", zone=zone, in_body=True)
        if end_ns <= start_ns:
            raise InvalidParameterError("to", "must be after from", location="body")
    with in_body("person"):
        made = services.registry.assignments.assign(
            device.id, new.person, start_ns=start_ns, end_ns=end_ns, by=access.principal.name
        )
    _note(access, [made])
    return AssignmentAnswer.of(made)


@ROUTER.post(
    "/{id}/end",
    openapi_extra=requires(Permission.MANAGE_DEVICES),
    summary="End an assignment",
    responses=answers(ENDED_EXAMPLE, *_REFUSED),
)
def end_assignment(
    services: ServicesDep,
    access: AccessDep,
    id: Number,  # noqa: A002 - the name in the path
    end: Annotated[AssignmentEnd, Body(examples=[ASSIGNMENT_END_EXAMPLE])],
) -> AssignmentAnswer:
    """Say when an assignment ends, or that it ended earlier than was said."""
    before = services.registry.assignments.get(id)
    if not access.admits(before.site):
        raise unknown_assignment(id)
    _check_health(access, before.site)
    zone = ZoneInfo(services.registry.sites.get(before.site).zone)
    end_ns = _instant(services, end.at, parameter="at", zone=zone, in_body=True)
    with in_body("at"):
        ended = services.registry.assignments.end(id, end_ns=end_ns, by=access.principal.name)
    _note(access, [ended])
    return AssignmentAnswer.of(ended)


def _check_health(access: Access, site: str) -> None:
    if not access.principal.may(Permission.READ_HEALTH, site, Domain.HEALTH):
        raise ForbiddenError(
            "who wears a device makes its values a person's: this needs the permission "
            f"{Permission.READ_HEALTH.value} in the domain health at site {site!r}"
        )


def _note(access: Access, told: Iterable[Assignment]) -> None:
    for one in told:
        access.trail.value(DeviceKey(one.site, one.device), PERSON)


def _instant(
    services: Services, text: str, *, parameter: str, zone: ZoneInfo = UTC, in_body: bool = False
) -> int:
    try:
        return parse_instant(text, parameter=parameter, now_ns=services.clock.now_ns(), zone=zone)
    except InvalidParameterError as error:
        raise (error.in_body() if in_body else error) from None
