"""Devices: read, registered, changed, removed."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Sequence

import msgspec
from sqlalchemy import Connection, or_, select

from core.clock import Clock
from core.errors import ConfigurationError, ConflictError
from devices.registry import aliases, device_rows, enrolment
from devices.registry.assignments import device_moved, device_removed
from devices.registry.database import Database, bump, lowered
from devices.registry.device_fields import check_device
from devices.registry.records import Device
from devices.registry.remembered import Remembered
from devices.registry.tables import devices, sites
from devices.registry.text import storable


class ImportResult(msgspec.Struct, frozen=True):
    """What `add_many` did, in devices."""

    added: int
    unchanged: int
    updated: int


class DeviceRepository:
    """The devices of the registry."""

    def __init__(self, database: Database, *, clock: Clock, remembered: Remembered) -> None:
        self._database = database
        self._remembered = remembered
        self._clock = clock

    def list(
        self,
        *,
        site: str | None = None,
        sites: Collection[str] | None = None,
        profile: str | None = None,
        building: str | None = None,
        zone: str | None = None,
        search: str | None = None,
        after: str | None = None,
        limit: int | None = 1000,
    ) -> builtins.list[Device]:
        """Return devices by id, those after `after`, at most `limit`; None: all.

        Args:
            site: only those of this site.
            sites: only those of these sites; None: of all.
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
                query = query.where(column == storable(wanted))
        if sites is not None:
            query = query.where(devices.c.site.in_(sorted(sites)))
        if after is not None:
            query = query.where(devices.c.id > storable(after))
        with self._database.read() as connection:
            if search:
                wanted = storable(search).lower()
                query = query.where(
                    or_(
                        *(
                            lowered(connection, column).contains(wanted, autoescape=True)
                            for column in (devices.c.id, devices.c.name, devices.c.external_id)
                        )
                    )
                )
            return device_rows.read(connection, query)

    def all(self) -> builtins.list[Device]:
        """Return every device, by id."""
        with self._database.read() as connection:
            return device_rows.read_all(connection)

    def recent(self, device: str) -> Device:
        """Return one device as it was a moment ago (`devices.registry.remembered`).

        Raises:
            NotFoundError: there was none of that id.
        """
        return self._remembered.row("device", device, self.get)

    def get(self, device: str) -> Device:
        """Return one device.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.read() as connection:
            return device_rows.read_one(connection, device)

    def add(self, device: Device) -> Device:
        """Register a device.

        Raises:
            ConfigurationError: a field cannot be right, or the site does not exist.
            ConflictError: its id, or its name in topics, is taken.
        """
        made = msgspec.structs.replace(check_device(device), created_ns=self._clock.now_ns())
        with self._database.change() as connection:
            _require_sites(connection, [made])
            taken = connection.execute(select(devices.c.id).where(devices.c.id == made.id)).first()
            if taken is not None:
                raise ConflictError(f"there is a device {made.id!r} already; see /v1/devices")
            _require_free_name(connection, made)
            device_rows.insert(connection, [made])
            bump(connection)
        return made

    def add_many(self, wanted: Sequence[Device]) -> ImportResult:
        """Register devices, or bring those with the same id to the same form: all or none.

        Raises:
            ConfigurationError: a field of one cannot be right, or its site does not exist.
            ConflictError: two are called the same, or one is called as another device is.
        """
        now_ns = self._clock.now_ns()
        for device in wanted:
            check_device(device)
        _require_different_ids(wanted)
        with self._database.change() as connection:
            _require_sites(connection, wanted)
            known = {device.id: device for device in device_rows.read_all(connection)}
            changed: builtins.list[Device] = []
            for device in wanted:
                before = known.get(device.id)
                made = msgspec.structs.replace(
                    device, created_ns=before.created_ns if before else now_ns
                )
                if made != before:
                    changed.append(made)
            if changed:
                _require_different_names({**known, **{one.id: one for one in changed}}.values())
                device_rows.replace(connection, changed)
                for one in changed:
                    if one.id in known and known[one.id].site != one.site:
                        device_moved(connection, one, now_ns=now_ns)
                bump(connection)
        added = sum(one.id not in known for one in changed)
        return ImportResult(added, len(wanted) - len(changed), len(changed) - added)

    def enrol(self, wanted: Sequence[Device]) -> builtins.list[Device]:
        """Register devices that introduced themselves; return each as it is registered.

        What is registered already is never changed: a device whose name in topics is known is
        returned as it is, and one whose id is taken by another device gets another id. A device
        that cannot be registered (its site does not exist, a field is too long) is left out: one
        device's name must not keep the others out.
        """
        with self._database.change() as connection:
            known = device_rows.read_all(connection)
            places = frozenset(connection.execute(select(sites.c.id)).scalars())
            result, new = enrolment.enrolled(
                wanted, known=known, sites=places, now_ns=self._clock.now_ns()
            )
            if new:
                device_rows.insert(connection, new)
                bump(connection)
        return result

    def update(self, device: Device) -> Device:
        """Change a device; its id and the time of its registration stay.

        Raises:
            NotFoundError: there is none of that id.
            ConfigurationError: a field cannot be right, or the site does not exist.
            ConflictError: its name in topics is taken.
        """
        check_device(device)
        with self._database.change() as connection:
            before = device_rows.read_one(connection, device.id)
            made = msgspec.structs.replace(device, created_ns=before.created_ns)
            if made == before:
                return before
            _require_sites(connection, [made])
            _require_free_name(connection, made)
            device_rows.change(connection, made, before=before)
            if made.site != before.site:
                device_moved(connection, made, now_ns=self._clock.now_ns())
            bump(connection)
        return made

    def remove(self, device: str) -> None:
        """Remove a device; what it has measured, its account and its dead letters stay.

        Its labels go with it; if it is with a person, that ends.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.change() as connection:
            found = device_rows.read_one(connection, device)
            device_rows.remove(connection, [found.id])
            device_removed(connection, found, now_ns=self._clock.now_ns())
            bump(connection)

    def aliases(self) -> dict[tuple[str, str, str], str]:
        """Return (site, profile, external name) -> hardware identifier."""
        with self._database.read() as connection:
            return aliases.read(connection)

    def set_aliases(self, site: str, profile: str, wanted: dict[str, str]) -> None:
        """Replace the aliases of one bridge; nothing happens when they are the same.

        They come from a bridge, not from a person: of a site that is not registered none is kept,
        and one that cannot be kept as it is (empty, too long, NUL) is left out, as no device could
        be registered under such a name.
        """
        with self._database.change() as connection:
            if aliases.replace(connection, site=site, profile=profile, wanted=wanted):
                bump(connection)


