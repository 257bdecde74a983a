"""The workers' ledgers, as they publish them, and their signs of life."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, func, or_, select, tuple_

from core.errors import ConflictError
from devices.registry.database import Database
from devices.registry.records import LedgerRow, WorkerStatus
from devices.registry.rows import upsert
from devices.registry.tables import NAME, SLUG, dead_letters, ledger, workers
from devices.registry.text import account_name, account_names, clipped

_COUNTS = (
    "received", "stored", "duplicate", "dead_lettered", "pending", "redelivered", "missing",
    "values_new", "values_other",
)  # fmt: skip
_LONGEST_REASON = 2000


class LedgerRepository:
    """The ledgers of all workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def publish(self, rows: Sequence[LedgerRow]) -> None:
        """Take a worker's rows; a row of the same worker, site, device, hour and boot is replaced.

        Raises:
            ConflictError: a row does not add up; none is taken.
        """
        values = [_values(row) for row in rows]
        with self._database.write() as connection:
            upsert(connection, ledger, values)

    def read(
        self,
        *,
        site: str | None = None,
        sites: Collection[str] | None = None,
        device: str | None = None,
        start_hour: int | None = None,
        end_hour: int | None = None,
        after: tuple[str, str, int] | None = None,
        limit: int | None = None,
    ) -> builtins.list[LedgerRow]:
        """Return rows by (site, device, hour), each the sum over all workers and boots.

        Args:
            site: only this site.
            sites: only these sites; None: all.
            device: only this device.
            start_hour: first hour, inclusive, seconds since the epoch.
            end_hour: last hour, exclusive.
            after: (site, device, hour) at which the page before ended.
            limit: most rows to return.
        """
        key = (ledger.c.site, ledger.c.device, ledger.c.hour)
        query = _filtered(
            select(*key, *_sums()).group_by(*key).order_by(*key),
            site=site,
            sites=sites,
            device=device,
            start_hour=start_hour,
            end_hour=end_hour,
        )
        if after is not None:
            query = query.where(tuple_(*key) > after)
        if limit is not None:
            query = query.limit(limit)
        with self._database.read() as connection:
            return [
                LedgerRow(worker="", **{name: _plain(value) for name, value in row.items()})
                for row in connection.execute(query).mappings()
            ]

    def by_boot(
        self,
        *,
        site: str | None = None,
        sites: Collection[str] | None = None,
        device: str | None = None,
        start_hour: int | None = None,
        end_hour: int | None = None,
        after: tuple[str, str, int] | None = None,
        limit: int | None = None,
    ) -> builtins.list[LedgerRow]:
        """Return rows by (site, device, boot), each the sum over all workers and hours.

        Args:
            site: only this site.
            sites: only these sites; None: all.
            device: only this device.
            start_hour: first hour, inclusive, seconds since the epoch.
            end_hour: last hour, exclusive.
            after: (site, device, boot) at which the page before ended.
            limit: most rows to return.
        """
        key = (ledger.c.site, ledger.c.device, ledger.c.boot)
        query = _filtered(
            select(*key, *_sums()).group_by(*key).order_by(*key),
            site=site,
            sites=sites,
            device=device,
            start_hour=start_hour,
            end_hour=end_hour,
        )
        if after is not None:
            query = query.where(tuple_(*key) > after)
        if limit is not None:
            query = query.limit(limit)
        with self._database.read() as connection:
            return [
                LedgerRow(worker="", hour=0, **{name: _plain(value) for name, value in row.items()})
                for row in connection.execute(query).mappings()
            ]

    def generations(self, worker: str) -> int:
        """Return how many spools of a worker have told an account or dead letters so far.

        Their rows are called `worker`, `worker.2`, `worker.3`.
        """
        found = 0
        with self._database.read() as connection:
            for column in (ledger.c.worker, dead_letters.c.worker):
                query = select(column).where(
                    or_(column == worker, column.startswith(f"{worker}.", autoescape=True))
                )
                for name in connection.scalars(query.distinct()):
                    number = name.removeprefix(worker).removeprefix(".")
                    found = max(found, int(number) if number else 1)
        return found

    def lines(
        self, *, worker: str | None = None, start_hour: int | None = None
    ) -> builtins.list[LedgerRow]:
        """Return the rows as the workers told them, nothing summed.

        Args:
            worker: only of this worker.
            start_hour: first hour, inclusive, seconds since the epoch.
        """
        query = _filtered(
            select(ledger), site=None, device=None, start_hour=start_hour, end_hour=None
        )
        if worker is not None:
            query = query.where(ledger.c.worker == worker)
        with self._database.read() as connection:
            return [LedgerRow(**row) for row in connection.execute(query).mappings()]

    def totals(
        self,
        *,
        site: str | None = None,
        sites: Collection[str] | None = None,
        device: str | None = None,
        start_hour: int | None = None,
        end_hour: int | None = None,
    ) -> LedgerRow:
        """Return the sum of the rows that `read` would return."""
        query = _filtered(
            select(*_sums()),
            site=site,
            sites=sites,
            device=device,
            start_hour=start_hour,
            end_hour=end_hour,
        )
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one()
        counts = {name: int(row[name] or 0) for name in _COUNTS}
        return LedgerRow(worker="", site=site or "", device=device or "", hour=0, **counts)


class WorkerRepository:
    """The workers' last signs of life."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, status: WorkerStatus) -> None:
        """Take a worker's sign of life."""
        values = msgspec.structs.asdict(status) | {
            "facts": msgspec.json.encode(status.facts).decode(),
            "store": clipped(status.store, _LONGEST_REASON),
            "host": clipped(status.host, NAME),
            "version": clipped(status.version, SLUG),
        }
        with self._database.write() as connection:
            upsert(connection, workers, [values])

    def list(self) -> builtins.list[WorkerStatus]:
        """Return the last sign of life of every worker, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(workers).order_by(workers.c.worker)).mappings()
            return [
                WorkerStatus(**(dict(row) | {"facts": msgspec.json.decode(row["facts"])}))
                for row in rows
            ]


def _values(row: LedgerRow) -> dict[str, Any]:
    if row.received != row.stored + row.duplicate + row.dead_lettered + row.pending:
        raise ConflictError(
            f"worker {row.worker}: the account of device {row.device[:80]!r}, site "
            f"{row.site[:80]!r}, hour {row.hour} does not add up: received {row.received}, stored "
            f"{row.stored}, duplicate {row.duplicate}, dead-lettered {row.dead_lettered}, pending "
            f"{row.pending}; this is a defect of Passerelle, please report it"
        )
    return msgspec.structs.asdict(row) | {
        "site": account_name(row.site),
        "device": account_name(row.device),
    }


def _sums() -> list[Any]:
    return [func.sum(ledger.c[name]).label(name) for name in _COUNTS]


def _filtered(
    query: Select[Any],
    *,
    site: str | None,
    device: str | None,
    start_hour: int | None,
    end_hour: int | None,
    sites: Collection[str] | None = None,
) -> Select[Any]:
    if site is not None:
        query = query.where(ledger.c.site.in_(account_names(site)))
    if sites is not None:
        query = query.where(ledger.c.site.in_(sorted(sites)))
    if device is not None:
        query = query.where(ledger.c.device.in_(account_names(device)))
    if start_hour is not None:
        query = query.where(ledger.c.hour >= start_hour)
    if end_hour is not None:
        query = query.where(ledger.c.hour < end_hour)
    return query


def _plain(value: Any) -> Any:
    """PostgreSQL sums BIGINT to NUMERIC."""
    return value if isinstance(value, str) else int(value)
