"""`/v1/sites`."""

from __future__ import annotations

from fastapi import APIRouter

from api.documentation import answers
from api.parameters import IdPath
from api.schemas.sites import SITE_EXAMPLE, SITES_EXAMPLE, SiteAnswer, SitesAnswer
from api.services import ServicesDep

ROUTER = APIRouter(prefix="/v1/sites", tags=["sites"])


@ROUTER.get("", summary="List the sites", responses=answers(SITES_EXAMPLE))
def list_sites(services: ServicesDep) -> SitesAnswer:
    """Return every site, with its time zone and place."""
    return SitesAnswer(sites=[SiteAnswer.of(site) for site in services.registry.sites.list()])


@ROUTER.get("/{id}", summary="Show a site", responses=answers(SITE_EXAMPLE, "not_found"))
def show_site(services: ServicesDep, id: IdPath) -> SiteAnswer:  # noqa: A002 - the name in the path
    """Return one site."""
    return SiteAnswer.of(services.registry.sites.get(id))
