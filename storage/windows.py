"""Cutting a range into windows: fixed lengths and calendar units, in a zone, to the nanosecond.

Windows follow each other without a gap, so a cut is a list of edges: window `i` is
`edges[i] <= t < edges[i + 1]`. They are aligned as `ports.Every` says:

- `s`, `min`, `h`: from each local midnight on, in elapsed time. A window never crosses a midnight:
  the last one of a day is shorter when the length does not divide that day (a day of 23 or 25
  hours, or a length such as 7 h).
- `d`, `w`, `mo`: from local midnight to local midnight. A week starts on Monday; several units
  together are counted from 1970: days from 1 January, weeks from Monday 5 January, months from
  January (so `3mo` are quarters and `12mo` years).

Local midnight is the first instant of a local date: where clocks skip midnight (Africa/Cairo in
spring) the day starts at the change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from core.clock import NS_PER_S
from core.errors import QueryTooLargeError
from storage.ports import Every

MOST_WINDOWS = 2_000_000
"""Windows of one cut, at most: beyond it a query is refused."""

_UNIT_S = {"s": 1, "min": 60, "h": 3600}
_LONGEST_S = 86_400 * 366 * 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1).toordinal()
_FIRST_MONDAY = date(1970, 1, 5).toordinal()
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Run(msgspec.Struct, frozen=True):
    """Windows of one length that follow each other.

    Attributes:
        first: index of the first one.
        count: how many.
        length_ns: length of each, nanoseconds.
    """

    first: int
    count: int
    length_ns: int


def cut(every: Every, *, zone: ZoneInfo, start_ns: int, end_ns: int) -> list[int]:
    """Return the edges of every window that overlaps `start_ns <= t < end_ns`, nanoseconds.

    The first window holds `start_ns`, the last one `end_ns - 1`; an empty range has no edges.

    Raises:
        ValueError: `every` is not a window length of at most a hundred years.
        QueryTooLargeError: there are more than `MOST_WINDOWS`.
    """
    length_s = _checked_length_s(every)
    if start_ns >= end_ns:
        return []
    if (end_ns - start_ns) // (length_s * NS_PER_S) > MOST_WINDOWS:
        raise QueryTooLargeError(
            f"the range holds more than {MOST_WINDOWS} windows of {every.count}{every.unit}",
            hint="ask for longer windows or a shorter range",
        )
    make = _fixed if every.unit in _UNIT_S else _calendar
    found: list[int] = []
    for edge in make(every, zone, start_ns):
        if found and edge <= found[-1]:
            continue  # a date that the zone never had (a day skipped at the date line)
        if edge <= start_ns:
            found = [edge]
        else:
            found.append(edge)
        if edge >= end_ns:
            break
    return found


def index_of(edges: list[int], time_ns: int) -> int:
    """Return the index of the window that holds `time_ns`, an instant within the cut."""
    return bisect_right(edges, time_ns) - 1


def runs(edges: list[int], *, alone: Callable[[int, int], bool]) -> Iterator[Run]:
    """Yield the windows of a cut as runs of equal length, as few as possible, in order.

    Args:
        edges: of the windows.
        alone: tells from its start and end whether a window must be a run of its own.
    """
    first = 0
    last = len(edges) - 1
    while first < last:
        length = edges[first + 1] - edges[first]
        end = first + 1
        while (
            end < last
            and edges[end + 1] - edges[end] == length
            and not alone(edges[first], edges[first + 1])
            and not alone(edges[end], edges[end + 1])
        ):
            end += 1
        yield Run(first=first, count=end - first, length_ns=length)
        first = end


def _checked_length_s(every: Every) -> int:
    unit_s = {"d": 86_400, "w": 7 * 86_400, "mo": 28 * 86_400, **_UNIT_S}.get(every.unit)
    if unit_s is None or not 0 < every.count * unit_s <= _LONGEST_S:
        raise ValueError(
            f"{every.count}{every.unit} is not a window length: it needs a count of 1 or more, "
            "one of s, min, h, d, w, mo, and at most a hundred years"
        )
    return every.count * unit_s


def _fixed(every: Every, zone: ZoneInfo, start_ns: int) -> Iterator[int]:
    """Yield the edges from the one at or before `start_ns` on."""
    length_ns = every.count * _UNIT_S[every.unit] * NS_PER_S
    ordinal = _local_date(start_ns, zone).toordinal() - 1
    midnight = _midnight_ns(ordinal, zone)
    while True:
        ordinal += 1
        following = _midnight_ns(ordinal, zone)
        passed = max(0, (start_ns - midnight) // length_ns)
        yield from range(midnight + passed * length_ns, following, length_ns)
        midnight = following


def _calendar(every: Every, zone: ZoneInfo, start_ns: int) -> Iterator[int]:
    """Yield the edges from one at or before `start_ns` on."""
    index = _period(every, _local_date(start_ns, zone)) - 1
    while True:
        yield _midnight_ns(_first_day(every, index), zone)
        index += 1


def _period(every: Every, day: date) -> int:
    """Return the number of the period of `every` that holds `day`, counted from 1970."""
    if every.unit == "d":
        return (day.toordinal() - _FIRST_DAY) // every.count
    if every.unit == "w":
        return (day.toordinal() - _FIRST_MONDAY) // (7 * every.count)
    return ((day.year - 1970) * 12 + day.month - 1) // every.count


def _first_day(every: Every, index: int) -> int:
    if every.unit == "d":
        return _FIRST_DAY + index * every.count
    if every.unit == "w":
        return _FIRST_MONDAY + 7 * index * every.count
    year, month = divmod(1970 * 12 + index * every.count, 12)
    return date(year, month + 1, 1).toordinal()


def _local_date(time_ns: int, zone: ZoneInfo) -> date:
    return (_EPOCH + timedelta(seconds=time_ns // NS_PER_S)).astimezone(zone).date()


def _midnight_ns(ordinal: int, zone: ZoneInfo) -> int:
    """Return the first instant of a local date, given as proleptic Gregorian ordinal."""
    day = date.fromordinal(ordinal)
    local = datetime.combine(day, time(), tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        instant = _after_the_gap(day, instant, zone)
    return int((instant - _EPOCH) // _SECOND) * NS_PER_S


def _after_the_gap(day: date, near: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second of `day`, whose midnight the clocks of `zone` skip."""
    before, after = near - 2 * _DAY, near
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle
    return after
