"""Query parameters that several routes share, and the guard that refuses what no route knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Path, Query, Request

from api.access.visibility import Access
from api.problems import InvalidParameterError
from api.times import parse_instant
from core.errors import NotFoundError
from core.identity import UNASSIGNED_SITE
from devices.registry import Device, Registry
from devices.registry.device_rows import unknown_device

MAX_PAGE = 10_000
"""Rows that one page of a list may have."""

UTC = ZoneInfo("UTC")

SiteFilter = Annotated[
    str | None,
    Query(description="Only this site (its identifier).", max_length=64, examples=["elgazala"]),
]
DeviceFilter = Annotated[
    str | None,
    Query(
        description="Only this device (its identifier).", max_length=256, examples=["elg-env-001"]
    ),
]
CursorParameter = Annotated[
    str | None,
    Query(
        description="Where to go on: from `next` of the page before, with the other parameters "
        "unchanged.",
        max_length=4000,
        # no literal example: a cursor belongs to the query it was made for
    ),
]
LimitParameter = Annotated[
    int | None,
    Query(
        description="Rows of a page, at most; default: setting `api.page_size`.",
        ge=1,
        le=MAX_PAGE,
        examples=[100],
    ),
]
SinceParameter = Annotated[
    str,
    Query(
        alias="from",
        description="First instant, inclusive; where hours are counted, the hour that holds it.",
        max_length=64,
        examples=["-24h"],
    ),
]
UntilParameter = Annotated[
    str,
    Query(
        alias="to",
        description="Last instant, exclusive; where hours are counted, the hour that holds it is "
        "the last one.",
        max_length=64,
        examples=["now"],
    ),
]
IdPath = Annotated[str, Path(description="Its identifier.", max_length=256)]


async def strict_query(request: Request) -> None:
    """Refuse parameters that the route does not know, repeated single ones, and NUL bytes.

    A misspelt filter that is silently ignored answers more than was asked for.

    Raises:
        InvalidParameterError: names the parameter.
    """
    for name, value in request.path_params.items():
        if "\0" in value:
            raise InvalidParameterError(name, "holds a NUL character", location="path")
    known: Mapping[str, bool] = request.app.state.query_parameters.get(
        (request.method, getattr(request.scope.get("route"), "path", "")), {}
    )
    seen = set()
    for name, value in request.query_params.multi_items():
        shown = name[:60]
        if name not in known:
            close = difflib.get_close_matches(shown, known, n=1, cutoff=0.5)
            allowed = ", ".join(known) or "none"
            hint = f"did you mean {close[0]}?" if close else f"this route knows: {allowed}"
            raise InvalidParameterError(shown, f"is not a parameter of this route; {hint}")
        if name in seen and not known[name]:
            raise InvalidParameterError(shown, "is given more than once; it takes one value")
        if "\0" in value:
            raise InvalidParameterError(shown, "holds a NUL character")
        seen.add(name)


def query_parameters(openapi: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, bool]]:
    """Return for each (method, path template) its query parameters, True for repeatable ones."""
    return {
        (method.upper(), path): {
            parameter["name"]: _is_array(parameter["schema"])
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    }


def next_link(request: Request, cursor: str | None) -> str | None:
    """Return the address of the next page: the same query with `cursor`, without the host."""
    if cursor is None:
        return None
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


def split_list(values: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names in repeated or comma-separated `values`, each once, in order."""
    names = (part.strip() for value in values or () for part in value.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def instant_range(
    start: str, end: str, *, now_ns: int, zone: ZoneInfo, names: tuple[str, str]
) -> tuple[int, int]:
    """Return both ends of a range, in nanoseconds since the epoch.

    Raises:
        InvalidParameterError: an end is not an instant, or the range is empty or reversed.
    """
    start_ns = parse_instant(start, parameter=names[0], now_ns=now_ns, zone=zone)
    end_ns = parse_instant(end, parameter=names[1], now_ns=now_ns, zone=zone)
    if end_ns <= start_ns:
        raise InvalidParameterError(
            names[1], f"must be after {names[0]}: the range is empty or reversed"
        )
    return start_ns, end_ns


def existing_site(access: Access, registry: Registry, site: str, *, parameter: str = "site") -> str:
    """Return `site` when there is one with that identifier, where the caller has the right.

    Raises:
        InvalidParameterError: there is none that the caller may know of; the sentence names those.
        ForbiddenError: they know it, and have not the right there.
    """
    try:
        found = registry.sites.get(site).id
        if access.admits(found):
            return found
    except NotFoundError:
        pass
    known = ", ".join(one.id for one in registry.sites.list() if access.principal.knows(one.id))
    raise InvalidParameterError(
        parameter, f"there is no site {site[:60]!r}; there are: {known or 'none'}"
    )


def accounted_site(
    access: Access, registry: Registry, site: str | None, *, parameter: str = "site"
) -> None:
    """Check a site under which messages are accounted for: one that exists, or `unassigned`.

    What belongs to no site is for those who have the right at every one.

    Raises:
        InvalidParameterError: it is neither.
        ForbiddenError: the caller has not the right there.
    """
    if site == UNASSIGNED_SITE and access.sites is None:
        return
    if site is not None:
        existing_site(access, registry, site, parameter=parameter)


def existing_device(access: Access, registry: Registry, device: str) -> Device:
    """Return a device at a site where the caller has the right.

    Raises:
        NotFoundError: there is none of that id that the caller may know of.
        ForbiddenError: they know its site, and have not the right there.
    """
    found = registry.devices.get(device)
    if not access.admits(found.site):
        raise unknown_device(device)
    return found


def _is_array(schema: Mapping[str, Any]) -> bool:
    choices = schema.get("anyOf", [schema])
    return any(choice.get("type") == "array" for choice in choices)
