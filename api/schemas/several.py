"""Several aggregates of each window, and windows of several devices together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.analysis.filling import Fill
from api.analysis.grouping import GroupBy
from api.schemas import Schema
from api.schemas.readings import Rollups, WindowPoint
from storage.ports import Aggregate


class SeveralPoint(Schema):
    """One window."""

    time: str = Field(description="Start of the window, inclusive.")
    end: str = Field(description="End of the window, exclusive.")
    values: dict[str, float | None] = Field(
        description="Each aggregate by its name; null where nothing was measured."
    )
    count: int = Field(description="How many values the window holds.")
    filled: bool = Field(
        default=False, description="True for values that were filled in: nothing was measured."
    )


class SeveralSeries(Schema):
    """Windows of one quantity of one device."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code.")
    points: list[SeveralPoint] = Field(description="Every window of the range, ordered by time.")


class SeveralGroupSeries(Schema):
    """Windows of one quantity of several devices together (`group_by`)."""

    group: dict[str, str] = Field(
        description="What the devices have in common; a place that is not known is empty."
    )
    devices: int = Field(description="How many of the devices asked for belong to it.")
    quantity: str
    unit: str = Field(description="UCUM code.")
    points: list[SeveralPoint] = Field(description="Every window of the range, ordered by time.")


class GroupSeries(Schema):
    """Windows of one quantity of several devices together (`group_by`)."""

    group: dict[str, str] = Field(
        description="What the devices have in common; a place that is not known is empty."
    )
    devices: int = Field(description="How many of the devices asked for belong to it.")
    quantity: str
    unit: str = Field(description="UCUM code.")
    points: list[WindowPoint] = Field(description="Every window of the range, ordered by time.")


class GroupReadings(Schema):
    """One value a window, of devices together (`group_by`)."""

    kind: Literal["windows"]
    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")
    zone: str = Field(description="IANA zone in which windows begin, and of every instant.")
    every: str = Field(description="Length of a window.")
    aggregate: Aggregate = Field(description="What was computed of each window.")
    percentile: float | None = Field(description="For the aggregate `percentile`.")
    rollups: Rollups | None = Field(
        description="Which part was computed from hourly roll-ups; null: all from raw values."
    )
    group_by: list[GroupBy] = Field(description="What the devices of a series have in common.")
    fill: Fill | None = Field(
        default=None, description="What stands in windows without a value, when asked for."
    )
    series: list[GroupSeries]


class SeveralReadings(Schema):
    """Several values a window, grouped by series."""

    kind: Literal["aggregates"]
    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")
    zone: str = Field(description="IANA zone in which windows begin, and of every instant.")
    every: str = Field(description="Length of a window.")
    aggregates: list[Aggregate] = Field(description="What was computed of each window.")
    percentile: float | None = Field(description="For the aggregate `percentile`.")
    rollups: Rollups | None = Field(
        description="Which part was computed from hourly roll-ups; null: all from raw values."
    )
    group_by: list[GroupBy] | None = Field(
        default=None, description="What the devices of a series have in common, when asked for."
    )
    fill: Fill | None = Field(
        default=None, description="What stands in windows without a value, when asked for."
    )
    series: list[SeveralSeries | SeveralGroupSeries]


SEVERAL_EXAMPLE = {
    "kind": "aggregates",
    "start": "2026-11-23T00:00:00+01:00",
    "end": "2026-11-24T00:00:00+01:00",
    "zone": "Africa/Tunis",
    "every": "1d",
    "aggregates": ["mean", "min", "max"],
    "percentile": None,
    "rollups": None,
    "group_by": ["building"],
    "series": [
        {
            "group": {"site": "elgazala", "building": "B2"},
            "devices": 12,
            "quantity": "air_temperature",
            "unit": "Cel",
            "points": [
                {
                    "time": "2026-11-23T00:00:00+01:00",
                    "end": "2026-11-24T00:00:00+01:00",
                    "values": {"mean": 21.4, "min": 17.1, "max": 26.8},
                    "count": 17280,
                }
            ],
        }
    ],
}
