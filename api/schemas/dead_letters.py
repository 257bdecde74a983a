"""Dead letters and their replay."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import Field, model_validator

from api.schemas import Schema
from core.clock import iso
from core.reasons import Reason, Scope, what_to_do
from devices.registry import DeadLetter, DeadLetterState, LetterRequest

PREVIEW_BYTES = 64
MAX_REPLAY = 10_000
"""Dead letters that one request may ask to replay."""

Name = Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")]


class DeadLetterAnswer(Schema):
    """A message, a field or points that could not be stored."""

    id: str = Field(description="Identifier, unique on the platform.")
    worker: str = Field(description="The worker that holds it.")
    scope: str = Field(description="What it cost: `message`, `field` or `points`.")
    reason: str = Field(description="Stable reason code.")
    detail: str = Field(description="What was wrong, for a person.")
    site: str = Field(description="Site, or `unassigned`.")
    device: str = Field(description="Device, its external name, or `unidentified`.")
    profile: str = Field(description="The profile that was to decode it, or empty.")
    topic: str = Field(description="The topic; bytes that are not UTF-8 stand as escapes.")
    size: int = Field(description="Size of the payload as it was received, bytes.")
    received: str = Field(description="When it was received (RFC 3339, UTC).")
    state: str = Field(description="`open`, `replayed` or `discarded`.")
    attempts: int = Field(description="How often a replay was tried.")
    updated: str = Field(description="When it last changed (RFC 3339, UTC).")
    settled_by: str = Field(description="Who replayed or discarded it, or empty.")
    settled_why: str = Field(description="Why it was discarded, or empty.")

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterAnswer:
        """Return what a list says of `letter`."""
        return cls.model_validate(_summary(letter))


class DeadLetterDetail(DeadLetterAnswer):
    """A dead letter with its payload."""

    what_to_do: str = Field(description="What to do about its reason.")
    properties: dict[str, str] = Field(description="MQTT 5 properties.")
    payload_text: str | None = Field(
        description="The payload when it is UTF-8, else null; empty once it is not open any more."
    )
    payload_base64: str = Field(description="The payload, byte for byte.")
    payload_hex: str = Field(description=f"Its first {PREVIEW_BYTES} bytes, in hexadecimal.")

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterDetail:
        """Return everything that is known of `letter`."""
        return cls.model_validate(
            {
                **_summary(letter),
                "what_to_do": what_to_do(letter.reason),
                "properties": letter.properties,
                "payload_text": _text(letter.payload),
                "payload_base64": base64.b64encode(letter.payload).decode(),
                "payload_hex": letter.payload[:PREVIEW_BYTES].hex(" "),
            }
        )


class DeadLettersAnswer(Schema):
    """A page of dead letters, newest first."""

    dead_letters: list[DeadLetterAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class ReasonCount(Schema):
    """How many dead letters have one reason, by state."""

    reason: str
    open: int
    replayed: int
    discarded: int
    total: int


class DeadLetterSummary(Schema):
    """How many dead letters there are, by reason and state."""

    total: int
    open: int
    reasons: list[ReasonCount] = Field(description="The reasons that occur, most open ones first.")


class ReplayFilter(Schema):
    """Which open dead letters; every field that is given must match."""

    site: Name | None = None
    device: Name | None = None
    worker: Name | None = None
    reason: Reason | None = None
    scope: Scope | None = None
    profile: Name | None = None
    since: Name | None = Field(None, description="Received at or after this instant.")
    until: Name | None = Field(None, description="Received before this instant.")


class ReplayOrder(Schema):
    """Which dead letters to decode again: `ids`, or a `filter` over the open ones."""

    ids: list[Name] | None = Field(None, min_length=1, max_length=MAX_REPLAY)
    filter: ReplayFilter | None = Field(
        None, description=f"The newest {MAX_REPLAY} that match; an empty one matches all."
    )
    dry_run: bool = Field(default=False, description="Only say what would be replayed.")

    @model_validator(mode="after")
    def _one_of_two(self) -> ReplayOrder:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either `ids` or `filter`")
        return self


class ReplayAnswer(Schema):
    """A replay, carried out by the worker that holds the dead letters."""

    id: int
    worker: str
    dead_letters: list[str] = Field(description="Identifiers.")
    requested_by: str = Field(description="Name of the API key or the operator.")
    created: str = Field(description="When it was asked for (RFC 3339, UTC).")
    finished: str | None = Field(description="When the worker was done, or null.")
    replayed: int = Field(description="How many became pending again.")
    failed: int = Field(description="How many could not be decoded again and stay open.")

    @classmethod
    def of(cls, request: LetterRequest) -> ReplayAnswer:
        """Return what the API says of `request`."""
        return cls(
            id=request.id,
            worker=request.worker,
            dead_letters=list(request.dead_letters),
            requested_by=request.requested_by,
            created=iso(request.created_ns),
            finished=None if request.finished_ns is None else iso(request.finished_ns),
            replayed=request.replayed,
            failed=request.failed,
        )


class ReplayOrderAnswer(Schema):
    """What is replayed, or would be."""

    dry_run: bool
    matched: list[str] = Field(description="Identifiers of the dead letters.")
    more: bool = Field(description="True when the filter matches more: ask again afterwards.")
    replays: list[ReplayAnswer] = Field(description="One for each worker; none in a dry run.")


def _summary(letter: DeadLetter) -> dict[str, str | int]:
    return {
        "id": letter.id,
        "worker": letter.worker,
        "scope": letter.scope,
        "reason": letter.reason,
        "detail": letter.detail,
        "site": letter.site,
        "device": letter.device,
        "profile": letter.profile,
        "topic": letter.topic,
        "size": letter.size,
        "received": iso(letter.received_ns),
        "state": letter.state,
        "attempts": letter.attempts,
        "updated": iso(letter.updated_ns),
        "settled_by": letter.settled_by,
        "settled_why": letter.settled_why,
    }


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


DEAD_LETTER_EXAMPLE = {
    "id": "worker-1-42",
    "worker": "worker-1",
    "scope": "message",
    "reason": "malformed",
    "detail": "the payload is not JSON: it ends at byte 6",
    "site": "elgazala",
    "device": "elg-env-001",
    "profile": "passerelle-json",
    "topic": "passerelle/v1/elgazala/elg-env-001/telemetry",
    "size": 6,
    "received": "2026-11-23T08:00:00.125Z",
    "state": DeadLetterState.OPEN.value,
    "attempts": 0,
    "updated": "2026-11-23T08:00:00.125Z",
    "settled_by": "",
    "settled_why": "",
}
DEAD_LETTERS_EXAMPLE = {"dead_letters": [DEAD_LETTER_EXAMPLE], "next": None}
DEAD_LETTER_DETAIL_EXAMPLE = {
    **DEAD_LETTER_EXAMPLE,
    "what_to_do": "correct the firmware",
    "properties": {"content-type": "application/json"},
    "payload_text": '{"t": ',
    "payload_base64": "eyJ0Ijog",
    "payload_hex": "7b 22 74 22 3a 20",
}
SUMMARY_EXAMPLE = {
    "total": 3,
    "open": 2,
    "reasons": [{"reason": "malformed", "open": 2, "replayed": 1, "discarded": 0, "total": 3}],
}
REPLAY_EXAMPLE = {
    "id": 7,
    "worker": "worker-1",
    "dead_letters": ["worker-1-42"],
    "requested_by": "local",
    "created": "2026-11-23T08:05:00Z",
    "finished": None,
    "replayed": 0,
    "failed": 0,
}
REPLAY_ORDER_EXAMPLE = {"filter": {"site": "elgazala", "reason": "unknown_device"}}
REPLAY_ORDER_ANSWER_EXAMPLE = {
    "dry_run": False,
    "matched": ["worker-1-42"],
    "more": False,
    "replays": [REPLAY_EXAMPLE],
}
DRY_RUN_EXAMPLE = {"dry_run": True, "matched": ["worker-1-42"], "more": False, "replays": []}
