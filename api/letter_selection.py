"""Which dead letters a query or an order means, checked."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from api.access.visibility import Access
from api.parameters import UTC, accounted_site
from api.problems import InvalidParameterError
from api.schemas.dead_letters import ReplayFilter
from api.services import Services
from api.times import parse_instant
from core.errors import NotFoundError
from core.identity import UNASSIGNED_SITE
from devices.registry import LetterFilter, LetterRequest
from devices.registry.letter_requests import unknown_letter


def chosen_letters(
    access: Access, services: Services, wanted: ReplayFilter, *, prefix: str = ""
) -> LetterFilter:
    """Return the filter that `wanted` asks for.

    Args:
        access: whose right it is.
        services: whose sites and time count.
        wanted: as it was given.
        prefix: of the names of parameters, for errors.

    Raises:
        InvalidParameterError: the site does not exist, or an instant is not one.
        ForbiddenError: the caller has not the right at that site.
    """
    accounted_site(access, services.registry, wanted.site, parameter=f"{prefix}site")
    since_ns, until_ns = (
        None
        if text is None
        else parse_instant(
            text, parameter=f"{prefix}{name}", now_ns=services.clock.now_ns(), zone=UTC
        )
        for text, name in ((wanted.since, "since"), (wanted.until, "until"))
    )
    if since_ns is not None and until_ns is not None and until_ns <= since_ns:
        raise InvalidParameterError(f"{prefix}until", f"must be after {prefix}since")
    return LetterFilter(
        site=wanted.site,
        device=wanted.device,
        reason=wanted.reason,
        scope=wanted.scope,
        profile=wanted.profile,
        worker=wanted.worker,
        since_ns=since_ns,
        until_ns=until_ns,
    )


def ordered_letters(
    access: Access, services: Services, wanted: ReplayFilter | None
) -> LetterFilter | None:
    """Return the filter in the body of an order, if there is one.

    A filter that names no site means the only one where the caller has the right.

    Raises:
        InvalidParameterError: as `chosen_letters`, about the field of the body.
    """
    if wanted is None:
        return None
    try:
        chosen = chosen_letters(access, services, wanted, prefix="filter.")
        return msgspec.structs.replace(chosen, site=_one_site(access, chosen.site))
    except InvalidParameterError as error:
        raise error.in_body() from None


def check_letters(access: Access, services: Services, ids: Iterable[str]) -> None:
    """Refuse dead letters that are named, unless each is at a site where the caller has the right.

    Raises:
        NotFoundError: there is none of that id that the caller may know of.
        ForbiddenError: the caller knows its site, and has not the right there.
    """
    named = list(dict.fromkeys(ids))
    sites = services.registry.dead_letters.sites_of(named)
    for letter in named:
        site = sites.get(letter)
        if site is None or not access.admits(site):
            raise unknown_letter(letter)


def check_request(access: Access, services: Services, request: LetterRequest) -> None:
    """Refuse a request about dead letters that the caller may not know of.

    Raises:
        NotFoundError: it is about a site that they do not know.
        ForbiddenError: they know the site, and have not the right there.
    """
    if access.sites is None:
        return
    wanted = request.wanted
    if wanted is None:
        sites = services.registry.dead_letters.sites_of(request.dead_letters)
        about = {sites.get(letter, UNASSIGNED_SITE) for letter in request.dead_letters}
    else:
        about = {UNASSIGNED_SITE if wanted.site is None else wanted.site}
    for site in sorted(about):
        if not access.admits(site):
            raise NotFoundError(f"there is no replay {request.id}")


def _one_site(access: Access, site: str | None) -> str | None:
    sites = access.sites
    if site is not None or sites is None:
        return site
    if len(sites) == 1:
        return min(sites)
    raise InvalidParameterError(
        "filter.site", f"names no site; you have this right at: {', '.join(sorted(sites))}"
    )
