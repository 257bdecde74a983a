"""Raw values in pages of columns, with whole past hours kept at hand.

An hour that ended an hour ago is *settled*: its values rarely change. Settled hours of series that
were read are kept in memory, so a range is asked of the store only where it is not settled or not
kept. When late values reach the store, whoever stored them tells `Changes` of their devices, within
about a second; what is kept of those devices is dropped. What a writer that died could not tell is
found after `BELIEVED_S`.

A page never mixes two states of one series' hour: an hour is kept whole, or not at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import msgspec

from core.clock import NS_PER_HOUR, Clock
from core.reading import DeviceKey
from storage.columns import (
    Column,
    ColumnPage,
    ColumnReader,
    SeriesKey,
    columns_of,
    first_after,
    joined,
    page_of_columns,
    series_of,
)
from storage.ports import PointReader, Position, Selection
from storage.selecting import within_bounds

SETTLED_NS = NS_PER_HOUR
"""How long after its end an hour is settled, nanoseconds."""
FRESH_S = 0.5
"""For how long an answer of `Changes` is believed, seconds."""
BELIEVED_S = 60.0
"""For how long a kept hour is believed whatever `Changes` says, seconds."""
MOST_SERIES = 8
"""A selection of more series is asked of the store as it is."""
_ROWS_AHEAD = 4000  # of an hour at a value a second that may lie before the first value asked for
_OVERHEAD = 600  # bytes of an hour's objects
_MOST_HOURS = 24 * 31

_HourKey = tuple[SeriesKey, int]


class Late(Protocol):
    """Which devices had values stored in hours that were over; see `devices.registry.kept.Late`."""

    @property
    def turn(self) -> int:
        """Number of the last telling that is in it."""
        ...

    @property
    def anew(self) -> int:
        """How often nobody knew any more what had changed."""
        ...

    @property
    def devices(self) -> tuple[DeviceKey, ...]:
        """Those that were told of after the turn asked for."""
        ...


class Changes(Protocol):
    """Who is told of late values."""

    def late(self, *, after_turn: int) -> Late:
        """Return which devices had late values since a turn."""
        ...


class _Hour(msgspec.Struct, frozen=True, eq=False):
    column: Column
    read_s: float

    @property
    def size(self) -> int:
        return _OVERHEAD + 3 * int(self.column.times.nbytes)


class SettledColumns:
    """Pages of columns of one store. Used from many threads.

    Args:
        reader: the store; one that is no `ColumnReader` is read as it is, and nothing is kept.
        changes: who is told of late values.
        clock: the time.
        most_bytes: memory for what is kept, at most; 0: nothing is kept.
    """

    def __init__(
        self, *, reader: PointReader, changes: Changes, clock: Clock, most_bytes: int
    ) -> None:
        self._reader = reader
        self._columns = reader if isinstance(reader, ColumnReader) else None
        self._changes = changes
        self._clock = clock
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._kept: OrderedDict[_HourKey, _Hour] = OrderedDict()
        self._bytes = 0
        self._turn = 0
        self._anew = -1
        self._asked_s: float | None = None

    def page(
        self, selection: Selection, *, limit: int, after: Position | None = None
    ) -> ColumnPage:
        """Return the page that `PointReader.read` would.

        A late value may be missing for as long as the module says.

        Raises:
            StoreUnavailableError: the store had to be asked, and does not answer.
            RegistryUnavailableError: `changes` does not answer.
        """
        selection = within_bounds(selection)
        series = series_of(selection.devices, selection.quantities)
        if self._columns is None or not 0 < len(series) <= MOST_SERIES:
            page = self._reader.read(selection, limit=limit, after=after)
            return ColumnPage(columns_of(page.readings), page.after)
        start_ns = selection.start_ns if after is None else after.time_ns
        found = self._read(self._columns, series, start_ns, selection.end_ns, limit=limit)
        if after is not None:
            end_ns = selection.end_ns
            found = [one.between(first_after(one.series, after), end_ns) for one in found]
        return page_of_columns(found, limit=limit)

    def kept_bytes(self) -> int:
        """Return about how much memory is used."""
        with self._lock:
            return self._bytes

    def _read(
        self,
        reader: ColumnReader,
        series: Sequence[SeriesKey],
        start_ns: int,
        end_ns: int,
        *,
        limit: int,
    ) -> list[Column]:
        """Return each series' values from `start_ns` to some instant, the same for all.

        There are more than `limit` and one instant's values, or that instant is `end_ns`.
        """
        settled_ns = _hour_ns(self._clock.now_ns() - SETTLED_NS)
        keeps = self._most_bytes > 0 and 0 <= start_ns < settled_ns
        position = _hour_ns(start_ns) if keeps else start_ns
        keeps = keeps and (min(end_ns, settled_ns) - position) // NS_PER_HOUR <= _MOST_HOURS
        state = self._refreshed() if keeps else (0, 0)
        parts: list[list[Column]] = [[] for _ in series]
        found = 0
        while position < end_ns and found <= limit + len(series):
            columns: Sequence[Column] = ()
            upto_ns = position
            if keeps:
                columns = self._at_hand(series, position)
                upto_ns = position + NS_PER_HOUR
            if not columns:
                missing_ns = self._missing_to(series, position, settled_ns) if keeps else None
                upto_ns = end_ns if missing_ns is None else min(missing_ns, end_ns)
                reads = reader.read_columns(
                    series, start_ns=position, end_ns=upto_ns, rows=limit + _ROWS_AHEAD
                )
                upto_ns = min(one.upto_ns for one in reads)
                columns = [one.column.between(position, upto_ns) for one in reads]
                if keeps:
                    self._keep(columns, position, min(upto_ns, settled_ns), state=state)
            for some, one in zip(parts, columns, strict=True):
                part = (
                    one.between(start_ns, end_ns)
                    if position < start_ns or upto_ns > end_ns
                    else one
                )
                some.append(part)
                found += len(part)
            position = upto_ns
        return [joined(one, some) for one, some in zip(series, parts, strict=True)]

    def _refreshed(self) -> tuple[int, int]:
        """Drop what is not true any more; return `turn` and `anew` up to which that was done."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            if self._asked_s is not None and now_s - self._asked_s < FRESH_S:
                return self._turn, self._anew
            late = self._changes.late(after_turn=self._turn)
            if late.anew != self._anew or late.turn < self._turn:
                self._kept.clear()
                self._bytes = 0
            elif late.devices:
                devices = set(late.devices)
                for key in [
                    key for key in self._kept if DeviceKey(key[0].site, key[0].device) in devices
                ]:
                    self._forget(key)
            self._turn, self._anew, self._asked_s = late.turn, late.anew, now_s
            return self._turn, self._anew

    def _at_hand(self, series: Sequence[SeriesKey], hour_ns: int) -> list[Column]:
        """Return an hour of every series, or nothing where it is not kept of each."""
        with self._lock:
            found = []
            for one in series:
                kept = self._believed(one, hour_ns)
                if kept is None:
                    return []
                self._kept.move_to_end((one, hour_ns))
                found.append(kept.column)
            return found

    def _missing_to(
        self, series: Sequence[SeriesKey], start_ns: int, settled_ns: int
    ) -> int | None:
        """Return the first hour after `start_ns` that is kept of every series, or None."""
        with self._lock:
            for hour_ns in range(_hour_ns(start_ns) + NS_PER_HOUR, settled_ns, NS_PER_HOUR):
                if all(self._believed(one, hour_ns) is not None for one in series):
                    return hour_ns
        return None

    def _believed(self, series: SeriesKey, hour_ns: int) -> _Hour | None:
        kept = self._kept.get((series, hour_ns))
        if kept is not None and self._clock.monotonic_s() - kept.read_s > BELIEVED_S:
            self._forget((series, hour_ns))
            return None
        return kept

    def _keep(
        self, columns: Sequence[Column], start_ns: int, end_ns: int, *, state: tuple[int, int]
    ) -> None:
        """Keep the whole hours of a range that was read, if nothing was told of meanwhile."""
        read_s = self._clock.monotonic_s()
        first_ns = -(-start_ns // NS_PER_HOUR) * NS_PER_HOUR
        with self._lock:
            if state != (self._turn, self._anew):
                return
            for one in columns:
                for hour_ns in range(first_ns, end_ns - NS_PER_HOUR + 1, NS_PER_HOUR):
                    part = one.between(hour_ns, hour_ns + NS_PER_HOUR)
                    self._put((one.series, hour_ns), _Hour(part.copy(), read_s))
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._kept)))

    def _put(self, key: _HourKey, hour: _Hour) -> None:
        self._forget(key)
        self._kept[key] = hour
        self._bytes += hour.size

    def _forget(self, key: _HourKey) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= before.size


def _hour_ns(time_ns: int) -> int:
    return time_ns // NS_PER_HOUR * NS_PER_HOUR
