"""Devices and their latest values."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.schemas import Schema
from core.clock import iso
from devices.registry import Device
from devices.registry.labels import MOST_LABELS

Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text without control characters."""
LabelName = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]
LabelValue = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f;]*$")]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=MOST_LABELS)]
"""What alert rules select by."""
Interval = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]


class DeviceAnswer(Schema):
    """A registered device."""

    id: str = Field(description="Identifier, unique on the platform; a tag of its points.")
    site: str = Field(description="Identifier of its site.")
    profile: str = Field(description="The profile that decodes its messages.")
    external_id: str = Field(description="Its name in MQTT topics.")
    name: str = Field(description="For people.")
    building: str = Field(description="Where it is, or empty.")
    zone: str = Field(description="Room or area in the building, or empty.")
    interval_s: float | None = Field(description="How often it should publish, seconds.")
    enrolled: bool = Field(description="True when it registered itself.")
    hardware_id: str = Field(description="Stable identifier such as an IEEE address, or empty.")
    labels: dict[str, str] = Field(
        description="What alert rules select by; `gateway` names the device it speaks through."
    )
    created: str = Field(description="When it was registered (RFC 3339, UTC).")

    @classmethod
    def of(cls, device: Device) -> DeviceAnswer:
        """Return what the API says of `device`."""
        return cls(
            id=device.id,
            site=device.site,
            profile=device.profile,
            external_id=device.external_id,
            name=device.name,
            building=device.building,
            zone=device.zone,
            interval_s=device.interval_s,
            enrolled=device.enrolled,
            hardware_id=device.hardware_id,
            labels=device.labels,
            created=iso(device.created_ns),
        )


class DevicesAnswer(Schema):
    """A page of devices, ordered by identifier."""

    devices: list[DeviceAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class NewDevice(Schema):
    """A device to register."""

    id: str = Field(
        description="Identifier: 1 to 64 of a-z, 0-9, '.', '_', '-'; begins and ends with a "
        "letter or digit.",
        min_length=1,
        max_length=64,
    )
    site: str = Field(description="Identifier of its site.", max_length=64)
    profile: str = Field(description="A profile that is loaded.", max_length=64)
    external_id: Line | None = Field(
        None, description="Its name in MQTT topics; default: the identifier.", min_length=1
    )
    name: Line = Field("", description="For people.")
    building: Line = Field("", description="Where it is.")
    zone: Line = Field("", description="Room or area in the building.")
    interval_s: Interval | None = Field(
        None, description="How often it should publish, seconds (above 0, at most a year)."
    )
    hardware_id: Line = Field("", description="Stable identifier such as an IEEE address.")
    labels: Labels = Field(
        {},
        description="What alert rules select by; `gateway` names a device through which it speaks.",
    )


class DeviceChange(Schema):
    """What to change; a field that is left out stays as it is."""

    name: Line = Field("", description="For people.")
    building: Line = Field("", description="Where it is.")
    zone: Line = Field("", description="Room or area in the building.")
    interval_s: Interval | None = Field(
        None, description="How often it should publish, seconds; null: not known."
    )
    labels: Labels = Field({}, description="All of its labels from now on.")


class LatestValue(Schema):
    """The newest value of one quantity, by the device's own time."""

    quantity: str = Field(description="Canonical name.")
    unit: str = Field(description="UCUM code.")
    value: float
    time: str = Field(description="When it was measured (RFC 3339, UTC).")
    local_time: str = Field(description="The same instant in the site's zone.")
    age_s: float = Field(description="Seconds since then; negative for a clock that is ahead.")
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")


class LatestAnswer(Schema):
    """The newest value of each quantity of one device."""

    device: str
    site: str
    zone: str = Field(description="The site's IANA time zone.")
    values: list[LatestValue]


DEVICE_EXAMPLE = {
    "id": "elg-env-001",
    "site": "elgazala",
    "profile": "passerelle-json",
    "external_id": "elg-env-001",
    "name": "Meeting room",
    "building": "A",
    "zone": "A-101",
    "interval_s": 60.0,
    "enrolled": False,
    "hardware_id": "",
    "labels": {"floor": "1", "gateway": "elg-gw-1"},
    "created": "2026-11-23T08:00:00Z",
}
DEVICES_EXAMPLE = {
    "devices": [DEVICE_EXAMPLE],
    "next": "/v1/devices?site=elgazala&limit=1&cursor=pGmUq2DT6QirZWxnLWVudi0wMDE",
}
NEW_DEVICE_EXAMPLE = {
    "id": "elg-env-002",
    "site": "elgazala",
    "profile": "passerelle-json",
    "name": "Library",
    "building": "B",
    "zone": "B-001",
    "interval_s": 60,
    "labels": {"floor": "0"},
}
DEVICE_CHANGE_EXAMPLE = {"name": "Large meeting room", "interval_s": 30}
LATEST_EXAMPLE = {
    "device": "elg-env-001",
    "site": "elgazala",
    "zone": "Africa/Tunis",
    "values": [
        {
            "quantity": "air_temperature",
            "unit": "Cel",
            "value": 21.4,
            "time": "2026-11-23T08:00:00.125Z",
            "local_time": "2026-11-23T09:00:00.125+01:00",
            "age_s": 12.5,
            "quality": ["simulated"],
        }
    ],
}
