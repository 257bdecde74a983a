"""`/v1/devices`."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Body, Query, Request, Response

from api.access.giving import in_body
from api.access.requires import requires
from api.access.store import note_readings
from api.access.visibility import Access, AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.documentation import answers
from api.parameters import (
    MAX_PAGE,
    CursorParameter,
    IdPath,
    LimitParameter,
    SiteFilter,
    existing_device,
    existing_site,
    next_link,
)
from api.problems import InvalidParameterError
from api.schemas.devices import (
    DEVICE_CHANGE_EXAMPLE,
    DEVICE_EXAMPLE,
    DEVICES_EXAMPLE,
    LATEST_EXAMPLE,
    NEW_DEVICE_EXAMPLE,
    DeviceAnswer,
    DeviceChange,
    DevicesAnswer,
    LatestAnswer,
    LatestValue,
    NewDevice,
)
from api.selection import (
    QuantitiesParameter,
    chosen_quantities,
    permitted_quantities,
    quality_names,
)
from api.services import Services, ServicesDep
from api.times import in_zone
from core.access import Permission
from core.clock import NS_PER_S, iso
from core.errors import ConfigurationError
from core.identity import checked_slug
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from devices.registry import Device
from devices.registry.labels import check_labels

ROUTER = APIRouter(prefix="/v1/devices", tags=["devices"])

TextFilter = Annotated[str | None, Query(max_length=200)]


class _After(msgspec.Struct, frozen=True, array_like=True):
    device: str


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_DEVICES),
    summary="List devices",
    responses=answers(DEVICES_EXAMPLE),
)
def list_devices(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    site: SiteFilter = None,
    profile: Annotated[
        TextFilter,
        Query(description="Only devices of this profile.", examples=["passerelle-json"]),
    ] = None,
    building: Annotated[
        TextFilter, Query(description="Only devices in this building.", examples=["A"])
    ] = None,
    zone: Annotated[
        TextFilter, Query(description="Only devices in this room or area.", examples=["A-101"])
    ] = None,
    search: Annotated[
        TextFilter,
        Query(description="Only devices whose identifier or name holds this.", examples=["env"]),
    ] = None,
    limit: LimitParameter = None,
    cursor: CursorParameter = None,
) -> DevicesAnswer:
    """Return registered devices, ordered by identifier; every filter that is given must match."""
    if site is not None:
        existing_site(access, services.registry, site)
    query = ("devices", site, profile, building, zone, search)
    after = None if cursor is None else decode_cursor(cursor, _After, query=query).device
    rows = limit or min(services.settings.api.page_size, MAX_PAGE)
    found = services.registry.devices.list(
        site=site,
        sites=access.sites,
        profile=profile,
        building=building,
        zone=zone,
        search=search,
        after=after,
        limit=rows + 1,
    )
    page = found[:rows]
    more = len(found) > rows
    following = encode_cursor(_After(page[-1].id), query=query) if more else None
    return DevicesAnswer(
        devices=[DeviceAnswer.of(device) for device in page], next=next_link(request, following)
    )


@ROUTER.post(
    "",
    status_code=201,
    openapi_extra=requires(Permission.MANAGE_DEVICES),
    summary="Register a device",
    responses=answers(DEVICE_EXAMPLE, "bad_request", "conflict", "body_too_large", status=201),
)
def register_device(
    services: ServicesDep,
    access: AccessDep,
    response: Response,
    new: Annotated[NewDevice, Body(examples=[NEW_DEVICE_EXAMPLE])],
) -> DeviceAnswer:
    """Register a device, so that its messages are accepted; workers know it within seconds."""
    _check_names(access, services, new)
    wanted = Device(
        id=new.id,
        site=new.site,
        profile=new.profile,
        external_id=new.external_id or new.id,
        name=new.name,
        building=new.building,
        zone=new.zone,
        interval_s=new.interval_s,
        hardware_id=new.hardware_id,
        labels=new.labels,
    )
    with in_body("labels"):
        check_labels(wanted)
    device = services.registry.devices.add(wanted)
    response.headers["Location"] = f"/v1/devices/{device.id}"
    return DeviceAnswer.of(device)


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.READ_DEVICES),
    summary="Show a device",
    responses=answers(DEVICE_EXAMPLE, "not_found"),
)
def show_device(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> DeviceAnswer:
    """Return one device."""
    return DeviceAnswer.of(existing_device(access, services.registry, id))


@ROUTER.patch(
    "/{id}",
    openapi_extra=requires(Permission.MANAGE_DEVICES),
    summary="Change a device",
    responses=answers(DEVICE_EXAMPLE, "bad_request", "not_found", "body_too_large"),
)
def change_device(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
    change: Annotated[DeviceChange, Body(examples=[DEVICE_CHANGE_EXAMPLE])],
) -> DeviceAnswer:
    """Change its name, place, interval, labels. What decides where its points are stored stays."""
    device = existing_device(access, services.registry, id)
    changed = msgspec.structs.replace(device, **change.model_dump(exclude_unset=True))
    with in_body("labels"):
        check_labels(changed)
    return DeviceAnswer.of(services.registry.devices.update(changed))


@ROUTER.delete(
    "/{id}",
    status_code=204,
    openapi_extra=requires(Permission.MANAGE_DEVICES),
    summary="Remove a device",
    responses={
        key: value
        for key, value in answers(None, "not_found").items()
        if key != 200  # noqa: PLR2004
    },
)
def remove_device(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> None:
    """Remove a device from the registry; what it measured stays stored and accounted for."""
    services.registry.devices.remove(existing_device(access, services.registry, id).id)


@ROUTER.get(
    "/{id}/latest",
    openapi_extra=requires(Permission.READ_READINGS),
    summary="Show the latest values of a device",
    responses=answers(LATEST_EXAMPLE, "not_found", "store_unavailable"),
)
def latest_values(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
    quantities: QuantitiesParameter = None,
) -> LatestAnswer:
    """Return for each quantity the value of the greatest device time, and how old it is."""
    device = existing_device(access, services.registry, id)
    zone = ZoneInfo(services.registry.sites.get(device.site).zone)
    key = DeviceKey(device.site, device.id)
    names = permitted_quantities(access, [key], chosen_quantities(quantities))
    readings = services.store.latest([key], quantities=names or None)
    note_readings(access, readings)
    now_ns = services.clock.now_ns()
    return LatestAnswer(
        device=device.id,
        site=device.site,
        zone=zone.key,
        values=[
            LatestValue(
                quantity=reading.quantity,
                unit=CATALOGUE[reading.quantity].unit,
                value=reading.value,
                time=iso(reading.time_ns),
                local_time=in_zone(reading.time_ns, zone),
                age_s=(now_ns - reading.time_ns) / NS_PER_S,
                quality=quality_names(reading.quality),
            )
            for reading in sorted(readings, key=lambda reading: reading.quantity)
            if reading.quantity in CATALOGUE
        ],
    )


def _check_names(access: Access, services: Services, new: NewDevice) -> None:
    try:
        checked_slug(new.id, what="device")
    except ConfigurationError as error:
        raise InvalidParameterError("id", error.detail, location="body") from None
    try:
        existing_site(access, services.registry, new.site)
    except InvalidParameterError as error:
        raise error.in_body() from None
    profiles = sorted(profile.name for profile in services.registry.profiles.current())
    if new.profile not in profiles:
        raise InvalidParameterError(
            "profile",
            f"there is no profile {new.profile[:60]!r}; there are: {', '.join(profiles) or 'none'}",
            location="body",
        )
