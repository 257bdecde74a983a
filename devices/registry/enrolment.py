"""Devices that introduce themselves: which are new, and what they are called."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import msgspec

from core.identity import slug_from
from devices.registry.device_fields import field_mistakes
from devices.registry.records import Device
from devices.registry.tables import SLUG


def enrolled(
    wanted: Sequence[Device], *, known: Sequence[Device], sites: Collection[str], now_ns: int
) -> tuple[list[Device], list[Device]]:
    """Return the wanted devices as they are registered, and those of them that are new.

    Args:
        wanted: in the order in which they came.
        known: every device of the registry.
        sites: every site of the registry.
        now_ns: when they are registered, nanoseconds since the epoch.
    """
    by_name = {(one.site, one.profile, one.external_id): one for one in known}
    ids = {one.id for one in known}
    result: list[Device] = []
    new: list[Device] = []
    for device in wanted:
        name = (device.site, device.profile, device.external_id)
        found = by_name.get(name)
        if found is None:
            if device.site not in sites or any(True for _ in field_mistakes(device)):
                continue
            found = msgspec.structs.replace(
                device, id=_free_id(device.id, ids), enrolled=True, created_ns=now_ns
            )
            by_name[name] = found
            ids.add(found.id)
            new.append(found)
        result.append(found)
    return result, new


def _free_id(proposed: str, taken: Collection[str]) -> str:
    if proposed not in taken:
        return proposed
    endings = (f"-{number}" for number in itertools.count(2))
    candidates = (f"{slug_from(proposed[: SLUG - len(end)])}{end}" for end in endings)
    return next(one for one in candidates if one not in taken)
