"""Which series a query means: devices, a site, quantities, as names that exist."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

from api.access.visibility import Access, allowed_quantities, check_quantities
from api.parameters import UTC, existing_site, split_list
from api.problems import InvalidParameterError
from core.errors import NotFoundError, QueryTooLargeError, UnknownQuantityError
from core.quality import Quality
from core.quantities import CATALOGUE, quantity
from core.reading import DeviceKey
from devices.registry import Registry

MAX_DEVICES = 10_000
"""Devices that one query may name."""
_FETCH_ALL_ABOVE = 50

QuantitiesParameter = Annotated[
    list[str] | None,
    Query(
        description="Canonical names, repeated or comma-separated; default: every quantity.",
        max_length=200,
        examples=[["air_temperature", "relative_humidity"]],
    ),
]
DevicesParameter = Annotated[
    list[str] | None,
    Query(
        description="Device identifiers, repeated or comma-separated.",
        max_length=500,
        examples=[["elg-env-001", "elg-env-002"]],
    ),
]


def chosen_quantities(values: list[str] | None) -> tuple[str, ...]:
    """Return the canonical names in `values`; empty when none was given.

    Raises:
        InvalidParameterError: one is not in the catalogue; the sentence names the closest.
    """
    names = split_list(values)
    for name in names:
        try:
            quantity(name)
        except UnknownQuantityError as error:
            raise InvalidParameterError("quantities", error.detail) from None
    return names


def permitted_quantities(
    access: Access, devices: Iterable[DeviceKey], names: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the quantities that a query means, checked; empty: every one, all of them permitted.

    Raises:
        ForbiddenError: one is named that the caller may not read of these devices, or none is, and
            there is nothing that may be read of all of them.
    """
    sites = {device.site for device in devices}
    if names:
        check_quantities(access, sites, names)
        return names
    allowed = allowed_quantities(access, sites)
    return () if allowed is None else tuple(name for name in CATALOGUE if name in allowed)


def chosen_devices(
    access: Access, registry: Registry, *, devices: list[str] | None, site: str | None
) -> tuple[DeviceKey, ...]:
    """Return the devices that are named, or every one of `site`; each is one the caller may read.

    Raises:
        ForbiddenError: the caller knows the site, and has not the right there.
        InvalidParameterError: none is named, one does not exist or is not at `site`, or `site`
            does not exist.
        QueryTooLargeError: the site has more devices than one query may read.
    """
    names = split_list(devices)
    if site is not None:
        existing_site(access, registry, site)
    if not names:
        if site is None:
            raise InvalidParameterError(
                "devices", "name the devices, or a site to read all devices of"
            )
        found = registry.devices.list(site=site, limit=MAX_DEVICES + 1)
        if len(found) > MAX_DEVICES:
            raise QueryTooLargeError(
                f"site {site!r} has more than {MAX_DEVICES} devices",
                hint="name the devices with the parameter devices",
            )
        return tuple(DeviceKey(device.site, device.id) for device in found)
    if len(names) > MAX_DEVICES:
        raise InvalidParameterError("devices", f"names more than {MAX_DEVICES} devices")
    sites = _sites_of(registry, names)
    keys = []
    for name in names:
        at = sites.get(name)
        if at is None or not access.admits(at):
            raise InvalidParameterError("devices", f"there is no device {name[:60]!r}")
        if site not in (None, at):
            raise InvalidParameterError(
                "devices", f"device {name!r} is at site {at!r}, not at {site!r}"
            )
        keys.append(DeviceKey(at, name))
    return tuple(keys)


def common_zone(registry: Registry, devices: tuple[DeviceKey, ...]) -> ZoneInfo:
    """Return the zone of the site when all `devices` are of one, else UTC."""
    sites = {device.site for device in devices}
    if len(sites) != 1:
        return UTC
    return ZoneInfo(registry.sites.get(sites.pop()).zone)


@lru_cache(maxsize=256)
def quality_flags(mask: int) -> tuple[str, ...]:
    """Return the names of the flags in a quality bit mask; empty for a good point."""
    return tuple((flag.name or str(flag.value)).lower() for flag in Quality(mask))


def quality_names(mask: int) -> list[str]:
    """Return the names of the flags in a quality bit mask; empty for a good point."""
    return list(quality_flags(mask))


def _sites_of(registry: Registry, names: tuple[str, ...]) -> dict[str, str]:
    if len(names) > _FETCH_ALL_ABOVE:
        return {device.id: device.site for device in registry.devices.all()}
    found = {}
    for name in names:
        try:
            found[name] = registry.devices.recent(name).site
        except NotFoundError:
            break
    return found
