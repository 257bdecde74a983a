"""Sites."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Schema
from devices.registry import Site


class SiteAnswer(Schema):
    """A pilot site."""

    id: str = Field(description="Identifier, a tag of every stored point.")
    name: str = Field(description="For people.")
    zone: str = Field(description="IANA time zone: its days begin and its times are shown in it.")
    country: str = Field(description="ISO 3166-1 alpha-2.")
    latitude: float = Field(description="Degrees north.")
    longitude: float = Field(description="Degrees east.")

    @classmethod
    def of(cls, site: Site) -> SiteAnswer:
        """Return what the API says of `site`."""
        return cls(
            id=site.id,
            name=site.name,
            zone=site.zone,
            country=site.country,
            latitude=site.latitude,
            longitude=site.longitude,
        )


class SitesAnswer(Schema):
    """Every site."""

    sites: list[SiteAnswer]


SITE_EXAMPLE = {
    "id": "elgazala",
    "name": "Elgazala",
    "zone": "Africa/Tunis",
    "country": "TN",
    "latitude": 36.894,
    "longitude": 10.187,
}
SITES_EXAMPLE = {"sites": [SITE_EXAMPLE]}