def _require_sites(connection: Connection, wanted: Iterable[Device]) -> None:
    known = sorted(connection.execute(select(sites.c.id)).scalars())
    for device in wanted:
        if device.site not in known:
            raise ConfigurationError(
                f"device {device.id!r}: there is no site {device.site!r}; "
                f"there are {', '.join(known) or 'none'}"
            )


def _require_free_name(connection: Connection, device: Device) -> None:
    other = connection.execute(
        select(devices.c.id).where(
            devices.c.site == device.site,
            devices.c.profile == device.profile,
            devices.c.external_id == device.external_id,
            devices.c.id != device.id,
        )
    ).scalar()
    if other is not None:
        raise _same_name(device, other)


def _require_different_ids(wanted: Iterable[Device]) -> None:
    seen: set[str] = set()
    for device in wanted:
        if device.id in seen:
            raise ConflictError(f"device {device.id!r} stands twice in one import; remove one")
        seen.add(device.id)


def _require_different_names(wanted: Iterable[Device]) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for device in wanted:
        other = seen.setdefault((device.site, device.profile, device.external_id), device.id)
        if other != device.id:
            raise _same_name(device, other)


def _same_name(device: Device, other: str) -> ConflictError:
    return ConflictError(
        f"device {device.id!r}: its name in topics, {device.external_id!r} (profile "
        f"{device.profile}, site {device.site}), is that of device {other!r}; change one of them"
    )
