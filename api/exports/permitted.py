"""Which jobs and snapshots a caller may know of: those of which they may read every row."""

from __future__ import annotations

import msgspec

from api.access.errors import ForbiddenError
from api.access.visibility import Access, check_quantities
from api.exports.query import ExportQuery
from api.services import Services
from core.access import HEALTH_QUANTITIES, Domain
from core.quantities import CATALOGUE
from devices.registry import ExportKind, ExportRecord
from devices.registry.exports import unknown_export

_QUERY = msgspec.json.Decoder(ExportQuery)


def recorded_query(record: ExportRecord) -> ExportQuery:
    """Return what a job or a snapshot is of."""
    return _QUERY.decode(record.query)


def may_read(access: Access, record: ExportRecord) -> bool:
    """Tell whether a caller may read all of a job or a snapshot."""
    query = recorded_query(record)
    sites = _sites(record, query)
    names = [name for name in query.quantities if name in CATALOGUE]
    try:
        if names:
            check_quantities(access, sites, names)
            return True
    except ForbiddenError:
        return False
    return all(access.principal.domains(access.permission, site) >= set(Domain) for site in sites)


def readable(access: Access, services: Services, export: str, *, kind: ExportKind) -> ExportRecord:
    """Return a job or a snapshot of which the caller may read every row.

    Raises:
        NotFoundError: there is none of that kind and id that the caller may know of.
        ForbiddenError: they know all of its sites, and may not read all of it.
    """
    record = services.registry.exports.get(export, kind=kind)
    if may_read(access, record):
        return record
    for site in _sites(record, recorded_query(record)):
        if not access.admits(site):
            raise unknown_export(export, kind=kind)
    raise ForbiddenError(
        f"{kind.value} {record.id!r} holds values of a domain in which you have not the permission "
        f"{access.permission.value}"
    )


def _sites(record: ExportRecord, query: ExportQuery) -> list[str]:
    """Return the sites of its devices; of one without devices the site that was asked for."""
    named = [site for site in record.sites.split(",") if site]
    return named or ([] if query.site is None else [query.site])


def plan_export(access: Access, query: ExportQuery, *, rows: int = 0) -> None:
    """Note that what a query is of is handed out, if vital signs may be in it."""
    names = query.quantities or tuple(CATALOGUE)
    if not HEALTH_QUANTITIES.isdisjoint(names):
        access.trail.between(query.start_ns, query.end_ns)
        access.trail.plan(query.devices, names, rows=rows)
