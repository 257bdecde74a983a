"""Devices and their labels as rows, within a transaction of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, select, update

from core.errors import NotFoundError
from devices.registry.records import Device
from devices.registry.rows import insert_rows
from devices.registry.rule_tables import device_labels
from devices.registry.tables import devices
from devices.registry.text import storable

_CHUNK = 500


def unknown_device(device: str) -> NotFoundError:
    """Return what is said of a device that does not exist."""
    return NotFoundError(f"there is no device {device[:80]!r}; see /v1/devices")


def read(connection: Connection, query: Select[Any]) -> list[Device]:
    """Return the devices that a query of `devices`, ordered by id, finds; two queries in all."""
    rows = connection.execute(query).mappings().all()
    labels = _labels(connection, [row["id"] for row in rows])
    return [Device(**row, labels=labels.get(row["id"], {})) for row in rows]


def read_all(connection: Connection) -> list[Device]:
    """Return every device, by id."""
    return read(connection, select(devices).order_by(devices.c.id))


def read_one(connection: Connection, device: str) -> Device:
    """Return one device.

    Raises:
        NotFoundError: there is none of that id.
    """
    found = read(connection, select(devices).where(devices.c.id == storable(device)))
    if not found:
        raise unknown_device(device)
    return found[0]


def insert(connection: Connection, new: Sequence[Device]) -> None:
    """Add devices that are not there.

    Raises:
        ConfigurationError: a value is beyond its column.
    """
    insert_rows(connection, devices, [_values(one) for one in new])
    labelled = [
        {"device": one.id, "name": name, "value": value}
        for one in new
        for name, value in sorted(one.labels.items())
    ]
    insert_rows(connection, device_labels, labelled)


def change(connection: Connection, made: Device, *, before: Device) -> None:
    """Bring one device, whose id stays, to another form."""
    connection.execute(update(devices).where(devices.c.id == made.id).values(_values(made)))
    if made.labels != before.labels:
        connection.execute(delete(device_labels).where(device_labels.c.device == made.id))
        insert_rows(
            connection,
            device_labels,
            [{"device": made.id, "name": name, "value": made.labels[name]} for name in made.labels],
        )


def replace(connection: Connection, changed: Sequence[Device]) -> None:
    """Take the old rows away first: two devices may exchange their names in topics."""
    for start in range(0, len(changed), _CHUNK):
        remove(connection, [device.id for device in changed[start : start + _CHUNK]])
    insert(connection, changed)


def remove(connection: Connection, ids: Sequence[str]) -> None:
    """Take devices away; their labels go with them."""
    connection.execute(delete(devices).where(devices.c.id.in_(ids)))


def _labels(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the labels of devices that are in the order of their ids."""
    if not ids:
        return {}
    columns = device_labels.c
    query = select(columns.device, columns.name, columns.value).order_by(
        columns.device, columns.name
    )
    if len(ids) <= _CHUNK:
        query = query.where(columns.device.in_(ids))
    else:  # thousands of names take longer than the few labels in between that nobody asked for
        query = query.where(columns.device >= ids[0], columns.device <= ids[-1])
    found: dict[str, dict[str, str]] = {}
    for device, name, value in connection.execute(query):
        found.setdefault(device, {})[name] = value
    return found


def _values(device: Device) -> Mapping[str, Any]:
    values = msgspec.structs.asdict(device)
    del values["labels"]
    return values
