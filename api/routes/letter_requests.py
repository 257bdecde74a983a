"""`/v1/dead-letters/replays` and `/v1/dead-letters/discards`: many at once, by the workers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response

from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.documentation import answers
from api.letter_payloads import told_of_request
from api.letter_selection import check_letters, check_request, ordered_letters
from api.routes.dead_letters import asked_by
from api.schemas.letter_requests import (
    DISCARD_EXAMPLE,
    DISCARDS_DRY_RUN_EXAMPLE,
    DISCARDS_EXAMPLE,
    DISCARDS_ORDER_EXAMPLE,
    REPLAYS_ORDER_EXAMPLE,
    REQUEST_EXAMPLE,
    REQUESTS_EXAMPLE,
    DiscardsOrder,
    LetterRequestAnswer,
    LetterRequestsAnswer,
    ReplaysOrder,
)
from api.services import Services, ServicesDep
from core.access import Permission
from core.errors import NotFoundError
from devices.registry import DeadLetterState, LetterAction, LetterFilter, LetterRequest

ROUTER = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

_LARGEST_ID = 2**31 - 1
_REFUSED = ("not_found", "bad_request", "conflict", "body_too_large")

Number = Annotated[int, Path(description="Its number.", ge=1, le=_LARGEST_ID, examples=[7])]
_REPLAYS = (LetterAction.REPLAY, LetterAction.DRY_RUN)


@ROUTER.post(
    "/replays",
    status_code=202,
    openapi_extra=requires(Permission.REPLAY),
    summary="Replay many dead letters",
    responses=answers(REQUESTS_EXAMPLE, *_REFUSED, status=202),
)
def order_replays(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    order: Annotated[ReplaysOrder, Body(examples=[REPLAYS_ORDER_EXAMPLE])],
) -> LetterRequestsAnswer:
    """Ask the workers to judge open dead letters again, or to say what would become of them."""
    wanted = ordered_letters(access, services, order.filter)
    check_letters(access, services, order.ids or ())
    requests = services.registry.dead_letters.request(
        LetterAction.DRY_RUN if order.dry_run else LetterAction.REPLAY,
        requested_by=asked_by(request),
        letters=order.ids,
        wanted=wanted,
        rate=order.rate,
    )
    return _asked(access, services, wanted, requests)


@ROUTER.get(
    "/replays/{id}",
    openapi_extra=requires(Permission.READ_DEAD_LETTERS),
    summary="Show how far a replay is",
    responses=answers(REQUEST_EXAMPLE, "not_found"),
)
def show_replays(
    services: ServicesDep,
    access: AccessDep,
    id: Number,  # noqa: A002 - the name in the path
) -> LetterRequestAnswer:
    """Return what became of the dead letters that a worker has looked at so far."""
    return _shown(access, _found(access, services, id, *_REPLAYS))


@ROUTER.post(
    "/replays/{id}/pause",
    openapi_extra=requires(Permission.REPLAY),
    summary="Stop a replay where it is",
    responses=answers(REQUEST_EXAMPLE, "not_found", "conflict", "body_too_large"),
)
def pause_replays(
    services: ServicesDep,
    access: AccessDep,
    id: Number,  # noqa: A002 - the name in the path
) -> LetterRequestAnswer:
    """Stop a replay; what it has done stays done."""
    _found(access, services, id, *_REPLAYS)
    return _shown(access, services.registry.dead_letters.pause(id, paused=True))


@ROUTER.post(
    "/replays/{id}/resume",
    openapi_extra=requires(Permission.REPLAY),
    summary="Let a replay go on",
    responses=answers(REQUEST_EXAMPLE, "not_found", "conflict", "body_too_large"),
)
def resume_replays(
    services: ServicesDep,
    access: AccessDep,
    id: Number,  # noqa: A002 - the name in the path
) -> LetterRequestAnswer:
    """Let a replay that was stopped go on from where it was."""
    _found(access, services, id, *_REPLAYS)
    return _shown(access, services.registry.dead_letters.pause(id, paused=False))


_DISCARDS_RESPONSES = {
    **answers(DISCARDS_EXAMPLE, *_REFUSED, status=202),
    200: {
        "description": "A dry run: nothing was asked of a worker.",
        "model": LetterRequestsAnswer,
        "content": {"application/json": {"example": DISCARDS_DRY_RUN_EXAMPLE}},
    },
}


@ROUTER.post(
    "/discards",
    status_code=202,
    openapi_extra=requires(Permission.REPLAY),
    summary="Discard many dead letters",
    responses=_DISCARDS_RESPONSES,
)
def order_discards(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    order: Annotated[DiscardsOrder, Body(examples=[DISCARDS_ORDER_EXAMPLE])],
) -> LetterRequestsAnswer:
    """Ask the workers to let the payloads of open dead letters go; rows and account stay."""
    wanted = ordered_letters(access, services, order.filter)
    check_letters(access, services, order.ids or ())
    if order.dry_run:
        response.status_code = 200
        answer = _asked(access, services, wanted, [])
        named = len(dict.fromkeys(order.ids or ()))
        return answer.model_copy(update={"matched": answer.matched or named})
    requests = services.registry.dead_letters.request(
        LetterAction.DISCARD,
        requested_by=asked_by(request),
        letters=order.ids,
        wanted=wanted,
        why=order.why,
    )
    return _asked(access, services, wanted, requests)


@ROUTER.get(
    "/discards/{id}",
    openapi_extra=requires(Permission.READ_DEAD_LETTERS),
    summary="Show how far a discard is",
    responses=answers(DISCARD_EXAMPLE, "not_found"),
)
def show_discards(
    services: ServicesDep,
    access: AccessDep,
    id: Number,  # noqa: A002 - the name in the path
) -> LetterRequestAnswer:
    """Return how many dead letters a worker has discarded so far."""
    return _shown(access, _found(access, services, id, LetterAction.DISCARD))


def _asked(
    access: Access,
    services: Services,
    wanted: LetterFilter | None,
    requests: list[LetterRequest],
) -> LetterRequestsAnswer:
    by_reason: dict[str, int] = {}
    if wanted is not None:
        counts = services.registry.dead_letters.counts(wanted, state=DeadLetterState.OPEN)
        by_reason = {reason: count for (reason, _), count in sorted(counts.items())}
    matched = sum(one.matched for one in requests) if requests else sum(by_reason.values())
    return LetterRequestsAnswer(
        matched=matched,
        by_reason=by_reason,
        requests=[_shown(access, one) for one in requests],
    )


def _shown(access: Access, request: LetterRequest) -> LetterRequestAnswer:
    return LetterRequestAnswer.of(told_of_request(access, request))


def _found(
    access: Access, services: Services, number: int, *actions: LetterAction
) -> LetterRequest:
    found = services.registry.dead_letters.get_request(number)
    check_request(access, services, found)
    if found.action not in actions:
        raise NotFoundError(f"request {number} is a {found.action}, not what was asked for")
    return found
