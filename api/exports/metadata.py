"""What every file says of itself: where it is from, what its columns mean, how complete it is."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from api.exports.canonical import ALGORITHM
from api.exports.query import ExportQuery
from api.exports.schema import COLUMNS, columns_of
from api.schemas.completeness import counts
from core.clock import NS_PER_HOUR, NS_PER_S, hour_of, iso
from core.quality import Quality
from core.quantities import CATALOGUE
from devices.registry import LedgerRow, Registry

QUALITY_MEANINGS = {
    Quality.SERVER_TIME: "The instant is the time of reception: the device sent none.",
    Quality.CLOCK_SUSPECT: "The device's instant could not be right; the time of reception stands.",
    Quality.FIELD_DROPPED: "Another field of the same message could not be used.",
    Quality.LATE: "Received more than an hour after it was measured.",
    Quality.SIMULATED: "Made by a simulator.",
}
"""What each quality flag means."""
_FEW_DEVICES = 200
_CHUNK = 5000
_COUNTS = ("received", "stored", "duplicate", "dead_lettered", "pending", "redelivered", "missing")


def file_metadata(registry: Registry, query: ExportQuery, *, now_ns: int) -> dict[str, Any]:
    """Return the metadata of a file of `query`, made now.

    Raises:
        RegistryUnavailableError: the registry does not answer.
    """
    columns = columns_of(query)
    return {
        "format": "passerelle-export",
        "version": 1,
        "platform": {"name": "passerelle", "version": version("passerelle")},
        "created": iso(now_ns),
        "query": query.shown(),
        "zone": query.zone,
        "columns": {name: COLUMNS[name] for name in columns.names},
        "quantities": {
            name: quantity_metadata(name) for name in query.quantities or sorted(CATALOGUE)
        },
        "quality_codes": quality_codes(),
        "completeness": completeness(registry, query),
        "content_hash_algorithm": ALGORITHM,
    }


def quantity_metadata(name: str) -> dict[str, Any]:
    """Return what the catalogue says of a quantity."""
    entry = CATALOGUE[name]
    return {
        "unit": entry.unit,
        "description": entry.description,
        "description_fr": entry.description_fr,
        "category": entry.category.value,
        "type": entry.type,
        "minimum": entry.minimum,
        "maximum": entry.maximum,
        "cumulative": entry.cumulative,
        "loinc": list(entry.loinc),
        "mdc": list(entry.mdc),
    }


def quality_codes() -> dict[str, dict[str, str]]:
    """Return each flag of the quality bit mask, by its number."""
    return {
        str(flag.value): {"name": (flag.name or "").lower(), "meaning": meaning}
        for flag, meaning in QUALITY_MEANINGS.items()
    }


def completeness(registry: Registry, query: ExportQuery) -> dict[str, Any]:
    """Return what the ledger says of the devices, for the hours of reception in the range.

    Messages are counted in the hour in which they were received: one that came late stands in a
    later hour than its values. The devices are told one by one when they are at most 200.
    """
    start_hour, end_hour = hour_of(query.start_ns), hour_of(query.end_ns + NS_PER_HOUR - 1)
    wanted = {(device.site, device.device) for device in query.devices}
    total = dict.fromkeys(_COUNTS, 0)
    by_device: dict[tuple[str, str], dict[str, int]] = {}
    for row in _accounts(registry, query, start_hour=start_hour, end_hour=end_hour):
        key = (row.site, row.device)
        if key not in wanted:
            continue
        mine = by_device.setdefault(key, dict.fromkeys(_COUNTS, 0))
        for name in _COUNTS:
            mine[name] += getattr(row, name)
            total[name] += getattr(row, name)
    reports = [worker.seen_ns for worker in registry.workers.list()]
    answer: dict[str, Any] = {
        "hours_of_reception": {"from": iso(start_hour * NS_PER_S), "to": iso(end_hour * NS_PER_S)},
        "as_of": iso(min(reports)) if reports else None,
        "messages": _balanced(total),
    }
    if len(wanted) <= _FEW_DEVICES:
        none = dict.fromkeys(_COUNTS, 0)
        answer["devices"] = {
            device: _balanced(by_device.get((site, device), none))
            for site, device in sorted(wanted)
        }
    return answer


def _accounts(
    registry: Registry, query: ExportQuery, *, start_hour: int, end_hour: int
) -> Iterator[LedgerRow]:
    """Yield ledger rows of the devices, or of their whole sites when they are many."""
    if len(query.devices) <= _FEW_DEVICES:
        asked = [(device.site, device.device) for device in query.devices]
    else:
        asked = [(site, "") for site in query.sites]
    for site, device in asked:
        after = None
        while True:
            rows = registry.ledger.by_boot(
                site=site,
                device=device or None,
                start_hour=start_hour,
                end_hour=end_hour,
                after=after,
                limit=_CHUNK,
            )
            yield from rows
            if len(rows) < _CHUNK:
                break
            after = (rows[-1].site, rows[-1].device, rows[-1].boot)


def _balanced(sums: dict[str, int]) -> dict[str, int | bool]:
    return counts(LedgerRow(worker="", site="", device="", hour=0, **sums))
