"""`/v1/me`."""

from __future__ import annotations

from fastapi import APIRouter

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.schemas.access import ME_EXAMPLE, MeAnswer
from api.services import ServicesDep
from core.access import Permission

ROUTER = APIRouter(prefix="/v1/me", tags=["access"])


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.USE),
    summary="Show what you may do",
    responses=answers(ME_EXAMPLE),
)
def show_me(services: ServicesDep, access: AccessDep) -> MeAnswer:
    """Return who is asking, what they hold, and what that comes to at each site."""
    return MeAnswer.of(access.principal, services.registry.sites.list())
