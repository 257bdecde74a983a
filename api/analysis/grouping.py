"""Which devices make one series, by what the registry says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from api.parameters import split_list
from api.problems import InvalidParameterError
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from devices.registry import Device, Registry
from storage.ports import Aggregate

Labels = tuple[tuple[str, str], ...]
"""What a group is called: field of the registry and its value, in order."""


class GroupBy(StrEnum):
    """What the devices of one group have in common."""

    SITE = "site"
    PROFILE = "profile"
    BUILDING = "building"
    """A building of a site: names of buildings say nothing across sites."""
    ZONE = "zone"
    """A room or area of a building of a site."""
    QUANTITY = "quantity"
    """Nothing but the quantity, which the values of every group have in common."""


_ALIASES = {"device_type": GroupBy.PROFILE}
_WITHIN = {
    GroupBy.SITE: (GroupBy.SITE,),
    GroupBy.BUILDING: (GroupBy.SITE, GroupBy.BUILDING),
    GroupBy.ZONE: (GroupBy.SITE, GroupBy.BUILDING, GroupBy.ZONE),
    GroupBy.PROFILE: (GroupBy.PROFILE,),
    GroupBy.QUANTITY: (),
}
_OF_COUNTERS = frozenset({Aggregate.COUNT, Aggregate.MIN, Aggregate.MAX})
_OF_DIRECTIONS = frozenset(
    {Aggregate.COUNT, Aggregate.MIN, Aggregate.MAX, Aggregate.FIRST, Aggregate.LAST}
)
_DIRECTION_UNIT = "deg"
_CHUNK = 50


class Group(msgspec.Struct, frozen=True):
    """Some devices whose values of a quantity become one series.

    Attributes:
        labels: what they have in common.
        quantity: canonical name.
        devices: how many of the devices that were asked for belong to it.
    """

    labels: Labels
    quantity: str
    devices: int


def chosen_groups(values: list[str] | None) -> tuple[GroupBy, ...]:
    """Return what the parameter `group_by` names; empty: each device is a series of its own.

    Raises:
        InvalidParameterError: a name is none.
    """
    names = split_list(values)
    if values is not None and not names:
        raise InvalidParameterError("group_by", f"names nothing; use {_known()}")
    chosen = []
    for name in names:
        if name not in _ALIASES and name not in list(GroupBy):
            raise InvalidParameterError(
                "group_by", f"{name[:40]!r} is not what devices are grouped by; use {_known()}"
            )
        chosen.append(_ALIASES.get(name) or GroupBy(name))
    return tuple(dict.fromkeys(chosen))


def labels_of(device: Device, group_by: Iterable[GroupBy]) -> Labels:
    """Return which group a device belongs to; a place that is not known is an empty text."""
    return tuple((name, str(getattr(device, name))) for name in label_names(group_by))


def label_names(group_by: Iterable[GroupBy]) -> tuple[str, ...]:
    """Return what a group is told by: a zone by its building and site, a building by its site."""
    wanted = {part for one in group_by for part in _WITHIN[one]}
    return tuple(part.value for part in GroupBy if part in wanted)


def registered(registry: Registry, keys: Iterable[DeviceKey]) -> dict[DeviceKey, Device]:
    """Return the registry's records of devices that were chosen already."""
    wanted = dict.fromkeys(keys)
    if len(wanted) > _CHUNK:
        found = registry.devices.all()
    else:
        found = [registry.devices.get(key.device) for key in wanted]
    by_key = {DeviceKey(device.site, device.id): device for device in found}
    return {key: by_key[key] for key in wanted if key in by_key}


def check_meaning(aggregates: Iterable[Aggregate], quantities: Iterable[str]) -> None:
    """Refuse aggregates that say nothing over several devices.

    Raises:
        InvalidParameterError: names the aggregate, the quantity, and what to do.
    """
    for name in quantities:
        quantity = CATALOGUE[name]
        for aggregate in aggregates:
            if quantity.cumulative and aggregate not in _OF_COUNTERS:
                raise InvalidParameterError(
                    "aggregate",
                    f"{aggregate.value} of {name} says nothing over several devices: each counts "
                    "from a start of its own; leave group_by out and take first and last of each "
                    "device, use min, max or count, or name quantities without it",
                )
            if quantity.unit == _DIRECTION_UNIT and aggregate not in _OF_DIRECTIONS:
                raise InvalidParameterError(
                    "aggregate",
                    f"{aggregate.value} of {name} says nothing over several devices: between 350 "
                    "and 10 degrees lies 0, not 180; use first, last or count, or name "
                    "quantities without it",
                )


def groups_of(
    having: Iterable[tuple[tuple[str, ...], tuple[DeviceKey, ...]]],
    labels: Mapping[DeviceKey, Labels],
) -> list[Group]:
    """Return the groups, ordered by their labels and then as the catalogue is.

    Args:
        having: quantities with the devices they are read of.
        labels: of every device.
    """
    members: dict[tuple[Labels, str], int] = {}
    for names, keys in having:
        for key in keys:
            for name in names:
                group = (labels[key], name)
                members[group] = members.get(group, 0) + 1
    place = {name: index for index, name in enumerate(CATALOGUE)}
    return [
        Group(label, name, count)
        for (label, name), count in sorted(
            members.items(), key=lambda item: (item[0][0], place[item[0][1]])
        )
    ]


def _known() -> str:
    return ", ".join([*GroupBy, *_ALIASES])
