"""Series reduced for a plot."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.analysis.plots import Downsampling
from api.schemas import Schema
from api.schemas.readings import RawPoint


class PlotSeries(Schema):
    """The values of one series that a plot needs."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code.")
    of: int = Field(description="How many values it was made from.")
    points: list[RawPoint] = Field(
        description="Stored values, ordered by time; the first and the last one are among them."
    )


class PlotReadings(Schema):
    """The whole range, each series reduced to at most `max_points` of its values."""

    kind: Literal["plot"]
    start: str = Field(description="First instant, inclusive.")
    end: str = Field(description="Last instant, exclusive.")
    zone: str = Field(description="IANA time zone of every instant in this answer.")
    downsample: Downsampling = Field(description="How series were reduced.")
    max_points: int = Field(description="How many values each series has, at most.")
    series: list[PlotSeries]


PLOT_EXAMPLE = {
    "kind": "plot",
    "start": "2026-11-01T00:00:00+01:00",
    "end": "2026-11-23T00:00:00+01:00",
    "zone": "Africa/Tunis",
    "downsample": "lttb",
    "max_points": 3,
    "series": [
        {
            "site": "elgazala",
            "device": "elg-env-001",
            "quantity": "air_temperature",
            "unit": "Cel",
            "of": 31680,
            "points": [
                {"time": "2026-11-01T00:00:00.125+01:00", "value": 17.4, "quality": []},
                {"time": "2026-11-14T14:31:00.125+01:00", "value": 31.5, "quality": []},
                {"time": "2026-11-22T23:59:00.125+01:00", "value": 16.9, "quality": ["late"]},
            ],
        }
    ],
}
