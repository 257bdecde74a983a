"""What each route needs, declared where the route is, and checked before it runs.

    @ROUTER.get("/v1/devices", openapi_extra=requires(Permission.READ_DEVICES))

A route that declares nothing answers 403 to everybody: it cannot be left open by forgetting. The
declaration stands in OpenAPI as `x-permission`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from api.access.errors import ForbiddenError
from api.security import PUBLIC_PATHS
from core.access import Permission, Principal
from core.logs import logger

FIELD = "x-permission"
"""The name under which OpenAPI shows it."""


def requires(permission: Permission) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that needs `permission`."""
    return {FIELD: permission.value}


def permission_of(extra: Mapping[str, Any] | None) -> Permission | None:
    """Return what the `openapi_extra` of a route declares, or None."""
    declared = (extra or {}).get(FIELD)
    return None if declared is None else Permission(declared)


def principal_of(connection: HTTPConnection) -> Principal | None:
    """Return who was let in, or None on a public path."""
    found: Principal | None = connection.scope.get("state", {}).get("principal")
    return found


def declared(connection: HTTPConnection) -> Permission | None:
    """Return what the route that serves a request declares, or None."""
    return permission_of(getattr(connection.scope.get("route"), "openapi_extra", None))


async def authorized(connection: HTTPConnection) -> None:
    """Refuse who may nowhere do what the route needs; a dependency of every route.

    Where they may is looked at by the route, which knows what it is asked for.

    Raises:
        ForbiddenError: they may not, or the route declares nothing.
    """
    if connection.scope["path"] in PUBLIC_PATHS:
        return
    permission = declared(connection)
    if permission is None:
        logger("api").error("route_without_permission", path=connection.scope["path"])
        raise ForbiddenError(
            "this route does not say what it needs, so nobody is let in; report it"
        )
    who = principal_of(connection)
    if who is None or not who.may(permission):
        raise ForbiddenError(
            f"this needs the permission {permission.value}, which you have at no site; GET /v1/me "
            "shows what you may do, an administrator can grant more"
        )
