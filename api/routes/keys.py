"""`/v1/keys`: API keys. For administrators of the whole platform."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from api.access.giving import check_giving, in_body, note_change, shown
from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.idempotency import NO_STORE
from api.parameters import UTC, IdPath
from api.problems import InvalidParameterError
from api.schemas.access import (
    KEY_EXAMPLE,
    KEYS_EXAMPLE,
    MADE_KEY_EXAMPLE,
    NEW_KEY_EXAMPLE,
    KeyAnswer,
    KeysAnswer,
    MadeKey,
    NewKey,
    Rotation,
)
from api.services import Services, ServicesDep
from api.times import parse_instant
from core.access import Permission

ROUTER = APIRouter(prefix="/v1/keys", tags=["access"])
_NEEDS = requires(Permission.MANAGE_ACCESS)


@ROUTER.get("", openapi_extra=_NEEDS, summary="List the keys", responses=answers(KEYS_EXAMPLE))
def list_keys(services: ServicesDep) -> KeysAnswer:
    """Return every key without its secret, also those that are good no more."""
    return KeysAnswer(keys=[KeyAnswer.of(one) for one in services.registry.keys.list()])


@ROUTER.post(
    "",
    status_code=201,
    openapi_extra=_NEEDS,
    summary="Make a key",
    responses=answers(MADE_KEY_EXAMPLE, "bad_request", "not_found", "body_too_large", status=201),
)
def create_key(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    key: Annotated[NewKey, Body(examples=[NEW_KEY_EXAMPLE])],
) -> MadeKey:
    """Make a key; its secret is in this answer and never again. Nobody gives more than they hold.

    A key of a user does what the user may, or what its own grants leave of that.
    """
    scopes = None if key.scopes is None else frozenset(key.scopes)
    grants = [one.grant() for one in key.grants]
    held = grants
    if not grants and key.user is not None:
        held = list(services.registry.users.get(key.user).grants)
    check_giving(access, held, scopes)
    if key.user is None and not grants:
        raise InvalidParameterError(
            "grants", "name a role, or a user that the key belongs to", location="body"
        )
    with in_body("name"):
        secret, made = services.registry.keys.create(
            key.name,
            grants=grants,
            user=key.user,
            scopes=scopes,
            expires_ns=_expiry(services, key.expires),
        )
    note_change(request, services, f"key {made.id} made: {shown(made.grants)}", status=201)
    response.headers["Cache-Control"] = NO_STORE
    return MadeKey(secret=secret, key=KeyAnswer.of(made))


@ROUTER.get(
    "/{id}",
    openapi_extra=_NEEDS,
    summary="Show a key",
    responses=answers(KEY_EXAMPLE, "not_found"),
)
def show_key(services: ServicesDep, id: IdPath) -> KeyAnswer:  # noqa: A002 - the name in the path
    """Return one key, without its secret."""
    return KeyAnswer.of(services.registry.keys.get(id))


@ROUTER.post(
    "/{id}/rotate",
    status_code=201,
    openapi_extra=_NEEDS,
    summary="Replace a key",
    responses=answers(
        MADE_KEY_EXAMPLE, "bad_request", "conflict", "not_found", "body_too_large", status=201
    ),
)
def rotate_key(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    *,
    id: IdPath,  # noqa: A002 - the name in the path
    rotation: Annotated[Rotation, Body(examples=[{"grace_s": 3600}])],
) -> MadeKey:
    """Make a key that may do the same; the old one is good for a while, so that nothing stops."""
    before = services.registry.keys.get(id)
    check_giving(access, before.grants, before.scopes)
    secret, made = services.registry.keys.rotate(
        id, grace_s=rotation.grace_s, expires_ns=_expiry(services, rotation.expires)
    )
    note_change(request, services, f"key {made.id} made in place of {id}", status=201)
    response.headers["Cache-Control"] = NO_STORE
    return MadeKey(secret=secret, key=KeyAnswer.of(made))


@ROUTER.delete(
    "/{id}",
    openapi_extra=_NEEDS,
    summary="Revoke a key",
    responses=answers(KEY_EXAMPLE, "not_found", "body_too_large"),
)
def revoke_key(
    request: Request,
    services: ServicesDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> KeyAnswer:
    """Make a key useless, within two seconds; a key revoked before stays so."""
    services.registry.keys.revoke(id)
    note_change(request, services, f"key {id} revoked")
    return KeyAnswer.of(services.registry.keys.get(id))


def _expiry(services: Services, text: str | None) -> int | None:
    if text is None:
        return None
    now_ns = services.clock.now_ns()
    try:
        expires_ns = parse_instant(text, parameter="expires", now_ns=now_ns, zone=UTC)
    except InvalidParameterError as error:
        raise error.in_body() from None
    if expires_ns <= now_ns:
        raise InvalidParameterError("expires", "is in the past already", location="body")
    return expires_ns
