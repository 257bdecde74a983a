"""From what a reader asks for, and who they are, to what they get."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from api.access.errors import ForbiddenError
from api.access.visibility import Access, check_quantities, visible
from api.analysis.quality import chosen_quality
from api.live.shown import Shown, Wanted
from api.parameters import existing_site, split_list
from api.selection import chosen_devices, chosen_quantities
from api.services import Services
from api.times import parse_zone
from core.access import HEALTH_QUANTITIES, Domain, domain_of
from core.quantities import CATALOGUE


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reader asks for, as it is written.

    Attributes:
        site: only this site.
        devices: only these devices.
        quantities: only these quantities.
        quality: as in `/v1/readings`.
        exclude_quality: as in `/v1/readings`.
        zone: IANA zone of instants; default UTC.
    """

    site: str | None = None
    devices: list[str] | None = None
    quantities: list[str] | None = None
    quality: list[str] | None = None
    exclude_quality: list[str] | None = None
    zone: str | None = None


def shown_to(access: Access, services: Services, question: Question) -> Shown:
    """Return what a reader gets. Blocks.

    Raises:
        InvalidParameterError: something in the question is not usable.
        ForbiddenError: it asks for what the reader may not see.
    """
    registry = services.registry
    sites: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    if split_list(question.devices):
        keys = chosen_devices(access, registry, devices=question.devices, site=question.site)
        sites = frozenset(key.site for key in keys)
        devices = frozenset(key.device for key in keys)
    elif question.site is not None:
        sites = frozenset({existing_site(access, registry, question.site)})
    names = chosen_quantities(question.quantities)
    _check(access, sites, names)
    zone = ZoneInfo("UTC") if question.zone is None else parse_zone(question.zone)
    wanted = Wanted(
        sites=sites,
        devices=devices,
        quantities=frozenset(names),
        quality=chosen_quality(question.quality, question.exclude_quality),
        zone=zone,
    )
    who = access.principal
    rights = (access.permission, who.grants, who.within, who.scopes)
    return Shown(wanted, visible=visible(access), rights=rights)


class Sight(msgspec.Struct, frozen=True):
    """Vital signs that may come to a reader.

    Attributes:
        sites: of which sites, in order.
        quantities: which ones, in order.
    """

    sites: tuple[str, ...]
    quantities: tuple[str, ...]


def sight_of(access: Access, services: Services, wanted: Wanted) -> Sight | None:
    """Return which vital signs can be among what a reader gets; None: there can be none. Blocks."""
    names = HEALTH_QUANTITIES & (wanted.quantities or CATALOGUE.keys())
    sites = wanted.sites or {site.id for site in services.registry.sites.list()}
    seen = {site for site in sites if access.principal.may(access.permission, site, Domain.HEALTH)}
    if not names or not seen:
        return None
    return Sight(tuple(sorted(seen)), tuple(sorted(names)))


def _check(access: Access, sites: frozenset[str], names: tuple[str, ...]) -> None:
    if sites:
        check_quantities(access, sites, names)
        return
    for name in names:
        if not access.principal.may(access.permission, None, domain_of(name)):
            raise ForbiddenError(
                f"{name} belongs to the domain {domain_of(name).value}, in which you have the "
                f"permission {access.permission.value} at no site"
            )
