"""Which dead letters a query or an order means, checked."""

from __future__ import annotations

from api.parameters import UTC, accounted_site
from api.problems import InvalidParameterError
from api.schemas.dead_letters import ReplayFilter
from api.services import Services
from api.times import parse_instant
from devices.registry import LetterFilter


def chosen_letters(services: Services, wanted: ReplayFilter, *, prefix: str = "") -> LetterFilter:
    """Return the filter that `wanted` asks for.

    Args:
        services: whose sites and time count.
        wanted: as it was given.
        prefix: of the names of parameters, for errors.

    Raises:
        InvalidParameterError: the site does not exist, or an instant is not one.
    """
    accounted_site(services.registry, wanted.site, parameter=f"{prefix}site")
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


def ordered_letters(services: Services, wanted: ReplayFilter | None) -> LetterFilter | None:
    """Return the filter in the body of an order, if there is one.

    Raises:
        InvalidParameterError: as `chosen_letters`, about the field of the body.
    """
    if wanted is None:
        return None
    try:
        return chosen_letters(services, wanted, prefix="filter.")
    except InvalidParameterError as error:
        raise error.in_body() from None
