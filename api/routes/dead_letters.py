"""`/v1/dead-letters` and `/v1/replays`."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Path, Query, Request, Response

from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.cursors import decode_cursor, encode_cursor
from api.deprecation import superseded
from api.documentation import answers
from api.letter_payloads import check_payload, told
from api.letter_selection import check_letters, check_request, chosen_letters, ordered_letters
from api.parameters import CursorParameter, DeviceFilter, IdPath, next_link
from api.schemas.dead_letters import (
    DEAD_LETTER_DETAIL_EXAMPLE,
    DEAD_LETTERS_EXAMPLE,
    DRY_RUN_EXAMPLE,
    MAX_REPLAY,
    REPLAY_EXAMPLE,
    REPLAY_ORDER_ANSWER_EXAMPLE,
    REPLAY_ORDER_EXAMPLE,
    SUMMARY_EXAMPLE,
    DeadLetterAnswer,
    DeadLetterDetail,
    DeadLettersAnswer,
    DeadLetterSummary,
    ReasonCount,
    ReplayAnswer,
    ReplayFilter,
    ReplayOrder,
    ReplayOrderAnswer,
)
from api.services import Services, ServicesDep
from core.access import Permission, Principal
from core.reasons import Reason, Scope
from devices.registry import DeadLetterState

ROUTER = APIRouter(prefix="/v1", tags=["dead letters"])
_SINCE = date(2026, 11, 23)
_ONE_FORM = superseded(since=_SINCE, by="/v1/dead-letters/replays")

MAX_LETTERS = 1000
"""Dead letters of one page."""
_LARGEST_ID = 2**31 - 1
_CONFLICT = ("bad_request", "conflict", "body_too_large")

InstantFilter = Annotated[str | None, Query(max_length=64, examples=["-24h"])]


class _After(msgspec.Struct, frozen=True, array_like=True):
    id: str


@ROUTER.get(
    "/dead-letters",
    openapi_extra=requires(Permission.READ_DEAD_LETTERS),
    summary="List dead letters",
    responses=answers(DEAD_LETTERS_EXAMPLE),
)
def list_dead_letters(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    *,
    site: Annotated[
        str | None,
        Query(description="Only this site, or `unassigned`.", max_length=64, examples=["elgazala"]),
    ] = None,
    device: DeviceFilter = None,
    worker: Annotated[
        str | None,
        Query(description="Only those of this worker.", max_length=64, examples=["worker-1"]),
    ] = None,
    reason: Annotated[
        Reason | None, Query(description="Only this reason.", examples=["malformed"])
    ] = None,
    scope: Annotated[
        Scope | None, Query(description="Only this scope.", examples=["message"])
    ] = None,
    state: Annotated[
        DeadLetterState | None, Query(description="Only this state.", examples=["open"])
    ] = None,
    profile: Annotated[
        str | None,
        Query(description="Only this profile.", max_length=64, examples=["zigbee2mqtt"]),
    ] = None,
    since: Annotated[InstantFilter, Query(description="Received at or after this instant.")] = None,
    until: Annotated[InstantFilter, Query(description="Received before this instant.")] = None,
    limit: Annotated[
        int | None,
        Query(
            description="Rows of a page, at most; default: setting `api.page_size`.",
            ge=1,
            le=MAX_LETTERS,
            examples=[100],
        ),
    ] = None,
    cursor: CursorParameter = None,
) -> DeadLettersAnswer:
    """Return what could not be stored, newest first, without the payloads."""
    query = ("dead-letters", site, device, worker, reason, scope, state, profile, since, until)
    after = None if cursor is None else decode_cursor(cursor, _After, query=query).id
    rows = limit or min(services.settings.api.page_size, MAX_LETTERS)
    wanted = ReplayFilter(
        site=site,
        device=device,
        worker=worker,
        reason=reason,
        scope=scope,
        profile=profile,
        since=since,
        until=until,
    )
    found = services.registry.dead_letters.find(
        chosen_letters(access, services, wanted),
        sites=access.sites,
        state=state,
        after=after,
        limit=rows + 1,
    )
    page = found[:rows]
    following = encode_cursor(_After(page[-1].id), query=query) if len(found) > rows else None
    return DeadLettersAnswer(
        dead_letters=[DeadLetterAnswer.of(told(access, letter)) for letter in page],
        next=next_link(request, following),
    )


@ROUTER.get(
    "/dead-letters/summary",
    openapi_extra=requires(Permission.READ_DEAD_LETTERS),
    summary="Count dead letters by reason",
    responses=answers(SUMMARY_EXAMPLE),
)
def summarise_dead_letters(services: ServicesDep, access: AccessDep) -> DeadLetterSummary:
    """Return how many dead letters there are, by reason and state."""
    by_reason: dict[str, dict[str, int]] = {}
    counts = services.registry.dead_letters.counts(sites=access.sites)
    for (reason, state), number in counts.items():
        by_reason.setdefault(reason, dict.fromkeys(DeadLetterState, 0))[DeadLetterState(state)] = (
            number
        )
    reasons = [
        ReasonCount(
            reason=reason,
            open=states[DeadLetterState.OPEN],
            replayed=states[DeadLetterState.REPLAYED],
            discarded=states[DeadLetterState.DISCARDED],
            total=sum(states.values()),
        )
        for reason, states in by_reason.items()
    ]
    return DeadLetterSummary(
        total=sum(entry.total for entry in reasons),
        open=sum(entry.open for entry in reasons),
        reasons=sorted(reasons, key=lambda entry: (-entry.open, entry.reason)),
    )


_ORDER_RESPONSES = {
    **answers(REPLAY_ORDER_ANSWER_EXAMPLE, "not_found", *_CONFLICT, status=202),
    200: {
        "description": "A dry run: nothing was asked of a worker.",
        "model": ReplayOrderAnswer,
        "content": {"application/json": {"example": DRY_RUN_EXAMPLE}},
    },
}


@ROUTER.post(
    "/dead-letters/replay",
    status_code=202,
    deprecated=True,
    dependencies=[_ONE_FORM],
    openapi_extra=requires(Permission.REPLAY),
    summary="Replay several dead letters",
    responses=_ORDER_RESPONSES,
)
def replay_dead_letters(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    order: Annotated[ReplayOrder, Body(examples=[REPLAY_ORDER_EXAMPLE])],
) -> ReplayOrderAnswer:
    """Ask the workers that hold them to decode dead letters again, with today's profiles."""
    more = False
    if order.filter is not None:
        matched, more = _open_ones(access, services, order.filter)
    else:
        matched = list(dict.fromkeys(order.ids or ()))
        check_letters(access, services, matched)
    replays = []
    if order.dry_run:
        response.status_code = 200
    elif matched:
        replays = services.registry.dead_letters.request_replay(matched, asked_by(request))
    return ReplayOrderAnswer(
        dry_run=order.dry_run,
        matched=matched,
        more=more,
        replays=[ReplayAnswer.of(replay) for replay in replays],
    )


