"""History on which a rule is tried: a recorded series (CSV), or what the platform has stored."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from alerts.backtest import LEDGER, quantities
from alerts.conditions.node import MISSING, RECEIVED
from alerts.rules.inventory import Inventory, Placed, fits, is_name
from alerts.rules.model import Per, Rule
from api.problems import InvalidParameterError
from api.times import parse_instant
from cli.exports.client import Api, ApiError
from core.clock import NS_PER_HOUR, SystemClock, iso
from core.errors import ConfigurationError
from core.quantities import CATALOGUE
from core.reading import Reading
from core.units import conversion
from simulators.bad_row import BadRow
from simulators.series import SeriesMapping, read_series

_UTC = ZoneInfo("UTC")
_PAGE = 10_000


class Source(msgspec.Struct, frozen=True):
    """The history of one site.

    Attributes:
        inventory: its devices.
        readings: values in the order of time; may be read once.
        start_ns: of the range, nanoseconds since the epoch.
        end_ns: of the range.
        zone: in which times are shown.
    """

    inventory: Inventory
    readings: Iterable[Reading]
    start_ns: int
    end_ns: int
    zone: ZoneInfo


def of_series(path: Path, mapping: SeriesMapping) -> Source:
    """Return a recorded series, whole, in the order of time; each device stands for a person.

    Raises:
        ConfigurationError: a line cannot be used, or there is none.
    """
    ways = {
        column.quantity: conversion(column.quantity, column.unit or CATALOGUE[column.quantity].unit)
        for column in mapping.columns.values()
    }
    readings = []
    for row in read_series(path, mapping):
        if isinstance(row, BadRow):
            raise ConfigurationError(f"{path}:{row.line}: {row.why}")
        for name, value in row.values.items():
            number = float(value) * ways[name].scale + ways[name].offset
            readings.append(Reading(mapping.site, row.device, name, row.time_ns, number))
    if not readings:
        raise ConfigurationError(f"{path}: there is no value in it")
    readings.sort(key=attrgetter("time_ns"))
    names = dict.fromkeys(one.device for one in readings)
    devices = [Placed(mapping.site, name, person=name) for name in names]
    zone = ZoneInfo(mapping.zone or "UTC")
    return Source(
        inventory=Inventory(tuple(devices), {mapping.site: zone}),
        readings=readings,
        start_ns=readings[0].time_ns,
        end_ns=readings[-1].time_ns,
        zone=zone,
    )


def of_platform(api: Api, rule: Rule, *, start: str, end: str | None) -> Iterator[Source]:
    """Yield the history of each site that a rule looks at, as a running API tells it.

    Raises:
        ApiError: the API refuses, or an answer was cut off.
        ConfigurationError: an instant is none.
    """
    now_ns = SystemClock().now_ns()
    start_ns = _instant("--from", start, now_ns)
    end_ns = now_ns if end is None else _instant("--to", end, now_ns)
    if end_ns <= start_ns:
        raise ConfigurationError("--to must be after --from: the range is empty or reversed")
    wanted = quantities(rule)
    for site in api.ask("GET", "/v1/sites")["sites"]:
        named = rule.select.site if all(map(is_name, rule.select.site)) else ()
        if named and site["id"] not in named:
            continue
        zone = ZoneInfo(site["zone"])
        persons = _persons(api, site["id"], end_ns) if rule.per is Per.PERSON else {}
        devices = tuple(one for one in _devices(api, site["id"], persons) if fits(rule.select, one))
        if devices:
            yield Source(
                inventory=Inventory(devices, {site["id"]: zone}),
                readings=_stored(api, devices, wanted, start_ns=start_ns, end_ns=end_ns),
                start_ns=start_ns,
                end_ns=end_ns,
                zone=zone,
            )


def _instant(option: str, text: str, now_ns: int) -> int:
    try:
        return parse_instant(text, parameter=option, now_ns=now_ns, zone=_UTC)
    except InvalidParameterError as error:
        raise ConfigurationError(f"option {option}: {error.detail}") from None


def _devices(api: Api, site: str, persons: Mapping[str, str]) -> Iterator[Placed]:
    path = f"/v1/devices?site={site}&limit=1000"
    while path:
        page = api.ask("GET", path)
        for one in page["devices"]:
            yield Placed(
                site=site,
                device=one["id"],
                building=one["building"],
                zone=one["zone"],
                profile=one["profile"],
                interval_s=one["interval_s"],
                person=persons.get(one["id"], ""),
                labels=one["labels"],
            )
        path = page["next"] or ""


def _persons(api: Api, site: str, end_ns: int) -> dict[str, str]:
    """Return who has which device at the end of the range; it needs the right to vital signs."""
    found: dict[str, str] = {}
    path = f"/v1/assignments?site={site}&at={iso(end_ns - 1)}&limit=1000"
    while path:
        page = api.ask("GET", path)
        found |= {one["device"]: one["person"] for one in page["assignments"]}
        path = page["next"] or ""
    return found


def _stored(
    api: Api,
    devices: tuple[Placed, ...],
    wanted: frozenset[str] | None,
    *,
    start_ns: int,
    end_ns: int,
) -> Iterator[Reading]:
    site = devices[0].site
    known = {one.device for one in devices}
    asked: dict[str, Any] = {"site": site, "from": iso(start_ns), "to": iso(end_ns)}
    streams: list[Iterator[Reading]] = []
    names = None if wanted is None else sorted(wanted - set(LEDGER))
    if names is None or names:
        params = asked | {"format": "arrow"} | ({"quantities": ",".join(names)} if names else {})
        streams.append(_values(api, params, known))
    if wanted is not None and wanted & set(LEDGER):
        streams.append(_ledger(api, asked, known))
    yield from heapq.merge(*streams, key=attrgetter("time_ns"))


def _values(api: Api, params: Mapping[str, Any], known: set[str]) -> Iterator[Reading]:
    """Yield the rows of an export as they arrive.

    Raises:
        ApiError: it was cut off.
    """
    whole = False
    with api.stream("/v1/exports", params=params) as file, pa.ipc.open_stream(file) as reader:
        while True:
            try:
                batch, metadata = reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            whole = whole or (metadata is not None and b"passerelle.end" in metadata)
            columns = [batch.column(name) for name in _COLUMNS]
            times = columns[0].cast(pa.int64()).to_pylist()
            rest = [column.to_pylist() for column in columns[1:]]
            for time_ns, site, device, quantity, value, quality in zip(times, *rest, strict=True):
                if device in known:
                    yield Reading(site, device, quantity, time_ns, value, quality)
    if not whole:
        raise ApiError("the values were cut off on the way; try again")


_COLUMNS = ("time", "site", "device", "quantity", "value", "quality")


def _ledger(api: Api, asked: Mapping[str, Any], known: set[str]) -> Iterator[Reading]:
    """Yield what the ledger says of whole hours, each at its end."""
    found = []
    path, params = "/v1/completeness", {**asked, "limit": _PAGE}
    while path:
        page = api.ask("GET", path, params=params)
        for row in page["rows"]:
            if row["device"] in known:
                hour_ns = parse_instant(row["hour"], parameter="hour", now_ns=0, zone=_UTC)
                for name, count in ((RECEIVED, row["received"]), (MISSING, row["missing"])):
                    one = (asked["site"], row["device"], name, hour_ns + NS_PER_HOUR, float(count))
                    found.append(Reading(*one))
        path, params = page["next"] or "", {}
    return iter(sorted(found, key=attrgetter("time_ns")))
