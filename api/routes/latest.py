"""`/v1/latest`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.documentation import answers
from api.parameters import UTC, SiteFilter, existing_site, split_list
from api.problems import InvalidParameterError
from api.schemas.latest import NEWEST_EXAMPLE, NewestAnswer
from api.selection import (
    MAX_DEVICES,
    DevicesParameter,
    QuantitiesParameter,
    chosen_quantities,
    permitted_quantities,
    quality_names,
)
from api.services import Services, ServicesDep
from api.times import all_in_zone, in_zone, parse_zone
from core.access import Permission
from core.clock import NS_PER_S
from core.errors import NotFoundError, QueryTooLargeError
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from devices.registry import Device

ROUTER = APIRouter(prefix="/v1/latest", tags=["devices"])

PlaceFilter = Annotated[str | None, Query(max_length=200)]


class _Value(msgspec.Struct, frozen=True):
    site: str
    device: str
    quantity: str
    unit: str
    value: float
    time: str
    age_s: float
    quality: list[str]


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_READINGS),
    summary="Show the latest values of many devices",
    response_model=NewestAnswer,
    responses=answers(NEWEST_EXAMPLE, "query_too_large", "store_unavailable"),
)
def newest_values(
    services: ServicesDep,
    access: AccessDep,
    *,
    devices: DevicesParameter = None,
    site: SiteFilter = None,
    building: Annotated[
        PlaceFilter, Query(description="Only devices in this building.", examples=["A"])
    ] = None,
    room: Annotated[
        PlaceFilter, Query(description="Only devices in this room or area.", examples=["A-101"])
    ] = None,
    quantities: QuantitiesParameter = None,
    zone: Annotated[
        str | None,
        Query(
            max_length=64,
            description="IANA zone of the answer's instants; default: the site's when all devices "
            "are of one, else UTC.",
            examples=["Africa/Tunis"],
        ),
    ] = None,
) -> Response:
    """Return for each device and quantity the value of the greatest device time.

    All devices in one answer, without pages; every filter that is given must match. The platform
    keeps these values at hand: they are at most about two seconds behind the store.
    """
    chosen = _chosen(access, services, devices=devices, site=site, building=building, room=room)
    keys = [DeviceKey(device.site, device.id) for device in chosen]
    names = permitted_quantities(access, keys, chosen_quantities(quantities))
    sites = {device.site for device in chosen}
    if zone is not None:
        shown_in = parse_zone(zone)
    elif len(sites) == 1:
        shown_in = parse_zone(services.registry.sites.get(sites.pop()).zone)
    else:
        shown_in = UTC
    readings = services.newest.of(keys, quantities=names or None)
    now_ns = services.clock.now_ns()
    instants = list({one.time_ns for one in readings})
    shown = dict(zip(instants, all_in_zone(instants, shown_in), strict=True))
    answer = {
        "time": in_zone(now_ns, shown_in),
        "zone": shown_in.key,
        "devices": len(chosen),
        "values": [
            _Value(
                one.site,
                one.device,
                one.quantity,
                CATALOGUE[one.quantity].unit,
                one.value,
                shown[one.time_ns],
                (now_ns - one.time_ns) / NS_PER_S,
                quality_names(one.quality),
            )
            for one in readings
            if one.quantity in CATALOGUE
        ],
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _chosen(
    access: Access,
    services: Services,
    *,
    devices: list[str] | None,
    site: str | None,
    building: str | None,
    room: str | None,
) -> list[Device]:
    """Return the devices that are asked for, in the order of site and identifier."""
    if site is not None:
        existing_site(access, services.registry, site)
    every = services.newest.devices()
    names = split_list(devices)
    if names:
        known = {device.id: device for device in every}
        missing = next((name for name in names if name not in known), None)
        if missing is not None:
            _look_for(access, services, missing)
            raise InvalidParameterError("devices", f"there is no device {missing[:60]!r}")
        every = [known[name] for name in dict.fromkeys(names)]
    chosen = [
        device
        for device in every
        if (site is None or device.site == site)
        and (building is None or device.building == building)
        and (room is None or device.zone == room)
    ]
    if len(chosen) > MAX_DEVICES:
        raise QueryTooLargeError(
            f"these are {len(chosen)} devices, more than {MAX_DEVICES}",
            hint="ask for one site, building or room, or name the devices",
        )
    return sorted(chosen, key=lambda device: (device.site, device.id))


def _look_for(access: Access, services: Services, device: str) -> None:
    """Say why a device is not among those that may be read, when the caller may know of it."""
    with suppress(NotFoundError):
        access.admits(services.registry.devices.get(device).site)
