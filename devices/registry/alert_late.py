"""Values that came too late to be judged: listed once each, the newest `MOST` of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, select

from devices.registry.alert_rows import digest
from devices.registry.alert_tables import alert_late
from devices.registry.alert_telling import LateValue
from devices.registry.rows import insertion
from devices.registry.tables import NAME
from devices.registry.text import clipped

MOST = 10_000
"""How many are kept."""
_ROWS = 1000


def add_late(connection: Connection, values: Sequence[LateValue]) -> None:
    """List values; those that are listed already stay as they are, the oldest ones are let go."""
    if not values:
        return
    statement = insertion(connection.dialect, alert_late)
    statement = statement.on_conflict_do_nothing(index_elements=["digest"])
    rows = [_row(one) for one in values[-MOST:]]
    for start in range(0, len(rows), _ROWS):
        connection.execute(statement, rows[start : start + _ROWS])
    oldest = select(alert_late.c.id).order_by(alert_late.c.id.desc()).offset(MOST).limit(1)
    floor = connection.execute(oldest).scalar()
    if floor is not None:
        connection.execute(delete(alert_late).where(alert_late.c.id <= floor))


def _row(value: LateValue) -> dict[str, object]:
    row = msgspec.structs.asdict(value)
    del row["id"]
    for name in ("building", "zone", "device", "quantity"):
        row[name] = clipped(row[name], NAME)
    row["digest"] = digest(
        value.rule, value.site, value.building, value.zone, value.person, value.device,
        value.quantity, value.time_ns,
    )  # fmt: skip
    return row
