"""Health."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.readiness import PartState, WorkerState, is_retired
from api.schemas import Schema
from core.clock import iso


class LiveAnswer(Schema):
    """This process answers."""

    status: Literal["live"]


class Part(Schema):
    """One part that the platform needs."""

    name: str = Field(description="`registry`, `store` or `workers`.")
    up: bool
    reason: str | None = Field(description="Why it is down, or null.")
    since: str = Field(description="Since when, as far as this process saw (RFC 3339, UTC).")

    @classmethod
    def of(cls, state: PartState) -> Part:
        """Return what the API says of `state`."""
        return cls(
            name=state.name, up=state.up, reason=state.reason or None, since=iso(state.since_ns)
        )


class Worker(Schema):
    """One ingest worker, by its last report."""

    worker: str
    up: bool
    retired: bool = Field(description="Long silent with nothing on its disk: not waited for.")
    reasons: list[str] = Field(description="What is wrong with it.")
    notes: list[str] = Field(
        description="What will go wrong when nobody looks after it; it works all the same."
    )
    seen: str = Field(description="When it last reported (RFC 3339, UTC).")
    age_s: float = Field(description="How long ago that is, seconds.")
    connected: bool = Field(description="True while connected to the broker.")
    store_reachable: bool = Field(description="True while it can write to the store.")
    spool_bytes: int = Field(description="Size of what waits on its disk.")
    spool_full: bool = Field(description="True while it has stopped acknowledging.")
    pending: int = Field(description="Messages on its disk, not yet stored.")

    @classmethod
    def of(cls, state: WorkerState) -> Worker:
        """Return what the API says of `state`."""
        status = state.status
        return cls(
            worker=status.worker,
            up=not state.reasons,
            retired=is_retired(state),
            reasons=list(state.reasons),
            notes=list(state.notes),
            seen=iso(status.seen_ns),
            age_s=state.age_s,
            connected=status.connected,
            store_reachable=not status.store,
            spool_bytes=status.spool_bytes,
            spool_full=status.spool_full,
            pending=status.pending,
        )


class ReadyAnswer(Schema):
    """Whether every part works, and which does not."""

    ready: bool
    degraded: bool = Field(description="A worker has a note: look before it goes wrong.")
    checked: str = Field(description="When (RFC 3339, UTC).")
    parts: list[Part]
    workers: list[Worker]


LIVE_EXAMPLE = {"status": "live"}
_CHECKED = "2026-11-23T08:00:10Z"
_WORKER = {
    "worker": "worker-1",
    "up": True,
    "retired": False,
    "reasons": [],
    "notes": [],
    "seen": "2026-11-23T08:00:09.500Z",
    "age_s": 0.5,
    "connected": True,
    "store_reachable": True,
    "spool_bytes": 0,
    "spool_full": False,
    "pending": 0,
}
_REGISTRY = {"name": "registry", "up": True, "reason": None, "since": "2026-11-23T07:59:00Z"}
_STORE = {"name": "store", "up": True, "reason": None, "since": "2026-11-23T07:59:00Z"}
_WORKERS = {"name": "workers", "up": True, "reason": None, "since": "2026-11-23T07:59:05Z"}
READY_EXAMPLE = {
    "ready": True,
    "degraded": False,
    "checked": _CHECKED,
    "parts": [_REGISTRY, _STORE, _WORKERS],
    "workers": [_WORKER],
}
NOT_READY_EXAMPLE = {
    **READY_EXAMPLE,
    "ready": False,
    "parts": [
        _REGISTRY,
        {**_STORE, "up": False, "reason": "no answer within 3 s", "since": _CHECKED},
        _WORKERS,
    ],
}
