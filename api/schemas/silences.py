"""Silences and maintenance windows: what is muted, by whom, why, until when."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import Field, StringConstraints

from api.parameters import UTC
from api.schemas import Schema
from api.schemas.alerts import LONGEST_TEXT
from api.times import in_zone
from devices.registry.alert_records import Silence, SilenceKind

Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=100)]
_CLASS = "alarm_class"


class SilenceMatch(Schema):
    """Which alerts are meant: those that fit everything that is given; `*` stands for anything."""

    rule: Patterns | None = Field(None, description="Names of rules.")
    severity: Patterns | None = Field(None, description="`info`, `warning`, `critical`.")
    alarm_class: Patterns | None = Field(
        None, alias="class", description="`measured`, `technical`, `no_data`."
    )
    site: Patterns | None = Field(None, description="Identifiers of sites.")
    building: Patterns | None = Field(None, description="Buildings.")
    zone: Patterns | None = Field(None, description="Rooms or areas.")
    device: Patterns | None = Field(None, description="Identifiers of devices.")
    person: Patterns | None = Field(None, description="Pseudonyms.")

    def patterns(self) -> dict[str, list[str]]:
        """Return the patterns by what they look at, as the registry names it."""
        return {name: found for name, found in self.model_dump().items() if found is not None}

    @classmethod
    def of(cls, patterns: dict[str, list[str]]) -> SilenceMatch:
        """Return what the API says of the registry's patterns."""
        return cls.model_validate(
            {"class" if name == _CLASS else name: found for name, found in patterns.items()}
        )


class SilenceAnswer(Schema):
    """A silence, or a maintenance window."""

    id: str
    kind: SilenceKind = Field(description="`silence`, or `maintenance`: work is done there.")
    match: SilenceMatch
    by: str = Field(description="Who wants it.")
    reason: str
    created: str = Field(description="When it was made (RFC 3339, UTC).")
    start: str = Field(description="Since when it counts.")
    end: str = Field(description="Until when, exclusive.")
    active: bool = Field(description="True while it counts.")
    ended_by: str | None = Field(description="Who ended it before its time, or null.")

    @classmethod
    def of(cls, silence: Silence, *, now_ns: int) -> SilenceAnswer:
        """Return what the API says of a silence."""
        return cls(
            id=silence.id,
            kind=SilenceKind(silence.kind),
            match=SilenceMatch.of(msgspec.json.decode(silence.match)),
            by=silence.by,
            reason=silence.reason,
            created=in_zone(silence.created_ns, UTC),
            start=in_zone(silence.start_ns, UTC),
            end=in_zone(silence.end_ns, UTC),
            active=silence.start_ns <= now_ns < silence.end_ns,
            ended_by=silence.ended_by or None,
        )


class SilencesAnswer(Schema):
    """A page of silences, those made last first."""

    silences: list[SilenceAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class NewSilence(Schema):
    """A silence to be made."""

    kind: SilenceKind = Field(
        SilenceKind.SILENCE, description="`silence`, or `maintenance`: work is done there."
    )
    match: SilenceMatch = Field(description="Which alerts; at least one thing is given.")
    reason: str = Field(description="Why.", min_length=1, max_length=LONGEST_TEXT)
    start: str = Field(
        "now",
        description="Since when: RFC 3339, a day, or relative such as now+1h.",
        max_length=64,
    )
    end: str = Field(
        description="Until when, exclusive: a silence lasts at most 90 days, maintenance a year.",
        max_length=64,
    )


SILENCE_EXAMPLE: dict[str, Any] = {
    "id": "5c0e9d13f2a84b67",
    "kind": "maintenance",
    "match": {
        "rule": None, "severity": None, "class": ["measured", "no_data"], "site": ["elgazala"],
        "building": ["A"], "zone": None, "device": None, "person": None,
    },
    "by": "Amina B.",
    "reason": "the wiring of building A is renewed",
    "created": "2026-11-23T08:00:00Z",
    "start": "2026-11-24T07:00:00Z",
    "end": "2026-11-24T16:00:00Z",
    "active": False,
    "ended_by": None,
}  # fmt: skip
SILENCES_EXAMPLE = {"silences": [SILENCE_EXAMPLE], "next": None}
NEW_SILENCE_EXAMPLE = {
    "kind": "maintenance",
    "match": {"site": ["elgazala"], "building": ["A"]},
    "reason": "the wiring of building A is renewed",
    "start": "2026-11-24T07:00:00Z",
    "end": "2026-11-24T16:00:00Z",
}
