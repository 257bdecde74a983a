"""What a worker knows of the registry: devices, profiles, bindings, as one immutable snapshot.

The accept stage reads the snapshot and never waits for the registry; the reporter refreshes it. A
registry that is away changes nothing but that news of devices waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from core.identity import slug_from
from core.message import Decoded
from devices.decoder import Decoder, Limits
from devices.registry import Registry
from devices.registry.records import Device

DeviceName = tuple[str, str, str]
"""How a device is named in topics: profile, site, external name."""


class Snapshot(msgspec.Struct, frozen=True):
    """The registry at one revision.

    Attributes:
        revision: `Registry.revision`.
        decoder: every profile, bound to its topics.
        devices: device by its name in topics.
        aliases: external name -> hardware identifier, as the devices' own bridge tells it.
        sites: the sites that devices may enrol at.
    """

    revision: int
    decoder: Decoder
    devices: Mapping[DeviceName, Device]
    aliases: Mapping[DeviceName, str]
    sites: frozenset[str]

    def resolve(self, decoded: Decoded) -> Device | None:
        """Return the device that a message is from, or None when it is not registered."""
        name = (decoded.profile, decoded.site, decoded.external_id)
        return self.resolve_name(name)

    def resolve_name(self, name: DeviceName) -> Device | None:
        """Return the device called so in topics; a renamed one is found by its hardware."""
        found = self.devices.get(name)
        if found is None and (hardware := self.aliases.get(name)):
            found = self.devices.get((name[0], name[1], hardware))
        return found


def take_snapshot(registry: Registry, *, limits: Limits) -> Snapshot:
    """Read the registry.

    Raises:
        ProfileError: a profile in the registry cannot be used.
        RegistryUnavailableError: the registry does not answer.
    """
    revision = registry.revision()
    sites = {site.id: ZoneInfo(site.zone) for site in registry.sites.list()}
    decoder = Decoder(
        profiles=registry.profiles.current(),
        bindings=registry.profiles.bindings(),
        sites=sites,
        limits=limits,
    )
    devices: dict[DeviceName, Device] = {}
    known = registry.devices.all()
    for device in known:
        if device.hardware_id:
            devices[(device.profile, device.site, device.hardware_id)] = device
    for device in known:
        devices[(device.profile, device.site, device.external_id)] = device
    aliases = {
        (profile, site, name): hardware
        for (site, profile, name), hardware in registry.devices.aliases().items()
    }
    return Snapshot(revision, decoder, devices, aliases, frozenset(sites))


class Directory:
    """The snapshot in use, and the devices that enrolled themselves since it was taken.

    Args:
        snapshot: the first one.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._enrolled: dict[DeviceName, Device] = {}
        self._ids = {device.id for device in snapshot.devices.values()}

    @property
    def snapshot(self) -> Snapshot:
        """The registry as last read."""
        return self._snapshot

    def replace(self, snapshot: Snapshot) -> None:
        """Use a newer snapshot; enrolments that it holds are no longer waiting."""
        self._snapshot = snapshot
        self._ids = {device.id for device in snapshot.devices.values()}
        self._enrolled = {
            name: device for name, device in self._enrolled.items() if name not in snapshot.devices
        }
        self._ids.update(device.id for device in self._enrolled.values())

    def resolve(self, decoded: Decoded, *, enrol: bool) -> Device | None:
        """Return the device that a message is from.

        Args:
            decoded: the message.
            enrol: register an unknown device under its own name.
        """
        found = self._snapshot.resolve(decoded)
        if found is not None:
            return found
        name = (decoded.profile, decoded.site, decoded.external_id)
        found = self._enrolled.get(name)
        if found is None and enrol and decoded.site in self._snapshot.sites:
            found = self._enrol(decoded)
            self._enrolled[name] = found
        return found

    def known(self, name: DeviceName) -> Device | None:
        """Return the device called so in topics, when it is registered or has enrolled itself."""
        return self._snapshot.resolve_name(name) or self._enrolled.get(name)

    def enrolments(self) -> list[Device]:
        """Return the devices that enrolled themselves and are not in the registry yet."""
        return list(self._enrolled.values())

    def _enrol(self, decoded: Decoded) -> Device:
        slug = slug_from(decoded.external_id)
        candidates = (slug, f"{decoded.site}-{slug}", f"{decoded.site}-{decoded.profile}-{slug}")
        chosen = next((c[:64] for c in candidates if c[:64] not in self._ids), None)
        number = 2
        while chosen is None:
            candidate = f"{slug[:56]}-{number}"
            chosen = candidate if candidate not in self._ids else None
            number += 1
        self._ids.add(chosen)
        return Device(
            id=chosen,
            site=decoded.site,
            profile=decoded.profile,
            external_id=decoded.external_id,
            name=decoded.external_id[:200],
            enrolled=True,
        )
