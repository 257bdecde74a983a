"""One query for readings: checked against the bounds, then carried out on the store."""

from __future__ import annotations

from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from api.analysis.quality import EVERY_QUALITY, QualityFilter
from api.analysis.streaming import kept_page
from api.cursors import decode_cursor, encode_cursor
from api.problems import InvalidParameterError
from api.times import EARLIEST_NS, LATEST_NS
from api.windows import every_text, fitting_every, window_bound
from core.errors import ConfigurationError, QueryTooLargeError
from core.identity import checked_slug
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from storage.columns import ColumnPage
from storage.ports import PointReader, Position, Selection, Windows, WindowValue
from storage.rolled_reader import RolledReader


class RawCursor(msgspec.Struct, frozen=True):
    """Where a raw page ended; the range stands in it, so that `-24h` does not move on the way."""

    start_ns: int
    end_ns: int
    after: Position


class ReadingQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        devices: which devices.
        quantities: canonical names; empty: every quantity that the devices have.
        start_ns: first instant, inclusive.
        end_ns: last instant, exclusive.
        zone: of the answer's instants.
        max_points: values that one answer may hold.
        among: where `quantities` is empty: only these; None: no such bound.
    """

    devices: tuple[DeviceKey, ...]
    quantities: tuple[str, ...]
    start_ns: int
    end_ns: int
    zone: ZoneInfo
    max_points: int
    among: tuple[str, ...] | None = None

    @property
    def every_quantity(self) -> tuple[str, ...]:
        """The quantities that may stand in the answer."""
        return self.quantities or (tuple(CATALOGUE) if self.among is None else self.among)

    def within(self, start_ns: int, end_ns: int) -> ReadingQuery:
        """Return the same query over another range."""
        return msgspec.structs.replace(self, start_ns=start_ns, end_ns=end_ns)


class ColumnSource(Protocol):
    """What answers columns."""

    def read_columns(
        self, selection: Selection, *, limit: int, after: Position | None = None
    ) -> ColumnPage:
        """See `SettledColumns.page`."""
        ...


def read_raw(
    store: PointReader,
    query: ReadingQuery,
    *,
    limit: int,
    after: Position | None,
    quality: QualityFilter = EVERY_QUALITY,
) -> tuple[tuple[Reading, ...], Position | None]:
    """Return one page of stored values, and where it ended when there may be more.

    A page of values that are chosen by quality may be shorter than `limit` and yet not the last.

    Raises:
        QueryTooLargeError: `limit` is above the bound.
    """
    selection = _page_of(query, limit=limit)
    if selection is None:
        return (), None
    if quality.active:
        return kept_page(
            store, selection, quality, limit=limit, after=after, most_read=query.max_points
        )
    page = store.read(selection, limit=limit, after=after)
    return tuple(reading for reading in page.readings if reading.quantity in CATALOGUE), page.after


def read_columns(
    store: ColumnSource, query: ReadingQuery, *, limit: int, after: Position | None
) -> ColumnPage:
    """Return what `read_raw` does without a choice by quality, a series at a time.

    Raises:
        QueryTooLargeError: `limit` is above the bound.
    """
    selection = _page_of(query, limit=limit)
    if selection is None:
        return ColumnPage(())
    return store.read_columns(selection, limit=limit, after=after)


def _page_of(query: ReadingQuery, *, limit: int) -> Selection | None:
    """Return what a page is read of; None: there is no device to read."""
    if limit > query.max_points:
        raise QueryTooLargeError(
            f"a page of {limit} values is more than {query.max_points}",
            hint=_hint(query, series=len(query.devices) * max(1, len(query.quantities))),
        )
    if not query.devices:
        return None
    return Selection(
        devices=query.devices,
        quantities=query.every_quantity,
        start_ns=query.start_ns,
        end_ns=query.end_ns,
    )


class WindowsRead(msgspec.Struct, frozen=True):
    """Windows that were read.

    Attributes:
        values: ordered by series, then by time.
        rolled_ns: from when until when hourly roll-ups were used, or None: only raw values.
    """

    values: list[WindowValue]
    rolled_ns: tuple[int, int] | None


def read_windows(
    store: PointReader, rolled: RolledReader, query: ReadingQuery, windows: Windows
) -> WindowsRead:
    """Return every window of every series, from roll-ups where those are as true and quicker.

    Raises:
        QueryTooLargeError: there are more windows than the bound; the hint names a length that
            would fit.
    """
    groups = _groups(store, query)
    series = sum(len(names) * len(devices) for names, devices in groups)
    each = window_bound(windows.every, start_ns=query.start_ns, end_ns=query.end_ns)
    if each * series > query.max_points:
        raise QueryTooLargeError(
            f"{series} series of up to {each} windows of {every_text(windows.every)} are more "
            f"than {query.max_points} values",
            hint=_hint(query, series=series),
        )
    values: list[WindowValue] = []
    ranges: list[tuple[int, int]] = []
    for names, devices in groups:
        selection = Selection(
            devices=devices, quantities=names, start_ns=query.start_ns, end_ns=query.end_ns
        )
        plan = rolled.plan(selection, windows)
        values.extend(rolled.carry_out(plan))
        if plan.rolled_ns is not None:
            ranges.append(plan.rolled_ns)
    if not ranges:
        return WindowsRead(values, None)
    return WindowsRead(values, (min(start for start, _ in ranges), max(end for _, end in ranges)))


def raw_cursor(
    query: ReadingQuery, after: Position | None, *, asked: tuple[object, ...]
) -> str | None:
    """Return the cursor for the page after `after`, or None."""
    if after is None:
        return None
    position = RawCursor(start_ns=query.start_ns, end_ns=query.end_ns, after=after)
    return encode_cursor(position, query=asked)


def checked_raw_cursor(text: str, *, asked: tuple[object, ...]) -> RawCursor:
    """Return the position in a cursor that a caller sent.

    Raises:
        InvalidParameterError: it is not a cursor of this query, or says something impossible.
    """
    cursor = decode_cursor(text, RawCursor, query=asked)
    try:
        checked_slug(cursor.after.site, what="site")
        checked_slug(cursor.after.device, what="device")
    except ConfigurationError as error:
        raise InvalidParameterError("cursor", error.detail) from None
    ordered = EARLIEST_NS <= cursor.start_ns <= cursor.after.time_ns < cursor.end_ns <= LATEST_NS
    if not ordered or cursor.after.quantity not in CATALOGUE:
        raise InvalidParameterError("cursor", "says something impossible; start without a cursor")
    return cursor


def quantities_of(
    store: PointReader, query: ReadingQuery
) -> list[tuple[tuple[str, ...], tuple[DeviceKey, ...]]]:
    """Return which quantities are read of which devices: those asked for, or all that each has."""
    return _groups(store, query)


def _groups(
    store: PointReader, query: ReadingQuery
) -> list[tuple[tuple[str, ...], tuple[DeviceKey, ...]]]:
    """Return devices with the quantities to read of them, those with the same ones together."""
    if not query.devices:
        return []
    if query.quantities:
        return [(query.quantities, query.devices)]
    having: dict[DeviceKey, set[str]] = {}
    for reading in store.latest(query.devices):
        having.setdefault(DeviceKey(reading.site, reading.device), set()).add(reading.quantity)
    groups: dict[tuple[str, ...], list[DeviceKey]] = {}
    for device in query.devices:
        names = tuple(name for name in query.every_quantity if name in having.get(device, ()))
        if names:
            groups.setdefault(names, []).append(device)
    return [(names, tuple(devices)) for names, devices in groups.items()]


def _hint(query: ReadingQuery, *, series: int) -> str:
    text = fitting_every(
        start_ns=query.start_ns, end_ns=query.end_ns, series=series, max_points=query.max_points
    )
    if text is None:
        return "ask for fewer devices or quantities, or for a shorter range"
    return f"every={text} would fit"
