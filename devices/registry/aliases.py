"""Aliases: what a bridge (Zigbee2MQTT) tells of its devices' names and hardware identifiers.

They are how a device that was renamed at its bridge is found again.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from devices.registry.rows import insert_rows
from devices.registry.tables import NAME, SLUG, device_aliases, sites
from devices.registry.text import storable


def read(connection: Connection) -> dict[tuple[str, str, str], str]:
    """Return (site, profile, external name) -> hardware identifier."""
    columns = device_aliases.c
    rows = connection.execute(
        select(columns.site, columns.profile, columns.external_name, columns.hardware_id)
    )
    return {(site, profile, name): hardware for site, profile, name, hardware in rows}


def replace(connection: Connection, *, site: str, profile: str, wanted: Mapping[str, str]) -> bool:
    """Replace the aliases of one bridge by those that can be kept; say whether any changed."""
    columns = device_aliases.c
    if not _fits(site, SLUG) or not _fits(profile, SLUG):
        return False
    if connection.execute(select(sites.c.id).where(sites.c.id == site)).first() is None:
        return False
    kept = {
        name: hardware
        for name, hardware in wanted.items()
        if _fits(name, NAME) and _fits(hardware, NAME)
    }
    ours = (columns.site == site) & (columns.profile == profile)
    rows = connection.execute(select(columns.external_name, columns.hardware_id).where(ours))
    if {row.external_name: row.hardware_id for row in rows} == kept:
        return False
    connection.execute(delete(device_aliases).where(ours))
    insert_rows(
        connection,
        device_aliases,
        [
            {"site": site, "profile": profile, "external_name": name, "hardware_id": hardware}
            for name, hardware in kept.items()
        ],
    )
    return True


def _fits(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and storable(text) == text
