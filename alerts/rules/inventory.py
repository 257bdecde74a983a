"""What rules have to know of devices, and which devices fit a rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from alerts.model import Subject
from alerts.rules.model import Per, Rule, Select
from core.quantities import CATALOGUE
from devices.registry import Registry


class Placed(msgspec.Struct, frozen=True):
    """A device, and where it is.

    Attributes:
        site: site slug.
        device: device slug.
        building: building, or "".
        zone: room or area in it, or "".
        profile: profile name: its type.
        interval_s: how often it is expected to publish, seconds, or None.
        person: pseudonym of who wears it, or "".
        labels: label name -> value.
    """

    site: str
    device: str
    building: str = ""
    zone: str = ""
    profile: str = ""
    interval_s: float | None = None
    person: str = ""
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)


class Inventory(msgspec.Struct, frozen=True):
    """The devices that rules may look at.

    Attributes:
        devices: all of them.
        zones: site slug -> zone of its clocks.
    """

    devices: tuple[Placed, ...]
    zones: Mapping[str, ZoneInfo]


def inventory_of(registry: Registry, *, at_ns: int) -> Inventory:
    """Return the devices of the registry, each with the person who has it at an instant.

    Args:
        registry: where they are registered.
        at_ns: whose assignment counts, device time, nanoseconds since the epoch.

    Raises:
        RegistryUnavailableError: it does not answer.
    """
    persons = {one.device: one.person for one in registry.assignments.list(at_ns=at_ns)}
    return Inventory(
        devices=tuple(
            Placed(
                site=one.site,
                device=one.id,
                building=one.building,
                zone=one.zone,
                profile=one.profile,
                interval_s=one.interval_s,
                person=persons.get(one.id, ""),
                labels=one.labels,
            )
            for one in registry.devices.all()
        ),
        zones={site.id: ZoneInfo(site.zone) for site in registry.sites.list()},
    )


def fits(select: Select, device: Placed) -> bool:
    """Return whether a rule looks at a device."""
    return (
        matches(select.site, device.site)
        and matches(select.building, device.building)
        and matches(select.zone, device.zone)
        and matches(select.device, device.device)
        and matches(select.profile, device.profile)
        and all(
            matches(patterns, device.labels.get(name, ""))
            for name, patterns in select.labels.items()
        )
    )


def subject_of(rule: Rule, device: Placed, quantity: str = "") -> Subject | None:
    """Return what an alert of a rule about a device is about; None: it belongs to nothing such.

    Args:
        rule: the rule.
        device: one that it looks at.
        quantity: of the series; without it there is no subject of a rule per series.
    """
    if rule.per is Per.DEVICE:
        return Subject(device.site, device=device.device)
    if rule.per is Per.SERIES:
        known = quantity in CATALOGUE and matches(rule.select.quantity, quantity)
        return Subject(device.site, device=device.device, quantity=quantity) if known else None
    if rule.per is Per.SITE:
        return Subject(device.site)
    if rule.per is Per.PERSON:
        return Subject(device.site, person=device.person) if device.person else None
    return _place_of(rule.per, device)


def _place_of(per: Per, device: Placed) -> Subject | None:
    if not device.building and not device.zone:
        return None
    if per is Per.BUILDING:
        return Subject(device.site, building=device.building)
    return Subject(device.site, building=device.building, zone=device.zone) if device.zone else None


def is_name(pattern: str) -> bool:
    """Return whether a pattern is one name."""
    return "*" not in pattern


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Return whether a name fits one of some patterns, or there are none; `*` is anything."""
    if not patterns or name in patterns:
        return True
    return any("*" in one and _pattern(one).fullmatch(name) is not None for one in patterns)


@lru_cache(maxsize=10_000)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
