"""`/health/live` and `/health/ready`: the only routes without a key."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.readiness import is_retired
from api.schemas.health import (
    LIVE_EXAMPLE,
    NOT_READY_EXAMPLE,
    READY_EXAMPLE,
    LiveAnswer,
    Part,
    ReadyAnswer,
    Worker,
)
from api.services import ServicesDep
from core.clock import iso

ROUTER = APIRouter(prefix="/health", tags=["health"])

_NO_STORE = {"Cache-Control": "no-store"}


@ROUTER.get(
    "/live",
    summary="Is this process alive",
    responses={200: {"content": {"application/json": {"example": LIVE_EXAMPLE}}}},
)
async def live(response: Response) -> LiveAnswer:
    """Return at once: this process answers. It says nothing of the parts it needs."""
    response.headers.update(_NO_STORE)
    return LiveAnswer(status="live")


@ROUTER.get(
    "/ready",
    summary="Does every part work",
    responses={
        200: {"content": {"application/json": {"example": READY_EXAMPLE}}},
        503: {
            "description": "A part is down; the answer says which, since when and why.",
            "model": ReadyAnswer,
            "content": {"application/json": {"example": NOT_READY_EXAMPLE}},
        },
    },
)
def ready(response: Response, services: ServicesDep) -> ReadyAnswer:
    """Return 200 when registry, store and every worker work, else 503 and what does not."""
    response.headers.update(_NO_STORE)
    parts, workers = services.readiness.check()
    everything = all(part.up for part in parts)
    if not everything:
        response.status_code = 503
    return ReadyAnswer(
        ready=everything,
        degraded=any(worker.notes and not is_retired(worker) for worker in workers),
        checked=iso(services.clock.now_ns()),
        parts=[Part.of(part) for part in parts],
        workers=[Worker.of(worker) for worker in workers],
    )
