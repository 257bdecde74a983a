"""Leases: what only one process of all may do at a time, and until when it may.

A process that dies lets its lease run out. Clocks of several machines differ: a lease is taken over
only `GRACE_NS` after its end, so a difference smaller than that lets no two hold it at once.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, or_, select

from core.clock import NS_PER_S, Clock
from devices.registry.database import Database
from devices.registry.errors import LeaseLostError
from devices.registry.rows import insertion
from devices.registry.tables import leases

GRACE_NS = 5 * NS_PER_S
"""How long after its end a lease stays with its holder, nanoseconds."""


class LeaseRepository:
    """The leases of one installation."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def hold(self, name: str, *, holder: str, for_s: float) -> bool:
        """Take or prolong a lease; return whether it is held now.

        Args:
            name: what may be done.
            holder: who asks, unique among processes.
            for_s: until when, seconds from now.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        now_ns = self._clock.now_ns()
        with self._database.write() as connection:
            wanted = insertion(connection.dialect, leases).values(
                name=name, holder=holder, until_ns=now_ns + round(for_s * NS_PER_S)
            )
            taken = wanted.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": wanted.excluded.holder, "until_ns": wanted.excluded.until_ns},
                where=or_(leases.c.holder == holder, leases.c.until_ns < now_ns - GRACE_NS),
            ).returning(leases.c.name)
            return connection.execute(taken).first() is not None

    def let_go(self, name: str, *, holder: str) -> None:
        """Give a lease up, when it is held by `holder`."""
        with self._database.write() as connection:
            connection.execute(
                delete(leases).where(leases.c.name == name, leases.c.holder == holder)
            )


def check_held(connection: Connection, name: str, *, holder: str) -> None:
    """Return when a lease is held by `holder`, and nobody can take it over before the commit.

    A lease that ran out and that nobody took over is still held.

    Raises:
        LeaseLostError: somebody else holds it, or nobody does.
    """
    query = select(leases.c.holder).where(leases.c.name == name).with_for_update(read=True)
    found = connection.execute(query).scalar()
    if found != holder:
        raise LeaseLostError(
            f"the lease {name!r} is held by {found or 'nobody'}, not by {holder}; stop"
        )
