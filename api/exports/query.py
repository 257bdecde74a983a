"""What an export is of: fixed once, so that it can be carried out later and again."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.access.visibility import Access
from api.parameters import instant_range, split_list
from api.problems import InvalidParameterError
from api.selection import chosen_devices, chosen_quantities, common_zone, permitted_quantities
from api.times import in_zone, parse_zone
from api.windows import every_text, parse_every
from core.errors import QueryTooLargeError
from core.reading import DeviceKey
from devices.registry import Registry
from storage.ports import Aggregate, Every, Windows
from storage.windows import cut


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters as a caller gave them; names as in `/v1/readings`."""

    devices: list[str] | None = None
    site: str | None = None
    quantities: list[str] | None = None
    start: str | None = None
    end: str | None = None
    zone: str | None = None
    every: str | None = None
    aggregate: Aggregate | None = None
    percentile: float | None = None


class ExportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query with nothing left to decide: the same text means the same rows for ever.

    Attributes:
        devices: in the order of site and device, each once.
        quantities: canonical names in their order; empty: every quantity that a device has.
        start_ns: first instant, inclusive.
        end_ns: last instant, exclusive.
        zone: IANA zone of instants that are shown, in which windows begin.
        site: as it was asked, or None.
        every: length of a window, or None for raw values.
        aggregate: of each window; None exactly when `every` is.
        percentile: for the aggregate `percentile`.
    """

    devices: tuple[DeviceKey, ...]
    quantities: tuple[str, ...]
    start_ns: int
    end_ns: int
    zone: str
    site: str | None = None
    every: Every | None = None
    aggregate: Aggregate | None = None
    percentile: float | None = None

    @property
    def windows(self) -> Windows | None:
        """How the range is cut, or None for raw values."""
        if self.every is None or self.aggregate is None:
            return None
        return Windows(
            every=self.every,
            zone=ZoneInfo(self.zone),
            aggregate=self.aggregate,
            percentile=self.percentile,
        )

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites of the devices, each once, in order."""
        return tuple(sorted({device.site for device in self.devices}))

    def shown(self) -> dict[str, Any]:
        """Return the query as metadata show it: instants in the zone, resolved."""
        zone = ZoneInfo(self.zone)
        return {
            "devices": [device.device for device in self.devices],
            "site": self.site,
            "quantities": list(self.quantities),
            "from": in_zone(self.start_ns, zone),
            "to": in_zone(self.end_ns, zone),
            "from_ns": self.start_ns,
            "to_ns": self.end_ns,
            "zone": self.zone,
            "every": None if self.every is None else every_text(self.every),
            "aggregate": None if self.aggregate is None else self.aggregate.value,
            "percentile": self.percentile,
        }


def resolved(access: Access, registry: Registry, asked: Asked, *, now_ns: int) -> ExportQuery:
    """Return what a caller asked for, checked against the registry and their rights.

    Raises:
        ForbiddenError: the caller may not read it.
        InvalidParameterError: a parameter cannot be used; the sentence says which and why.
        QueryTooLargeError: too many devices, or more windows than a store cuts a range into.
    """
    keys = chosen_devices(access, registry, devices=asked.devices, site=asked.site)
    names = permitted_quantities(access, keys, chosen_quantities(asked.quantities))
    zone = common_zone(registry, keys) if asked.zone is None else parse_zone(asked.zone)
    start_ns, end_ns = instant_range(
        "-24h" if asked.start is None else asked.start,
        "now" if asked.end is None else asked.end,
        now_ns=now_ns,
        zone=zone,
        names=("from", "to"),
    )
    every = None if asked.every is None else parse_every(asked.every)
    aggregate = _aggregate(asked, every)
    if every is not None:
        _bounded(every, zone, start_ns, end_ns)
    return ExportQuery(
        devices=tuple(sorted(set(keys))),
        quantities=tuple(sorted(split_list(names))),
        start_ns=start_ns,
        end_ns=end_ns,
        zone=zone.key,
        site=asked.site,
        every=every,
        aggregate=aggregate,
        percentile=asked.percentile,
    )


def _aggregate(asked: Asked, every: Every | None) -> Aggregate | None:
    if every is None:
        for name, value in (("aggregate", asked.aggregate), ("percentile", asked.percentile)):
            if value is not None:
                raise InvalidParameterError(name, "needs windows: give every, such as every=1h")
        return None
    if (asked.aggregate is Aggregate.PERCENTILE) == (asked.percentile is None):
        raise InvalidParameterError(
            "percentile", "belongs to aggregate=percentile, and that one needs it"
        )
    return asked.aggregate or Aggregate.MEAN


def _bounded(every: Every, zone: ZoneInfo, start_ns: int, end_ns: int) -> None:
    """Refuse a range of too many windows before anything is sent."""
    try:
        cut(every, zone=zone, start_ns=start_ns, end_ns=end_ns)
    except QueryTooLargeError as error:
        raise QueryTooLargeError(error.detail, hint=error.hint) from None
