"""`/v1/live`: values as they arrive, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.analysis.parameters import ExcludeQualityParameter, QualityParameter
from api.documentation import answers
from api.http_protocol import CHUNKS
from api.live.asking import Question, shown_to, sight_of
from api.live.errors import LiveBusyError
from api.live.looking import Looking
from api.live.reader import Place, Reader, place_of
from api.live.told import at_once
from api.parameters import SiteFilter
from api.problems import InvalidParameterError
from api.selection import DevicesParameter, QuantitiesParameter
from api.services import Services, ServicesDep
from core.access import Permission

ROUTER = APIRouter(prefix="/v1/live", tags=["live"])
MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2000
"""How long a client is asked to wait before it connects again, milliseconds."""
LIVE_EXAMPLE = """\
retry: 2000
id: 3f9c21d0a4b7-41-1795428000000
event: hello
data: {"zone":"UTC","keep_s":60.0,"enabled":true,"units":{"air_temperature":"Cel"}}

id: 3f9c21d0a4b7-42-1795428000412
event: points
data: {"points":[{"site":"elgazala","device":"elg-env-001","time":"2026-11-23T10:00:00Z",\
"values":{"air_temperature":21.5},"quality":[]}]}

"""
_EVENT_SCHEMA = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["hello", "points", "missed", "end"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string", "description": "Send it as Last-Event-ID to go on from here."},
        "retry": {"type": "integer", "description": "Milliseconds."},
    },
}
_RESPONSES = answers({}, "live_busy")
_RESPONSES[200] = {
    "description": "Events without end: `hello`, `points`, `missed`, `end`.",
    "content": {
        MEDIA_TYPE: {
            "itemSchema": _EVENT_SCHEMA,
            "example": LIVE_EXAMPLE,
        }
    },
}


async def _question(
    *,
    site: SiteFilter = None,
    devices: DevicesParameter = None,
    quantities: QuantitiesParameter = None,
    quality: QualityParameter = None,
    exclude_quality: ExcludeQualityParameter = None,
    zone: Annotated[
        str | None,
        Query(
            description="IANA zone in which instants are written; default UTC.",
            max_length=64,
            examples=["Africa/Tunis"],
        ),
    ] = None,
) -> Question:
    return Question(site, devices, quantities, quality, exclude_quality, zone)


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_READINGS),
    summary="Look on as values arrive",
    response_class=StreamingResponse,
    responses=_RESPONSES,
)
async def read_live(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    question: Annotated[Question, Depends(_question)],
    *,
    seconds: Annotated[
        float | None,
        Query(
            description="End the stream after so many seconds; default: never.",
            ge=0,
            le=86_400,
            allow_inf_nan=False,
            examples=[10],
        ),
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(description="Go on after this event (a browser sends it by itself).", max_length=64),
    ] = None,
) -> StreamingResponse:
    """Return values of devices as they become safe on a worker's disk: server-sent events.

    What a reader misses it is told; the store has it: read it there.
    """
    last = _place(last_event_id)
    shown = await run_in_threadpool(shown_to, access, services, question)
    hub = services.live
    if hub.readers >= hub.settings.max_readers:
        raise LiveBusyError(f"{hub.readers} readers look on already; ask again later")
    looking = Looking(
        services=services,
        credential=request.scope["state"].get("credential") or "",
        address=(request.scope.get("client") or ("",))[0],
        route=ROUTER.prefix,
        status=200,
        question=question,
    )
    sight = await run_in_threadpool(sight_of, access, services, shown.wanted)
    if sight is not None:  # written down before the answer begins, as every read is
        access.trail.look(sight.sites, sight.quantities, now_ns=services.clock.now_ns())
        looking.know(sight)
    reader = Reader(
        hub=hub,
        shown=shown,
        clock=services.clock,
        last=last,
        for_s=seconds,
        renew=lambda: run_in_threadpool(looking.renewed),
        write=at_once(request.scope, CHUNKS, lambda told: told.chunk),
    )
    return _Stream(
        _events(services, reader),
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        looking=looking,
    )


class _Stream(StreamingResponse):
    """The events, and what is written down when they end, however they end."""

    def __init__(self, *args: Any, looking: Looking, **more: Any) -> None:
        super().__init__(*args, **more)
        self._looking = looking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await run_in_threadpool(self._looking.end)


def _place(text: str | None) -> Place | None:
    if not text:
        return None
    place = place_of(text)
    if place is None:
        raise InvalidParameterError(
            "Last-Event-ID", "is no identifier of this stream's events", location="header"
        )
    return place


async def _events(services: Services, reader: Reader) -> AsyncIterator[bytes]:
    hub = services.live
    hub.readers += 1
    hub.metrics.readers.labels("sse").inc()
    try:
        yield b"retry: %d\n" % RETRY_MS
        async for one in reader.told():
            yield one.event
    finally:
        hub.readers -= 1
        hub.metrics.readers.labels("sse").dec()
