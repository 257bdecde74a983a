"""A directory of devices without a registry."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from devices.decoder import Decoder, Limits, shipped_bindings, shipped_profiles
from devices.registry.records import Device
from ingest.directory import Directory, Snapshot

LIMITS = Limits(max_payload_bytes=256 * 1024, max_depth=32, max_readings=10_000)
SITES = {"elgazala": ZoneInfo("Africa/Tunis"), "diamniadio": ZoneInfo("Africa/Dakar")}


def directory_of(*devices: Device) -> Directory:
    """Return a directory with the shipped profiles, both sites, and these devices."""
    decoder = Decoder(
        profiles=shipped_profiles(), bindings=shipped_bindings(), sites=SITES, limits=LIMITS
    )
    return Directory(
        Snapshot(
            revision=1,
            decoder=decoder,
            devices={(one.profile, one.site, one.external_id): one for one in devices},
            aliases={},
            sites=frozenset(SITES),
        )
    )
