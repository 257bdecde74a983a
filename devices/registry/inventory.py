"""Devices and their aliases: read, registered, changed, removed."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from core.identity import checked_slug
from devices.registry.database import Database, bump, upsert
from devices.registry.records import Device
from devices.registry.tables import NAME, device_aliases, devices, sites

_TEXTS = ("profile", "external_id", "name", "building", "zone", "hardware_id")
_CHUNK = 500


class ImportResult(msgspec.Struct, frozen=True):
    """What `add_many` did, in devices."""

    added: int
    unchanged: int
    updated: int


class DeviceRepository:
    """The devices of the registry."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list(
        self,
        *,
        site: str | None = None,
        profile: str | None = None,
        building: str | None = None,
        zone: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> builtins.list[Device]:
        """Return devices by id, those after `after`, at most `limit`.

        Args:
            site: only those of this site.
            profile: only those of this profile.
            building: only those in this building.
            zone: only those in this zone.
            search: only those with this text in id, name or external name, in any case.
            after: the id at which the page before ended.
            limit: most devices to return.
        """
        query = select(devices).order_by(devices.c.id).limit(limit)
        for column, wanted in (
            (devices.c.site, site),
            (devices.c.profile, profile),
            (devices.c.building, building),
            (devices.c.zone, zone),
        ):
            if wanted is not None:
                query = query.where(column == wanted)
        if search:
            query = query.where(
                or_(
                    *(
                        column.icontains(search, autoescape=True)
                        for column in (devices.c.id, devices.c.name, devices.c.external_id)
                    )
                )
            )
        if after is not None:
            query = query.where(devices.c.id > after)
        with self._database.read() as connection:
            return [_device(row) for row in connection.execute(query).mappings()]

    def all(self) -> builtins.list[Device]:
        """Return every device, by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(devices).order_by(devices.c.id)).mappings()
            return [_device(row) for row in rows]

    def get(self, device: str) -> Device:
        """Return one device.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.read() as connection:
            return _get(connection, device)

    def add(self, device: Device) -> Device:
        """Register a device.

        Raises:
            ConfigurationError: a field cannot be right, or the site does not exist.
            ConflictError: its id, or its name in topics, is taken.
        """
        made = msgspec.structs.replace(check_device(device), created_ns=self._clock.now_ns())
        try:
            with self._database.write() as connection:
                _require_site(connection, made)
                connection.execute(insert(devices).values(_values(made)))
                bump(connection)
        except IntegrityError:
            raise ConflictError(self._collision(made)) from None
        return made

    def add_many(self, wanted: Sequence[Device]) -> ImportResult:
        """Register devices, or bring those with the same id to the same form: all or none.

        Raises:
            ConfigurationError: a field of one cannot be right.
            ConflictError: a name in topics is taken by another device.
        """
        now_ns = self._clock.now_ns()
        checked = [check_device(device) for device in wanted]
        collided: Device | None = None
        try:
            with self._database.write() as connection:
                known = {
                    row["id"]: _device(row)
                    for row in connection.execute(select(devices)).mappings()
                }
                added = unchanged = 0
                changed: list[Device] = []
                for device in checked:
                    collided = device
                    _require_site(connection, device)
                    before = known.get(device.id)
                    made = msgspec.structs.replace(
                        device, created_ns=before.created_ns if before else now_ns
                    )
                    if made == before:
                        unchanged += 1
                        continue
                    added += before is None
                    changed.append(made)
                collided = None
                if changed:
                    _check_names(changed, known)
                    upsert(connection, devices, [_values(one) for one in changed])
                    bump(connection)
        except IntegrityError:
            raise ConflictError(
                self._collision(collided)
                if collided
                else "two devices have the same name in topics"
            ) from None
        return ImportResult(added, unchanged, len(changed) - added)

    def update(self, device: Device) -> Device:
        """Change a device; its id and the time of its registration stay.

        Raises:
            NotFoundError: there is none of that id.
            ConfigurationError: a field cannot be right.
            ConflictError: its name in topics is taken.
        """
        checked = check_device(device)
        try:
            with self._database.write() as connection:
                before = _get(connection, device.id)
                _require_site(connection, checked)
                made = msgspec.structs.replace(checked, created_ns=before.created_ns)
                connection.execute(
                    update(devices).where(devices.c.id == device.id).values(_values(made))
                )
                bump(connection)
        except IntegrityError:
            raise ConflictError(self._collision(checked)) from None
        return made

    def remove(self, device: str) -> None:
        """Remove a device; what it has measured stays.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.write() as connection:
            _get(connection, device)
            connection.execute(delete(devices).where(devices.c.id == device))
            bump(connection)

    def aliases(self) -> dict[tuple[str, str, str], str]:
        """Return (site, profile, external name) -> hardware identifier."""
        columns = device_aliases.c
        with self._database.read() as connection:
            rows = connection.execute(select(device_aliases)).mappings()
            return {
                (row[columns.site], row[columns.profile], row[columns.external_name]): row[
                    columns.hardware_id
                ]
                for row in rows
            }

    def set_aliases(self, site: str, profile: str, aliases: dict[str, str]) -> None:
        """Replace the aliases of one bridge; nothing happens when they are the same."""
        columns = device_aliases.c
        wanted = {
            name[:NAME].replace("\x00", ""): hardware[:NAME].replace("\x00", "")
            for name, hardware in aliases.items()
        }
        ours = (columns.site == site) & (columns.profile == profile)
        with self._database.write() as connection:
            rows = connection.execute(
                select(columns.external_name, columns.hardware_id).where(ours)
            )
            if dict(rows.all()) == wanted:
                return
            connection.execute(delete(device_aliases).where(ours))
            upsert(
                connection,
                device_aliases,
                [
                    {"site": site, "profile": profile, "external_name": name, "hardware_id": value}
                    for name, value in wanted.items()
                ],
            )
            bump(connection)

    def _collision(self, device: Device) -> str:
        with self._database.read() as connection:
            same = connection.execute(
                select(devices.c.id).where(
                    devices.c.site == device.site,
                    devices.c.profile == device.profile,
                    devices.c.external_id == device.external_id,
                )
            ).scalar()
        if same is not None and same != device.id:
            return (
                f"device {device.id!r}: its name in topics, {device.external_id!r} "
                f"({device.profile}, {device.site}), is that of device {same!r}"
            )
        return f"there is a device {device.id!r} already"


def check_device(device: Device) -> Device:
    """Return the device when its fields can be right.

    Raises:
        ConfigurationError: one cannot; the sentence names it.
    """
    checked_slug(device.id, what="device")
    for name in _TEXTS:
        value = getattr(device, name)
        if len(value) > NAME:
            raise ConfigurationError(f"device {device.id}: {name} is longer than {NAME} characters")
        if "\x00" in value:
            raise ConfigurationError(f"device {device.id}: {name} holds a NUL character")
    if not device.profile:
        raise ConfigurationError(f"device {device.id}: profile is missing")
    if not device.external_id:
        raise ConfigurationError(f"device {device.id}: external_id is missing")
    if device.interval_s is not None and not 0 < device.interval_s < float("inf"):
        raise ConfigurationError(
            f"device {device.id}: interval_s must be more than 0 seconds, not {device.interval_s}"
        )
    return device


def _check_names(changed: Sequence[Device], known: dict[str, Device]) -> None:
    after = known | {device.id: device for device in changed}
    seen: dict[tuple[str, str, str], str] = {}
    for device in after.values():
        name = (device.site, device.profile, device.external_id)
        other = seen.setdefault(name, device.id)
        if other != device.id:
            raise ConflictError(
                f"devices {other!r} and {device.id!r} have the same name in topics: "
                f"{device.external_id!r} ({device.profile}, {device.site})"
            )


def _require_site(connection: Connection, device: Device) -> None:
    if connection.execute(select(sites.c.id).where(sites.c.id == device.site)).first() is None:
        known = ", ".join(connection.execute(select(sites.c.id).order_by(sites.c.id)).scalars())
        raise ConfigurationError(
            f"device {device.id}: there is no site {device.site[:80]!r}; "
            f"there are {known or 'none'}"
        )


def _get(connection: Connection, device: str) -> Device:
    row = connection.execute(select(devices).where(devices.c.id == device)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no device {device[:80]!r}; see /v1/devices")
    return _device(row)


def _device(row: Any) -> Device:
    return Device(**row)


def _values(device: Device) -> dict[str, Any]:
    return msgspec.structs.asdict(device)
