"""Who wears or uses which device."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from api.parameters import UTC
from api.schemas import Schema
from api.times import in_zone
from devices.registry import Assignment

Instant = Annotated[str, Field(max_length=64)]


class AssignmentAnswer(Schema):
    """A person wears or uses a device for a time."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    id: int
    device: str = Field(description="Identifier of the device.")
    site: str = Field(description="Where the device is, or was when it ended.")
    person: str = Field(description="A pseudonym.")
    start: str = Field(alias="from", description="Since when (RFC 3339, UTC).")
    end: str | None = Field(
        alias="to", description="Until when, exclusive; null: until further notice."
    )
    by: str = Field(description="Who assigned it.")
    ended_by: str = Field(description="Who said when it ends, or empty.")

    @classmethod
    def of(cls, assignment: Assignment) -> AssignmentAnswer:
        """Return what the API says of `assignment`."""
        end_ns = assignment.end_ns
        return cls(
            id=assignment.id,
            device=assignment.device,
            site=assignment.site,
            person=assignment.person,
            start=in_zone(assignment.start_ns, UTC),
            end=None if end_ns is None else in_zone(end_ns, UTC),
            by=assignment.by,
            ended_by=assignment.ended_by,
        )


class AssignmentsAnswer(Schema):
    """A page of assignments, the newest first."""

    assignments: list[AssignmentAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class NewAssignment(Schema):
    """A device to be given to a person."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)

    device: str = Field(description="Identifier of a registered device.", max_length=256)
    person: str = Field(
        description="A pseudonym, never a name: 1 to 64 of a-z, 0-9, '.', '_', '-'; begins and "
        "ends with a letter or digit.",
        min_length=1,
        max_length=64,
    )
    start: Instant = Field("now", alias="from", description="Since when; a day begins at the site.")
    end: Instant | None = Field(
        None, alias="to", description="Until when, exclusive; null: until further notice."
    )


class AssignmentEnd(Schema):
    """When an assignment ends."""

    at: Instant = Field(
        "now", description="Until when it counts, exclusive; its beginning: it never counted."
    )


ASSIGNMENT_EXAMPLE = {
    "id": 7,
    "device": "elg-watch-003",
    "site": "elgazala",
    "person": "p-0017",
    "from": "2026-11-23T08:00:00Z",
    "to": None,
    "by": "ward tablet",
    "ended_by": "",
}
ENDED_EXAMPLE = ASSIGNMENT_EXAMPLE | {"to": "2026-11-25T16:30:00Z", "ended_by": "ward tablet"}
ASSIGNMENTS_EXAMPLE = {"assignments": [ASSIGNMENT_EXAMPLE], "next": None}
NEW_ASSIGNMENT_EXAMPLE = {"device": "elg-watch-003", "person": "p-0017", "from": "now"}
ASSIGNMENT_END_EXAMPLE = {"at": "now"}
