"""What is kept beside the store: the newest value of every series, and hours to roll up.

Workers tell both from the points that the store confirmed. A newest value is replaced only by one
of the same instant or a later one, so workers may tell in any order and twice. A marked hour stays
until somebody has rolled it up and nobody marked it since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from core.clock import Clock
from core.reading import DeviceKey, Reading
from devices.registry.database import Database
from devices.registry.rows import upsert
from devices.registry.tables import kept_state, latest_values, marked_hours

_DEVICES = 200
_ROWS = 1000
_ORDER = ("site", "device", "quantity")


class Mark(msgspec.Struct, frozen=True, order=True):
    """An hour of a device's category whose values changed.

    Attributes:
        site: site slug.
        device: device slug.
        category: which quantities.
        hour: start of the UTC hour, seconds since the epoch.
        version: grows each time it is marked; 0 when it is told.
    """

    site: str
    device: str
    category: str
    hour: int
    version: int = 0


class KeptRepository:
    """Newest values and marked hours."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def tell(self, values: Iterable[Reading], marks: Iterable[Mark]) -> None:
        """Take newest values and hours that changed; told twice, they change nothing more."""
        told_ns = self._clock.now_ns()
        newest: dict[tuple[str, str, str], Reading] = {}
        for value in values:
            key = (value.site, value.device, value.quantity)
            if key not in newest or value.time_ns >= newest[key].time_ns:
                newest[key] = value
        rows = [
            dict(zip(_ORDER, key, strict=True))
            | {"time_ns": one.time_ns, "value": one.value, "quality": one.quality}
            | {"told_ns": told_ns}
            for key, one in sorted(newest.items())
        ]
        marked = [
            {"site": one.site, "device": one.device, "category": one.category, "hour": one.hour}
            | {"version": 1}
            for one in sorted(set(marks))
        ]
        with self._database.write() as connection:
            postgres = connection.dialect.name == "postgresql"
            insert: Any = postgresql.insert if postgres else sqlite.insert
            latest = insert(latest_values)
            latest = latest.on_conflict_do_update(
                index_elements=list(_ORDER),
                set_={
                    name: latest.excluded[name]
                    for name in ("time_ns", "value", "quality", "told_ns")
                },
                where=latest.excluded.time_ns >= latest_values.c.time_ns,
            )
            mark = insert(marked_hours).on_conflict_do_update(
                index_elements=["site", "device", "category", "hour"],
                set_={"version": marked_hours.c.version + 1},
            )
            for statement, some in ((latest, rows), (mark, marked)):
                for start in range(0, len(some), _ROWS):
                    connection.execute(statement, some[start : start + _ROWS])

    def latest(self, *, told_since_ns: int = 0) -> list[Reading]:
        """Return the newest values that were told from an instant on, in no order."""
        columns = latest_values.c
        query = select(
            columns.site, columns.device, columns.quantity,
            columns.time_ns, columns.value, columns.quality,
        )  # fmt: skip
        if told_since_ns:
            query = query.where(columns.told_ns >= told_since_ns)
        with self._database.read() as connection:
            return [Reading(*row) for row in connection.execute(query)]

    def forget(self, values: Sequence[Reading]) -> None:
        """Forget values that were taken out of the store, where they still are the newest."""
        columns = latest_values.c
        with self._database.write() as connection:
            for one in values:
                connection.execute(
                    delete(latest_values).where(
                        columns.site == one.site,
                        columns.device == one.device,
                        columns.quantity == one.quantity,
                        columns.time_ns == one.time_ns,
                    )
                )

    def first_marks(
        self, devices: Sequence[DeviceKey], *, start_hour: int, end_hour: int
    ) -> dict[DeviceKey, int]:
        """Return the first marked hour of each device that has one in a range.

        Args:
            devices: of which devices.
            start_hour: first hour, inclusive, seconds since the epoch.
            end_hour: last hour, exclusive.
        """
        columns = marked_hours.c
        found: dict[DeviceKey, int] = {}
        with self._database.read() as connection:
            for start in range(0, len(devices), _DEVICES):
                some = devices[start : start + _DEVICES]
                query = (
                    select(columns.site, columns.device, func.min(columns.hour))
                    .where(
                        columns.hour >= start_hour,
                        columns.hour < end_hour,
                        or_(
                            *(
                                and_(columns.site == key.site, columns.device == key.device)
                                for key in some
                            )
                        ),
                    )
                    .group_by(columns.site, columns.device)
                )
                found |= {
                    DeviceKey(site, device): hour
                    for site, device, hour in connection.execute(query)
                }
        return found

    def marks(self, *, before_hour: int, limit: int) -> list[Mark]:
        """Return marked hours, the newest hours first.

        Args:
            before_hour: only hours before this one, seconds since the epoch.
            limit: most marks to return.
        """
        columns = marked_hours.c
        query = (
            select(columns.site, columns.device, columns.category, columns.hour, columns.version)
            .where(columns.hour < before_hour)
            .order_by(columns.hour.desc(), columns.category, columns.site, columns.device)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Mark(*row) for row in connection.execute(query)]

    def rolled(self, marks: Sequence[Mark]) -> None:
        """Take marks away that were rolled up; one that was marked again meanwhile stays."""
        columns = marked_hours.c
        with self._database.write() as connection:
            for one in marks:
                connection.execute(
                    delete(marked_hours).where(
                        columns.site == one.site,
                        columns.device == one.device,
                        columns.category == one.category,
                        columns.hour == one.hour,
                        columns.version == one.version,
                    )
                )

    def marked(self) -> int:
        """Return how many hours are marked."""
        with self._database.read() as connection:
            return int(
                connection.execute(select(func.count()).select_from(marked_hours)).scalar_one()
            )

    def state(self, name: str) -> int | None:
        """Return a number that was noted, or None."""
        query = select(kept_state.c.value).where(kept_state.c.name == name)
        with self._database.read() as connection:
            value = connection.execute(query).scalar()
        return None if value is None else int(value)

    def note(self, name: str, value: int) -> None:
        """Note a number."""
        with self._database.write() as connection:
            upsert(connection, kept_state, [{"name": name, "value": value}])
