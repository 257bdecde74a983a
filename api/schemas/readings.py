"""Readings: raw ones, or one value a window."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.analysis.filling import Fill
from api.schemas import Schema
from storage.ports import Aggregate


class RawPoint(Schema):
    """One stored value."""

    time: str = Field(description="When it was measured (RFC 3339 in the answer's zone).")
    value: float
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")


class WindowPoint(Schema):
    """One window."""

    time: str = Field(description="Start of the window, inclusive.")
    end: str = Field(description="End of the window, exclusive.")
    value: float | None = Field(description="The aggregate; null where nothing was measured.")
    count: int = Field(description="How many values the window holds.")
    filled: bool = Field(
        default=False, description="True for a value that was filled in: nothing was measured."
    )


class RawSeries(Schema):
    """Values of one quantity of one device."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code.")
    points: list[RawPoint] = Field(description="Ordered by time.")


class WindowSeries(Schema):
    """Windows of one quantity of one device."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code.")
    points: list[WindowPoint] = Field(description="Every window of the range, ordered by time.")


class RawReadings(Schema):
    """A page of stored values, grouped by series. Pages go forward in time over all series."""

    kind: Literal["raw"]
    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")
    zone: str = Field(description="IANA time zone of every instant in this answer.")
    series: list[RawSeries]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class Rollups(Schema):
    """The part of a range that was answered from roll-ups; raw values answered the rest."""

    resolution: Literal["1h"] = Field(description="What one roll-up holds.")
    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")


class WindowReadings(Schema):
    """One value a window, grouped by series."""

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
    fill: Fill | None = Field(
        default=None, description="What stands in windows without a value, when asked for."
    )
    series: list[WindowSeries]


_SERIES = {
    "site": "elgazala",
    "device": "elg-env-001",
    "quantity": "air_temperature",
    "unit": "Cel",
}
RAW_EXAMPLE = {
    "kind": "raw",
    "start": "2026-11-23T09:00:00+01:00",
    "end": "2026-11-23T10:00:00+01:00",
    "zone": "Africa/Tunis",
    "series": [
        {
            **_SERIES,
            "points": [
                {"time": "2026-11-23T09:00:00.125+01:00", "value": 21.4, "quality": []},
                {"time": "2026-11-23T09:01:00.125+01:00", "value": 21.5, "quality": ["late"]},
            ],
        }
    ],
    "next": None,
}
WINDOWS_EXAMPLE = {
    "kind": "windows",
    "start": "2026-11-23T09:00:00+01:00",
    "end": "2026-11-23T11:00:00+01:00",
    "zone": "Africa/Tunis",
    "every": "1h",
    "aggregate": "mean",
    "percentile": None,
    "rollups": None,
    "series": [
        {
            **_SERIES,
            "points": [
                {
                    "time": "2026-11-23T09:00:00+01:00",
                    "end": "2026-11-23T10:00:00+01:00",
                    "value": 21.45,
                    "count": 60,
                },
                {
                    "time": "2026-11-23T10:00:00+01:00",
                    "end": "2026-11-23T11:00:00+01:00",
                    "value": None,
                    "count": 0,
                },
            ],
        }
    ],
}
CSV_EXAMPLE = (
    "time,site,device,quantity,unit,value,quality\r\n"
    "2026-11-23T09:00:00.125+01:00,elgazala,elg-env-001,air_temperature,Cel,21.4,\r\n"
)
