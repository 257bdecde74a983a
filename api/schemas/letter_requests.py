"""What is asked of the workers about many dead letters, and how far it is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from api.schemas import Schema
from api.schemas.dead_letters import MAX_REPLAY, Name, ReplayFilter
from core.clock import iso
from devices.registry import LetterRequest

DEFAULT_RATE = 1000.0
"""Dead letters a second that a replay takes when nothing else is asked."""


class _Order(Schema):
    ids: list[Name] | None = Field(
        None, min_length=1, max_length=MAX_REPLAY, description="Identifiers of open ones; or"
    )
    filter: ReplayFilter | None = Field(
        None, description="all open ones that match, however many; an empty one matches all."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> _Order:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either `ids` or `filter`")
        return self


class ReplaysOrder(_Order):
    """Which dead letters the workers are to judge again."""

    dry_run: bool = Field(
        default=False,
        description="The workers judge them with today's profiles and change nothing.",
    )
    rate: float = Field(
        DEFAULT_RATE, ge=0, le=1e6, description="Dead letters a second, at most; 0: no bound."
    )


class DiscardsOrder(_Order):
    """Which dead letters are to be discarded."""

    why: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")] = (
        Field(description="Why; it is kept with each of them.")
    )
    dry_run: bool = Field(default=False, description="Only say how many there are.")


class Outcome(Schema):
    """How many dead letters of one reason had one fate."""

    reason: str = Field(description="Their reason before.")
    fate: str = Field(
        description="`replayed` or `discarded`; `open`: it stays; `missing`: the worker does not "
        "have it; of a dry run: `stored`, `nothing` (to store), `duplicate`, `open`."
    )
    count: int
    reason_now: str = Field(description="Of those that stay: their reason from now on.")
    detail: str = Field(description="Of those that stay: what was said of one of them.")


class LetterRequestAnswer(Schema):
    """What one worker was asked, and how far it is."""

    id: int
    action: str = Field(description="`replay`, `dry_run` or `discard`.")
    worker: str
    requested_by: str = Field(description="Name of the API key or the operator.")
    why: str = Field(description="Why they are discarded, or empty.")
    created: str = Field(description="When it was asked for (RFC 3339, UTC).")
    finished: str | None = Field(description="When the worker was done, or null.")
    paused: bool = Field(description="True while it is not carried out.")
    waiting: str | None = Field(description="Why it does not go on now, or null.")
    matched: int = Field(description="How many there were when it was asked.")
    done: int = Field(description="How many the worker has looked at.")
    replayed: int = Field(description="How many became pending again.")
    failed: int = Field(description="How many stay.")
    outcomes: list[Outcome]

    @classmethod
    def of(cls, request: LetterRequest) -> LetterRequestAnswer:
        """Return what the API says of `request`."""
        return cls(
            id=request.id,
            action=request.action,
            worker=request.worker,
            requested_by=request.requested_by,
            why=request.why,
            created=iso(request.created_ns),
            finished=None if request.finished_ns is None else iso(request.finished_ns),
            paused=request.paused,
            waiting=request.waiting or None,
            matched=request.matched,
            done=request.done,
            replayed=request.replayed,
            failed=request.failed,
            outcomes=[
                Outcome(
                    reason=one.reason,
                    fate=one.fate,
                    count=one.count,
                    reason_now=one.reason_now,
                    detail=one.detail,
                )
                for one in request.outcomes
            ],
        )


class LetterRequestsAnswer(Schema):
    """What was asked of each worker that holds some of them."""

    matched: int = Field(description="How many open ones are meant.")
    by_reason: dict[str, int] = Field(
        description="How many of each reason; empty when they were named."
    )
    requests: list[LetterRequestAnswer] = Field(description="One for each worker.")


REQUEST_EXAMPLE = {
    "id": 7,
    "action": "replay",
    "worker": "worker-1",
    "requested_by": "local",
    "why": "",
    "created": "2026-11-23T08:05:00Z",
    "finished": None,
    "paused": False,
    "waiting": None,
    "matched": 1200,
    "done": 400,
    "replayed": 399,
    "failed": 1,
    "outcomes": [
        {
            "reason": "unknown_quantity", "fate": "replayed", "count": 399,
            "reason_now": "", "detail": "",
        },
        {
            "reason": "unknown_quantity", "fate": "open", "count": 1,
            "reason_now": "out_of_range", "detail": "t: 215 Cel is outside -100 to 150 Cel",
        },
    ],
}  # fmt: skip
REQUESTS_EXAMPLE = {
    "matched": 1200,
    "by_reason": {"unknown_quantity": 1200},
    "requests": [{**REQUEST_EXAMPLE, "done": 0, "replayed": 0, "failed": 0, "outcomes": []}],
}
DISCARD_EXAMPLE = {
    **REQUEST_EXAMPLE,
    "action": "discard",
    "why": "test bench of March",
    "done": 1200,
    "replayed": 0,
    "failed": 0,
    "finished": "2026-11-23T08:05:02Z",
    "outcomes": [
        {
            "reason": "malformed", "fate": "discarded", "count": 1200,
            "reason_now": "", "detail": "",
        },
    ],
}  # fmt: skip
DISCARDS_EXAMPLE = {
    "matched": 1200,
    "by_reason": {"malformed": 1200},
    "requests": [{**DISCARD_EXAMPLE, "done": 0, "finished": None, "outcomes": []}],
}
DISCARDS_DRY_RUN_EXAMPLE = {**DISCARDS_EXAMPLE, "requests": []}
REPLAYS_ORDER_EXAMPLE = {
    "filter": {"site": "elgazala", "reason": "unknown_quantity"},
    "dry_run": True,
    "rate": 1000,
}
DISCARDS_ORDER_EXAMPLE = {
    "filter": {"reason": "malformed", "until": "2026-11-01"},
    "why": "test bench of March",
}