@ROUTER.get(
    "/dead-letters/{id}",
    openapi_extra=requires(Permission.READ_PAYLOADS),
    summary="Show a dead letter",
    responses=answers(DEAD_LETTER_DETAIL_EXAMPLE, "not_found"),
)
def show_dead_letter(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> DeadLetterDetail:
    """Return a dead letter with its payload, as text where it is UTF-8, and byte for byte."""
    check_letters(access, services, [id])
    letter = services.registry.dead_letters.get(id)
    check_payload(access, letter)
    return DeadLetterDetail.of(told(access, letter))


@ROUTER.post(
    "/dead-letters/{id}/replay",
    status_code=202,
    deprecated=True,
    dependencies=[_ONE_FORM],
    openapi_extra=requires(Permission.REPLAY),
    summary="Replay a dead letter",
    responses=answers(REPLAY_EXAMPLE, "not_found", "conflict", "body_too_large", status=202),
)
def replay_dead_letter(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> ReplayAnswer:
    """Ask the worker that holds it to decode a dead letter again, with today's profiles."""
    check_letters(access, services, [id])
    replay = services.registry.dead_letters.request_replay([id], asked_by(request))[0]
    response.headers["Location"] = f"/v1/replays/{replay.id}"
    return ReplayAnswer.of(replay)


@ROUTER.get(
    "/replays/{id}",
    deprecated=True,
    dependencies=[superseded(since=_SINCE, by="/v1/dead-letters/replays/{id}")],
    openapi_extra=requires(Permission.READ_DEAD_LETTERS),
    summary="Show a replay",
    responses=answers(REPLAY_EXAMPLE, "not_found"),
)
def show_replay(
    services: ServicesDep,
    access: AccessDep,
    id: Annotated[  # noqa: A002 - the name in the path
        int, Path(description="Its number.", ge=1, le=_LARGEST_ID, examples=[7])
    ],
) -> ReplayAnswer:
    """Return what became of a replay."""
    found = services.registry.dead_letters.get_request(id)
    check_request(access, services, found)
    return ReplayAnswer.of(found)


def _open_ones(access: Access, services: Services, wanted: ReplayFilter) -> tuple[list[str], bool]:
    """Return the newest open ones that match, and whether there are more than may be asked for."""
    chosen = ordered_letters(access, services, wanted)
    assert chosen is not None  # noqa: S101 - a filter was given
    found = services.registry.dead_letters.find(
        chosen, state=DeadLetterState.OPEN, limit=MAX_REPLAY + 1
    )
    return [letter.id for letter in found[:MAX_REPLAY]], len(found) > MAX_REPLAY


def asked_by(request: Request) -> str:
    """Return the name of whoever a request came from."""
    caller: Principal = request.state.principal
    return caller.name
