"""What keys and users hold: rows of `grants`, read and written within a transaction of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from sqlalchemy import Connection, delete, select

from core.access import Domain, Grant, Role
from core.errors import NotFoundError
from devices.registry.rows import insert_rows
from devices.registry.tables import grants, sites

Kind = Literal["key", "user"]


def held(
    connection: Connection, kind: Kind, holders: Iterable[str]
) -> dict[str, tuple[Grant, ...]]:
    """Return what each of some keys or users holds, in order; without those that hold nothing."""
    columns = grants.c
    query = select(columns.holder, columns.role, columns.site, columns.domain).where(
        columns.kind == kind, columns.holder.in_(list(holders))
    )
    found: dict[str, list[Grant]] = {}
    for holder, role, site, domain in connection.execute(query):
        grant = Grant(Role(role), site or None, Domain(domain) if domain else None)
        found.setdefault(holder, []).append(grant)
    return {holder: tuple(sorted(some, key=_order)) for holder, some in found.items()}


def hold(connection: Connection, kind: Kind, holder: str, wanted: Sequence[Grant]) -> None:
    """Have a key or a user hold some grants, and no others.

    Raises:
        NotFoundError: a site is not known.
    """
    named = {one.site for one in wanted if one.site is not None}
    known = set(connection.execute(select(sites.c.id)).scalars())
    for site in sorted(named - known):
        raise NotFoundError(f"there is no site {site[:80]!r}; known are {', '.join(sorted(known))}")
    connection.execute(delete(grants).where(grants.c.kind == kind, grants.c.holder == holder))
    insert_rows(
        connection,
        grants,
        [
            {
                "kind": kind,
                "holder": holder,
                "role": one.role.value,
                "site": one.site or "",
                "domain": "" if one.domain is None else one.domain.value,
            }
            for one in sorted(set(wanted), key=_order)
        ],
    )


def _order(grant: Grant) -> tuple[str, str, str]:
    return (grant.site or "", grant.role.value, grant.domain or "")
