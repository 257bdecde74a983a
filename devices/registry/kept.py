"""What is kept beside the store: newest values, hours to roll up, and who had late values.

Workers tell both from the points that the store confirmed. A newest value is replaced only by one
of the same instant or a later one, so workers may tell in any order and twice. A marked hour stays
until somebody has rolled it up and nobody marked it since. A device of which an hour is marked that
is over is noted as late: readers that keep past hours at hand drop what they have of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, func, literal_column, or_, select

from core.clock import NS_PER_S, Clock
from core.reading import DeviceKey, Reading
from devices.registry.database import Database
from devices.registry.rows import insert_or, insertion, upsert
from devices.registry.tables import kept_state, late_devices, latest_values, marked_hours

LATEST_FILLED = "latest_filled"
"""Noted number: 1 when the newest values of every device are known."""
ROLLED_FROM = "rolled_from"
"""Noted number: from which hour on roll-ups are kept, seconds since the epoch."""
_DEVICES = 200
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


class Newest(msgspec.Struct, frozen=True):
    """Newest values, as they were told.

    Attributes:
        turn: number of the last telling that is in `values`.
        forgotten: how often values were forgotten so far; where it grew, ask for all anew.
        values: in no order.
    """

    turn: int
    forgotten: int
    values: list[Reading]


_TURN, _FORGOTTEN = "turn", "forgotten"
_LATE_TURN, _ANEW = "late_turn", "anew"
_OVER_S = 1800
"""How long after its end an hour is over, seconds: half of what readers wait, as clocks differ."""
_HOUR_S = 3600


class Late(msgspec.Struct, frozen=True):
    """Which devices had values stored in hours that were over.

    Attributes:
        turn: number of the last telling that is in it.
        anew: how often nobody knew any more what had changed: keep nothing from before.
        devices: those that were told of after the turn asked for.
    """

    turn: int
    anew: int
    devices: tuple[DeviceKey, ...]


class KeptRepository:
    """Newest values, marked hours and late devices."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def tell(self, values: Iterable[Reading], marks: Iterable[Mark]) -> None:
        """Take newest values and hours that changed; told twice, they change nothing more."""
        newest: dict[tuple[str, str, str], Reading] = {}
        for value in values:
            key = (value.site, value.device, value.quantity)
            if key not in newest or value.time_ns >= newest[key].time_ns:
                newest[key] = value
        rows = [
            dict(zip(_ORDER, key, strict=True))
            | {"time_ns": one.time_ns, "value": one.value, "quality": one.quality}
            for key, one in sorted(newest.items())
        ]
        marked = [
            {"site": one.site, "device": one.device, "category": one.category, "hour": one.hour}
            | {"version": 1}
            for one in sorted(set(marks))
        ]
        with self._database.write() as connection:
            if rows:
                turn = _counted(connection, _TURN)
                rows = [row | {"turn": turn} for row in rows]
            if late := self._over(marked):
                turn = _counted(connection, _LATE_TURN)
                upsert(
                    connection,
                    late_devices,
                    [{"site": site, "device": device, "turn": turn} for site, device in late],
                )
            insert_or(connection, latest_values, rows, _newer)
            insert_or(connection, marked_hours, marked, _again)

    def late(self, *, after_turn: int) -> Late:
        """Return which devices had values stored in hours that were over, after a turn."""
        columns = late_devices.c
        devices = select(columns.site, columns.device).where(columns.turn > after_turn)
        states = select(kept_state.c.name, kept_state.c.value).where(
            kept_state.c.name.in_((_LATE_TURN, _ANEW))
        )
        with self._database.read() as connection:
            state = {name: int(value) for name, value in connection.execute(states)}
            turn = state.get(_LATE_TURN, 0)
            rows = connection.execute(devices).all() if turn > after_turn else []
        return Late(turn, state.get(_ANEW, 0), tuple(DeviceKey(*row) for row in rows))

    def _over(self, marked: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
        """Return the devices of marked hours that are over, in order."""
        before_s = self._clock.now_ns() // NS_PER_S - _HOUR_S - _OVER_S
        return sorted({(one["site"], one["device"]) for one in marked if one["hour"] <= before_s})

    def latest(self, *, after_turn: int = 0) -> Newest:
        """Return the newest values, or those that were told after a turn."""
        columns = latest_values.c
        query = select(
            columns.site, columns.device, columns.quantity,
            columns.time_ns, columns.value, columns.quality,
        )  # fmt: skip
        if after_turn:
            query = query.where(columns.turn > after_turn)
        states = select(kept_state.c.name, kept_state.c.value).where(
            kept_state.c.name.in_((_TURN, _FORGOTTEN))
        )
        with self._database.read() as connection:
            state = {name: int(value) for name, value in connection.execute(states)}
            values = [Reading(*row) for row in connection.execute(query)]
        return Newest(state.get(_TURN, 0), state.get(_FORGOTTEN, 0), values)

    def forget(self, values: Sequence[Reading]) -> None:
        """Forget values that were taken out of the store, where they still are the newest."""
        columns = latest_values.c
        with self._database.write() as connection:
            _counted(connection, _FORGOTTEN)
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

    def rolled_from(self) -> int | None:
        """Return from which hour on roll-ups are kept, seconds since the epoch; None: not yet."""
        return self.state(ROLLED_FROM)

    def begin_anew(self, *, from_hour: int) -> None:
        """Forget that anything was rolled up or looked through; workers do it again.

        Args:
            from_hour: roll-ups are believed from this hour on, seconds since the epoch.
        """
        self.note(ROLLED_FROM, from_hour)
        self.note(LATEST_FILLED, 0)
        with self._database.write() as connection:
            _counted(connection, _ANEW)

    def note(self, name: str, value: int) -> None:
        """Note a number."""
        with self._database.write() as connection:
            upsert(connection, kept_state, [{"name": name, "value": value}])


def _newer(statement: Any) -> Any:
    """Replace a value, unless it is newer."""
    return statement.on_conflict_do_update(
        index_elements=list(_ORDER),
        set_={name: statement.excluded[name] for name in ("time_ns", "value", "quality", "turn")},
        where=statement.excluded.time_ns >= latest_values.c.time_ns,
    )


def _again(statement: Any) -> Any:
    """Mark an hour once more."""
    return statement.on_conflict_do_update(
        index_elements=["site", "device", "category", "hour"],
        set_={"version": marked_hours.c.version + literal_column("1")},
    )


def _counted(connection: Connection, name: str) -> int:
    """Return the next number of a count; others wait for the transaction, so numbers are in order.

    A reader that saw a number has therefore seen everything of the ones before it.
    """
    statement = (
        insertion(connection.dialect, kept_state)
        .values(name=name, value=1)
        .on_conflict_do_update(index_elements=["name"], set_={"value": kept_state.c.value + 1})
        .returning(kept_state.c.value)
    )
    return int(connection.execute(statement).scalar_one())
