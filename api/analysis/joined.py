"""As-of joins: to each value of one quantity the nearest ones in time of others.

A page of left values is read, then the right values around it, at most as many as one answer may
hold: where they are denser, the page becomes shorter. Memory follows neither range nor density.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec
import numpy as np

from api.analysis.nearest import Direction, nearest_index
from api.analysis.quality import QualityFilter
from api.analysis.streaming import kept_readings
from api.reading_query import ReadingQuery, read_raw
from api.times import EARLIEST_NS, LATEST_NS
from core.clock import NS_PER_S
from core.errors import QueryTooLargeError
from core.reading import DeviceKey, Reading
from devices.registry import Device
from storage.ports import PointReader, Position, Selection
from storage.selecting import position_of

Place = tuple[str, ...]


class Across(StrEnum):
    """Whose values are joined to those of a device."""

    DEVICE = "device"
    """Its own."""
    ZONE = "zone"
    """Those of every chosen device in its zone; its own when its zone is not known."""
    BUILDING = "building"
    """Those of every chosen device in its building; its own when that is not known."""
    SITE = "site"
    """Those of every chosen device of its site."""


class JoinQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is joined.

    Attributes:
        right: quantities, each once, none of them the left one.
        across: whose values.
        direction: before the left value, after it, or the nearer.
        tolerance_ns: how far away, at most, nanoseconds.
        quality: which values count, on both sides.
    """

    right: tuple[str, ...]
    across: Across
    direction: Direction
    tolerance_ns: int
    quality: QualityFilter


class Joined(msgspec.Struct, frozen=True):
    """One left value with what was joined to it.

    Attributes:
        left: the value.
        right: for each right quantity, in order, the value joined to it, or None.
    """

    left: Reading
    right: tuple[Reading | None, ...]


def read_joined(
    store: PointReader,
    query: ReadingQuery,
    asked: JoinQuery,
    records: dict[DeviceKey, Device],
    *,
    limit: int,
    after: Position | None,
) -> tuple[list[Joined], Position | None]:
    """Return one page of left values with theirs, and where it ended when there may be more.

    Args:
        store: where the values are.
        query: the devices of both sides, the left quantity, and the range of left values. Right
            values are taken from beyond the range, too, as far as the tolerance.
        asked: what is joined.
        records: the registry's records of the devices.
        limit: left values of the page, at most.
        after: where the page before ended.

    Raises:
        QueryTooLargeError: more right values lie around a single left one than an answer holds.
    """
    page, ended = read_raw(store, query, limit=limit, after=after, quality=asked.quality)
    if not page:
        return [], ended
    places = {key: _place(key, records.get(key), asked.across) for key in query.devices}
    lefts, selection = _fitting(store, query, asked, places, page)
    if len(lefts) < len(page):
        ended = position_of(lefts[-1])
    rights = _rights(kept_readings(store, selection, asked.quality), places)
    columns = [_column(lefts, rights, places, name, asked) for name in asked.right]
    return [
        Joined(left, right) for left, right in zip(lefts, zip(*columns, strict=True), strict=True)
    ], ended


def _fitting(
    store: PointReader,
    query: ReadingQuery,
    asked: JoinQuery,
    places: dict[DeviceKey, Place],
    page: tuple[Reading, ...],
) -> tuple[tuple[Reading, ...], Selection]:
    """Return as much of a page as has few enough right values around it, and where those are."""
    while True:
        selection = _around(asked, places, page)
        count = store.count(selection)
        if count <= query.max_points:
            return page, selection
        if len(page) == 1:
            raise QueryTooLargeError(
                f"{count} values lie within the tolerance of a single one, more than "
                f"{query.max_points}",
                hint=f"tolerance={_fitting_tolerance(query, asked, count)} would fit if values are "
                "spread evenly; or ask for fewer devices or right quantities",
            )
        # most of the surplus at once; at least half of the page goes
        page = page[: max(1, min(len(page) // 2, len(page) * query.max_points // count))]


def _fitting_tolerance(query: ReadingQuery, asked: JoinQuery, count: int) -> str:
    return f"{max(1, asked.tolerance_ns * (query.max_points - 1) // count // NS_PER_S)}s"


def _around(
    asked: JoinQuery, places: dict[DeviceKey, Place], page: tuple[Reading, ...]
) -> Selection:
    wanted = {places[DeviceKey(left.site, left.device)] for left in page}
    back = 0 if asked.direction is Direction.FORWARD else asked.tolerance_ns
    ahead = 0 if asked.direction is Direction.BACKWARD else asked.tolerance_ns
    return Selection(
        devices=tuple(key for key, place in places.items() if place in wanted),
        quantities=asked.right,
        start_ns=max(EARLIEST_NS, page[0].time_ns - back),
        end_ns=min(LATEST_NS, page[-1].time_ns + ahead) + 1,
    )


def _rights(
    pages: Iterable[list[Reading]], places: dict[DeviceKey, Place]
) -> dict[tuple[Place, str], list[Reading]]:
    found: dict[tuple[Place, str], list[Reading]] = {}
    for readings in pages:
        for reading in readings:
            place = places[DeviceKey(reading.site, reading.device)]
            found.setdefault((place, reading.quantity), []).append(reading)
    return found


def _column(
    lefts: tuple[Reading, ...],
    rights: dict[tuple[Place, str], list[Reading]],
    places: dict[DeviceKey, Place],
    name: str,
    asked: JoinQuery,
) -> list[Reading | None]:
    """Return what is joined of one right quantity, in the order of the left values."""
    column: list[Reading | None] = [None] * len(lefts)
    rows: dict[Place, list[int]] = {}
    for row, left in enumerate(lefts):
        rows.setdefault(places[DeviceKey(left.site, left.device)], []).append(row)
    for place, own in rows.items():
        there = rights.get((place, name), [])
        found = nearest_index(
            np.array([lefts[row].time_ns for row in own], dtype=np.int64),
            np.array([right.time_ns for right in there], dtype=np.int64),
            direction=asked.direction,
            tolerance_ns=asked.tolerance_ns,
        )
        for row, index in zip(own, found.tolist(), strict=True):
            if index >= 0:
                column[row] = there[index]
    return column


def _place(key: DeviceKey, device: Device | None, across: Across) -> Place:
    """Return what devices whose values are joined have in common; an unknown place is none."""
    if across is Across.SITE:
        return (key.site,)
    if across is Across.BUILDING and device is not None and device.building:
        return (key.site, "building", device.building)
    if across is Across.ZONE and device is not None and device.zone:
        return (key.site, "zone", device.building, device.zone)
    return (key.site, "device", key.device)
