"""What a snapshot says beside its rows: the data dictionary, and how to cite it.

No person is in it: of a device only what says how it measures and where (site, building). Its name,
room, external name and hardware identifier are left out, as people write names of persons there.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.exports.canonical import ALGORITHM
from api.exports.query import ExportQuery
from api.times import in_zone
from core.errors import NotFoundError
from devices.registry import ExportRecord, Registry

_FEW = 50


def devices_metadata(registry: Registry, query: ExportQuery) -> dict[str, dict[str, Any]]:
    """Return what is told of each device, by its identifier."""
    names = {device.device for device in query.devices}
    if len(names) > _FEW:
        found = [device for device in registry.devices.all() if device.id in names]
    else:
        found = []
        for name in sorted(names):
            try:
                found.append(registry.devices.get(name))
            except NotFoundError:
                continue  # taken away since the order
    return {
        device.id: {
            "site": device.site,
            "profile": device.profile,
            "building": device.building,
            "interval_s": device.interval_s,
        }
        for device in found
    }


def sites_metadata(registry: Registry, query: ExportQuery) -> dict[str, dict[str, Any]]:
    """Return what is told of each site, by its identifier."""
    return {
        site.id: {"name": site.name, "zone": site.zone, "country": site.country}
        for site in registry.sites.list()
        if site.id in query.sites
    }


def citation(record: ExportRecord, query: ExportQuery) -> dict[str, str]:
    """Return how to cite a snapshot that is done, in English and French."""
    zone = ZoneInfo(query.zone)
    frozen = in_zone(record.finished_ns or record.created_ns, zone)[:10]
    start, end = in_zone(query.start_ns, zone), in_zone(query.end_ns, zone)
    sites, devices = ", ".join(query.sites), len(query.devices)
    content = f"{ALGORITHM}:{record.content_sha256}"
    rows_en = "windows" if query.every is not None else "values"
    rows_fr = "fenêtres" if query.every is not None else "valeurs"
    return {
        "en": f"Passerelle ({frozen[:4]}). {record.title} [data snapshot {record.id}]. "
        f"{record.rows} {rows_en} of {devices} device(s), {sites}, from {start} to {end}. "
        f"Frozen on {frozen}. Content hash {content}.",
        "fr": f"Passerelle ({frozen[:4]}). {record.title} [instantané de données {record.id}]. "
        f"{record.rows} {rows_fr} de {devices} appareil(s), {sites}, du {start} au {end}. "
        f"Figé le {frozen}. Empreinte du contenu {content}.",
    }


def dictionary(record: ExportRecord) -> dict[str, Any]:
    """Return the metadata of the file of a snapshot, as they were when it was frozen."""
    found: dict[str, Any] = msgspec.json.decode(record.details).get("metadata", {})
    return found
