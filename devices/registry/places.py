"""Sites: read, added; checked before they are."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.database import Database, bump
from devices.registry.records import Site
from devices.registry.tables import NAME, sites

PILOT_SITES = (
    Site("elgazala", "Elgazala", "Africa/Tunis", "TN", 36.894, 10.187),
    Site("diamniadio", "Diamniadio", "Africa/Dakar", "SN", 14.72, -17.18),
)
_MOST_NORTH, _MOST_EAST = 90.0, 180.0


class SiteRepository:
    """The sites of the registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[Site]:
        """Return every site, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(sites).order_by(sites.c.id)).mappings().all()
        return [_site(row) for row in rows]

    def get(self, site: str) -> Site:
        """Return one site.

        Raises:
            NotFoundError: there is none of that name.
        """
        with self._database.read() as connection:
            row = connection.execute(select(sites).where(sites.c.id == site)).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no site {site[:80]!r}; see /v1/sites")
        return _site(row)

    def add(self, site: Site) -> Site:
        """Add a site.

        Raises:
            ConfigurationError: its id, zone or position cannot be right.
            ConflictError: there is one of that id.
        """
        checked = check_site(site)
        try:
            with self._database.write() as connection:
                connection.execute(insert(sites).values(msgspec.structs.asdict(checked)))
                bump(connection)
        except IntegrityError:
            raise ConflictError(f"there is a site {site.id!r} already") from None
        return checked


def check_site(site: Site) -> Site:
    """Return the site when it can be right.

    Raises:
        ConfigurationError: it cannot; the sentence names the field.
    """
    checked_slug(site.id, what="site")
    if site.zone not in available_timezones():
        raise ConfigurationError(
            f"site {site.id}: zone {site.zone[:80]!r} is not an IANA time zone, "
            "such as Africa/Tunis"
        )
    ZoneInfo(site.zone)
    if abs(site.latitude) > _MOST_NORTH or abs(site.longitude) > _MOST_EAST:
        raise ConfigurationError(
            f"site {site.id}: latitude must be within -90 to 90 and longitude within -180 to 180"
        )
    if len(site.name) > NAME or "\x00" in site.name:
        raise ConfigurationError(f"site {site.id}: the name is longer than {NAME} characters")
    if len(site.country) != 2:  # noqa: PLR2004 - ISO 3166-1 alpha-2
        raise ConfigurationError(f"site {site.id}: country must be two letters, such as TN")
    return site


def _site(row: Any) -> Site:
    return Site(**row)
