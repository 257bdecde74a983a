"""Values joined to the nearest ones in time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.analysis.joined import Across
from api.analysis.nearest import Direction
from api.schemas import Schema


class JoinedQuantity(Schema):
    """One side of a join."""

    quantity: str
    unit: str = Field(description="UCUM code.")


class RightValue(Schema):
    """What was joined to a value."""

    value: float
    time: str = Field(description="When it was measured.")
    distance_s: float = Field(
        description="Seconds from the left value to this one; negative: before it."
    )
    site: str
    device: str
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")


class JoinedPoint(Schema):
    """One left value."""

    time: str = Field(description="When it was measured (RFC 3339 in the answer's zone).")
    value: float
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")
    right: dict[str, RightValue | None] = Field(
        description="By quantity: the value joined to it; null when none is near enough."
    )


class JoinedSeries(Schema):
    """Left values of one device."""

    site: str
    device: str
    points: list[JoinedPoint] = Field(description="Ordered by time.")


class JoinedReadings(Schema):
    """A page of left values, each with the nearest right ones, grouped by device."""

    kind: Literal["joined"]
    start: str = Field(description="First instant of left values, inclusive.")
    end: str = Field(description="Last instant of left values, exclusive.")
    zone: str = Field(description="IANA time zone of every instant in this answer.")
    left: JoinedQuantity
    right: list[JoinedQuantity]
    direction: Direction = Field(description="Where a right value may stand.")
    across: Across = Field(description="Whose values were joined.")
    tolerance_s: int = Field(description="How far away they may be, seconds, inclusive.")
    series: list[JoinedSeries]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


JOINED_EXAMPLE = {
    "kind": "joined",
    "start": "2026-11-23T09:00:00+01:00",
    "end": "2026-11-23T10:00:00+01:00",
    "zone": "Africa/Tunis",
    "left": {"quantity": "carbon_dioxide", "unit": "[ppm]"},
    "right": [{"quantity": "people_count", "unit": "{people}"}],
    "direction": "nearest",
    "across": "zone",
    "tolerance_s": 300,
    "series": [
        {
            "site": "elgazala",
            "device": "elg-air-001",
            "points": [
                {
                    "time": "2026-11-23T09:00:00+01:00",
                    "value": 612.0,
                    "quality": [],
                    "right": {
                        "people_count": {
                            "value": 4.0,
                            "time": "2026-11-23T08:59:18.5+01:00",
                            "distance_s": -41.5,
                            "site": "elgazala",
                            "device": "elg-door-003",
                            "quality": [],
                        }
                    },
                },
                {
                    "time": "2026-11-23T09:10:00+01:00",
                    "value": 640.0,
                    "quality": [],
                    "right": {"people_count": None},
                },
            ],
        }
    ],
    "next": None,
}
JOINED_CSV_EXAMPLE = (
    "time,site,device,carbon_dioxide,quality,people_count,people_count_distance_s,"
    "people_count_device,people_count_quality\r\n"
    "2026-11-23T09:00:00+01:00,elgazala,elg-air-001,612.0,,4.0,-41.5,elg-door-003,\r\n"
)
