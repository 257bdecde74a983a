"""Why an alert fires: the rule in words, what was measured, what muted it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.schemas import Schema
from api.schemas.alerts import ALERT_EXAMPLE, AlertAnswer


class ExplainedRule(Schema):
    """The version of the rule that found the alert."""

    name: str
    version: int
    author: str
    reason: str
    created: str
    condition: str = Field(description="In words: the one that counted, with its override.")
    for_: str = Field(alias="for", description="For how long it has to hold, in words.")
    clear_for: str = Field(description="For how long it may not hold before it is over.")
    source: str | None = Field(description="The YAML text, or null: it names other sites.")


class EvidencePoint(Schema):
    """A value that decided."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code, or empty.")
    time: str = Field(description="When it was measured, in the site's zone.")
    value: float
    quality: list[str] = Field(description="What to know before trusting it; empty when good.")


class ExplainedPoint(Schema):
    """A stored value."""

    time: str = Field(description="When it was measured, in the site's zone.")
    value: float
    quality: list[str]


class ExplainedSeries(Schema):
    """Stored values around the alert."""

    site: str
    device: str
    quantity: str
    unit: str = Field(description="UCUM code.")
    of: int = Field(description="How many there are; `points` are chosen for a plot (M4).")
    points: list[ExplainedPoint]


class ExplainedLimit(Schema):
    """A limit, as a line in a plot."""

    quantity: str
    unit: str = Field(description="UCUM code.")
    kind: Literal["above", "below", "clear_above", "clear_below"] = Field(
        description="`above`, `below`: it holds beyond; `clear_...`: then until back inside."
    )
    value: float
    device: str = Field(description="Of this device only, or empty.")


class ExplainedOverride(Schema):
    """An override about the alert's subject."""

    number: int
    device: str
    person: str
    condition: str
    author: str
    reason: str
    expires: str
    counted: bool = Field(description="True for the one that decided.")


class Cause(Schema):
    """The alert that explains this one."""

    id: str
    rule: str
    title: dict[str, str]
    state: str
    device: str
    at: str


class Mute(Schema):
    """The silence that mutes the alert."""

    id: str
    kind: str
    by: str
    reason: str
    start: str
    end: str


class ShortEvent(Schema):
    """Something that happened to the alert, in short."""

    time: str
    kind: str
    actor: str


class AlertExplanation(Schema):
    """Why an alert fires."""

    alert: AlertAnswer
    language: Literal["en", "fr"]
    rule: ExplainedRule | None = Field(
        description="Null: an alarm of the platform itself, or a rule that cannot be read any more."
    )
    evidence: list[EvidencePoint] = Field(description="The values that decided, oldest first.")
    zone: str = Field(description="IANA zone of the instants: the site's.")
    start: str = Field(description="From when on stored values are shown.")
    end: str = Field(description="Until when, exclusive.")
    series: list[ExplainedSeries]
    devices_left_out: int = Field(description="Devices of the subject that are not in `series`.")
    limits: list[ExplainedLimit]
    overrides: list[ExplainedOverride]
    cause: Cause | None = Field(description="Why nobody is told of it, or null.")
    silence: Mute | None = Field(description="Why nobody is told of it, or null.")
    events: list[ShortEvent] = Field(description="The newest hundred, the oldest first.")


EXPLANATION_EXAMPLE: dict[str, Any] = {
    "alert": ALERT_EXAMPLE,
    "language": "en",
    "rule": {
        "name": "server-room-hot",
        "version": 3,
        "author": "Amina B.",
        "reason": "the new rack runs warmer",
        "created": "2026-11-20T09:00:00+01:00",
        "condition": "air temperature above 28 °C, until it is back inside by 1 °C",
        "for": "5 min",
        "clear_for": "0 s",
        "source": None,
    },
    "evidence": [
        {
            "site": "elgazala",
            "device": "elg-env-004",
            "quantity": "air_temperature",
            "unit": "Cel",
            "time": "2026-11-23T09:05:00+01:00",
            "value": 29.4,
            "quality": [],
        }
    ],
    "zone": "Africa/Tunis",
    "start": "2026-11-23T08:30:00+01:00",
    "end": "2026-11-23T09:20:00+01:00",
    "series": [
        {
            "site": "elgazala",
            "device": "elg-env-004",
            "quantity": "air_temperature",
            "unit": "Cel",
            "of": 50,
            "points": [
                {"time": "2026-11-23T09:05:00+01:00", "value": 29.4, "quality": []},
            ],
        }
    ],
    "devices_left_out": 0,
    "limits": [
        {
            "quantity": "air_temperature",
            "unit": "Cel",
            "kind": "above",
            "value": 28.0,
            "device": "",
        }
    ],
    "overrides": [],
    "cause": None,
    "silence": None,
    "events": [
        {"time": "2026-11-23T09:05:00.412+01:00", "kind": "firing", "actor": ""},
    ],
}
