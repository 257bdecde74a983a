"""Health."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.readiness import PartState, WorkerState, is_retired
from api.schemas import Schema
from core.clock import iso
from core.sinks import CircuitState, SinkReport


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


class Missed(Schema):
    """What a further sink was not given, because it fell behind its bound."""

    messages: int = Field(description="Messages passed over and not refilled yet.")
    points: int = Field(description="Their points.")
    received_from: str = Field(description="When the oldest was received (RFC 3339, UTC).")
    received_until: str = Field(description="When the newest was received (RFC 3339, UTC).")


class Sink(Schema):
    """Where a worker writes: the store, and each further sink."""

    name: str = Field(description="`store`, or its name in the settings.")
    state: CircuitState = Field(
        description="`closed`: it is written to; `open`: it failed, the next attempt is due later; "
        "`half_open`: an attempt is under way."
    )
    reason: str | None = Field(description="Why it is not closed, or null.")
    since: str = Field(description="Since when it is closed, or is not (RFC 3339, UTC).")
    lag_messages: int = Field(description="Messages on the worker's disk that wait for it.")
    lag_bytes: int = Field(description="Their size.")
    lag_s: float = Field(description="How long the oldest of them waits, seconds.")
    missed: Missed | None = Field(
        description="What it was not given and `passerelle sinks refill` fills, or null."
    )

    @classmethod
    def of(cls, report: SinkReport) -> Sink:
        """Return what the API says of `report`."""
        missed = Missed(
            messages=report.missed_messages,
            points=report.missed_points,
            received_from=iso(report.missed_since_ns),
            received_until=iso(report.missed_until_ns),
        )
        return cls(
            name=report.name,
            state=report.state,
            reason=report.reason or None,
            since=iso(report.since_ns),
            lag_messages=report.lag_messages,
            lag_bytes=report.lag_bytes,
            lag_s=report.lag_s,
            missed=missed if report.detached else None,
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
    sinks: list[Sink] = Field(
        description="Where it writes, the store first. A further sink that is away does not make "
        "the platform unready."
    )

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
            sinks=[Sink.of(report) for report in state.sinks],
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
    "sinks": [
        {
            "name": "store",
            "state": "closed",
            "reason": None,
            "since": "2026-11-23T07:59:00Z",
            "lag_messages": 0,
            "lag_bytes": 0,
            "lag_s": 0.0,
            "missed": None,
        },
        {
            "name": "archive",
            "state": "open",
            "reason": "the Parquet files in /data/points cannot be written: no space left",
            "since": "2026-11-23T07:59:30Z",
            "lag_messages": 1200,
            "lag_bytes": 180_000,
            "lag_s": 35.5,
            "missed": None,
        },
    ],
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
