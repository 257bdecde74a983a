"""`/v1/users`: who may do what. For administrators of the whole platform."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request

from api.access.giving import check_giving, in_body, note_change, shown
from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.parameters import IdPath
from api.schemas.access import (
    NEW_USER_EXAMPLE,
    USER_EXAMPLE,
    USERS_EXAMPLE,
    NewUser,
    UserAnswer,
    UserChange,
    UsersAnswer,
)
from api.services import ServicesDep
from core.access import Permission

ROUTER = APIRouter(prefix="/v1/users", tags=["access"])
_NEEDS = requires(Permission.MANAGE_ACCESS)


@ROUTER.get("", openapi_extra=_NEEDS, summary="List the users", responses=answers(USERS_EXAMPLE))
def list_users(services: ServicesDep) -> UsersAnswer:
    """Return every user with what they may do, those that are shut out too."""
    return UsersAnswer(users=[UserAnswer.of(one) for one in services.registry.users.list()])


@ROUTER.post(
    "",
    status_code=201,
    openapi_extra=_NEEDS,
    summary="Make a user",
    responses=answers(
        USER_EXAMPLE, "bad_request", "conflict", "not_found", "body_too_large", status=201
    ),
)
def create_user(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    user: Annotated[NewUser, Body(examples=[NEW_USER_EXAMPLE])],
) -> UserAnswer:
    """Make a user. Nobody gives more than they hold."""
    grants = [one.grant() for one in user.grants]
    check_giving(access, grants)
    with in_body("id"):
        made = services.registry.users.create(
            user.id, name=user.name, subject=user.subject, grants=grants
        )
    note_change(request, services, f"user {made.id} made: {shown(made.grants)}", status=201)
    return UserAnswer.of(made)


@ROUTER.get(
    "/{id}",
    openapi_extra=_NEEDS,
    summary="Show a user",
    responses=answers(USER_EXAMPLE, "not_found"),
)
def show_user(services: ServicesDep, id: IdPath) -> UserAnswer:  # noqa: A002 - the name in the path
    """Return one user."""
    return UserAnswer.of(services.registry.users.get(id))


@ROUTER.patch(
    "/{id}",
    openapi_extra=_NEEDS,
    summary="Change a user, or shut one out",
    responses=answers(USER_EXAMPLE, "bad_request", "conflict", "not_found", "body_too_large"),
)
def change_user(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
    change: Annotated[UserChange, Body(examples=[{"disabled": True}])],
) -> UserAnswer:
    """Change what is given; keys of a user follow within two seconds.

    Nobody gives more than they hold, nor changes what somebody may who holds more.
    """
    before = services.registry.users.get(id)
    check_giving(access, before.grants)
    grants = None if change.grants is None else [one.grant() for one in change.grants]
    check_giving(access, grants or ())
    with in_body("name"):
        changed = services.registry.users.change(
            id, name=change.name, subject=change.subject, disabled=change.disabled, grants=grants
        )
    out = ", shut out" if changed.disabled_ns is not None else ""
    detail = f"user {id} changed: {shown(changed.grants)}{out}; before: {shown(before.grants)}"
    note_change(request, services, detail)
    return UserAnswer.of(changed)
