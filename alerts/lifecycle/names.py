"""What sites and devices are called by people, and the zones of their clocks."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from devices.registry import Registry

UTC = "UTC"


class Names(msgspec.Struct, frozen=True):
    """Names for people.

    Attributes:
        sites: site slug -> name.
        devices: (site slug, device slug) -> name.
        zones: site slug -> IANA zone.
    """

    sites: Mapping[str, str] = msgspec.field(default_factory=dict)
    devices: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    zones: Mapping[str, str] = msgspec.field(default_factory=dict)

    def site(self, site: str) -> str:
        """Return what a site is called."""
        return self.sites.get(site) or site

    def device(self, site: str, device: str) -> str:
        """Return what a device is called."""
        return self.devices.get((site, device)) or device

    def zone(self, site: str) -> str:
        """Return the zone of a site's clocks; UTC for what is of no site."""
        return self.zones.get(site, UTC)


def names_of(registry: Registry) -> Names:
    """Return the names that the registry holds.

    Raises:
        RegistryUnavailableError: it does not answer.
    """
    sites = registry.sites.list()
    return Names(
        sites={one.id: one.name for one in sites},
        devices={(one.site, one.id): one.name for one in registry.devices.all()},
        zones={one.id: one.zone for one in sites},
    )
