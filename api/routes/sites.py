"""`/v1/sites`."""

from __future__ import annotations

from fastapi import APIRouter

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.documentation import answers
from api.parameters import IdPath
from api.schemas.sites import SITE_EXAMPLE, SITES_EXAMPLE, SiteAnswer, SitesAnswer
from api.services import ServicesDep
from core.access import Permission
from devices.registry.places import unknown_site

ROUTER = APIRouter(prefix="/v1/sites", tags=["sites"])


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_DEVICES),
    summary="List the sites",
    responses=answers(SITES_EXAMPLE),
)
def list_sites(services: ServicesDep, access: AccessDep) -> SitesAnswer:
    """Return every site that the caller may know of, with its time zone and place."""
    return SitesAnswer(
        sites=[
            SiteAnswer.of(site)
            for site in services.registry.sites.list()
            if access.principal.may(access.permission, site.id)
        ]
    )


@ROUTER.get(
    "/{id}",
    openapi_extra=requires(Permission.READ_DEVICES),
    summary="Show a site",
    responses=answers(SITE_EXAMPLE, "not_found"),
)
def show_site(
    services: ServicesDep,
    access: AccessDep,
    id: IdPath,  # noqa: A002 - the name in the path
) -> SiteAnswer:
    """Return one site."""
    site = services.registry.sites.get(id)
    if not access.admits(site.id):
        raise unknown_site(id)
    return SiteAnswer.of(site)
