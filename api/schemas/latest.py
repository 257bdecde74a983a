"""The newest values of many devices."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Schema


class NewestValue(Schema):
    """The newest value of one quantity of one device."""

    site: str
    device: str
    quantity: str = Field(description="Canonical name.")
    unit: str = Field(description="UCUM code.")
    value: float
    time: str = Field(description="When it was measured (RFC 3339 in the answer's zone).")
    age_s: float = Field(description="Seconds since then; negative for a clock that is ahead.")
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")


class NewestAnswer(Schema):
    """The newest value of each quantity of each device."""

    time: str = Field(description="When this was answered.")
    zone: str = Field(description="IANA time zone of every instant in this answer.")
    devices: int = Field(description="How many devices were asked for.")
    values: list[NewestValue] = Field(
        description="Ordered by site, device and quantity; devices without any value have none."
    )


NEWEST_EXAMPLE = {
    "time": "2026-11-23T09:00:12.625+01:00",
    "zone": "Africa/Tunis",
    "devices": 1,
    "values": [
        {
            "site": "elgazala",
            "device": "elg-env-001",
            "quantity": "air_temperature",
            "unit": "Cel",
            "value": 21.4,
            "time": "2026-11-23T09:00:00.125+01:00",
            "age_s": 12.5,
            "quality": [],
        }
    ],
}
