"""Sites: read, added; checked before they are."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import available_timezones

import msgspec
from sqlalchemy import Connection, select

from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.database import Database, bump
from devices.registry.records import Site
from devices.registry.remembered import Remembered
from devices.registry.rows import insert_rows
from devices.registry.tables import sites
from devices.registry.text import check_text, storable

PILOT_SITES = (
    Site("elgazala", "Elgazala", "Africa/Tunis", "TN", 36.894, 10.187),
    Site("diamniadio", "Diamniadio", "Africa/Dakar", "SN", 14.72, -17.18),
)
_MOST_NORTH, _MOST_EAST = 90.0, 180.0
_COUNTRY = re.compile(r"[A-Z]{2}")


class SiteRepository:
    """The sites of the registry."""

    def __init__(self, database: Database, *, remembered: Remembered) -> None:
        self._database = database
        self._remembered = remembered

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
        return self._remembered.row("site", site, self._read)

    def _read(self, site: str) -> Site:
        with self._database.read() as connection:
            query = select(sites).where(sites.c.id == storable(site))
            row = connection.execute(query).mappings().first()
        if row is None:
            raise unknown_site(site)
        return _site(row)

    def add(self, site: Site) -> Site:
        """Add a site.

        Raises:
            ConfigurationError: its id, zone or position cannot be right.
            ConflictError: there is one of that id.
        """
        checked = check_site(site)
        with self._database.change() as connection:
            if checked.id in _known(connection):
                raise ConflictError(f"there is a site {site.id!r} already; see /v1/sites")
            insert_rows(connection, sites, [msgspec.structs.asdict(checked)])
            bump(connection)
        return checked

    def seed(self) -> None:
        """Add the pilot sites, where they are missing; nothing is locked when none is."""
        with self._database.read() as connection:
            if not _missing(connection):
                return
        with self._database.change() as connection:
            if missing := _missing(connection):
                insert_rows(connection, sites, [msgspec.structs.asdict(one) for one in missing])
                bump(connection)


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
    if not (abs(site.latitude) <= _MOST_NORTH and abs(site.longitude) <= _MOST_EAST):
        raise ConfigurationError(
            f"site {site.id}: latitude must be within -90 to 90 and longitude within -180 to 180"
        )
    check_text(site.name, what=f"site {site.id}: the name")
    if _COUNTRY.fullmatch(site.country) is None:
        raise ConfigurationError(
            f"site {site.id}: country must be two capital letters (ISO 3166-1), such as TN"
        )
    return site


def unknown_site(site: str) -> NotFoundError:
    """Return what is said of a site that does not exist."""
    return NotFoundError(f"there is no site {site[:80]!r}; see /v1/sites")


def _known(connection: Connection) -> frozenset[str]:
    return frozenset(connection.execute(select(sites.c.id)).scalars())


def _missing(connection: Connection) -> list[Site]:
    known = _known(connection)
    return [site for site in PILOT_SITES if site.id not in known]


def _site(row: Any) -> Site:
    return Site(**row)
