"""The two ports of the telemetry store. Every backend passes `tests/contract/test_storage.py`.

`PointWriter` is what the drain needs, `PointReader` what queries need. A backend may be used from
several threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import msgspec

from core.reading import DeviceKey, Point, Reading


class Rejected(msgspec.Struct, frozen=True):
    """A point that the store refuses for good: writing it again would not help.

    Attributes:
        index: position in the sequence given to `write`.
        reason: one sentence for a person.
    """

    index: int
    reason: str


class Written(msgspec.Struct, frozen=True):
    """The store has every point of the batch on disk but the rejected ones."""

    rejected: tuple[Rejected, ...] = ()


class Retry(msgspec.Struct, frozen=True):
    """Nothing can be said of the batch: write it again, whole, later.

    Attributes:
        reason: what the store answered, for a person.
        after_s: seconds that the store asked to wait, or None.
    """

    reason: str
    after_s: float | None = None


class PointWriter(Protocol):
    """Where points are stored."""

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """Store `points`; return only when they are on the store's disk.

        Idempotent: a point with the same site, device, category and time replaces the values it
        names, and leaves the others of that instant as they are. Its quality is that of the whole
        instant: one that is not 0 replaces what was there, 0 leaves it. Of two points of a batch
        with one key the later counts. Never raises for the content of a point (it is `Rejected`,
        see `storage.refusal`) nor for an outage (`Retry`).
        """
        ...

    def close(self) -> None:
        """Release what is held; `write` may not be called afterwards."""
        ...


@runtime_checkable
class LineWriter(Protocol):
    """A store that takes line protocol as it is (`storage.line_protocol`)."""

    def write_lines(self, lines: bytes) -> bool | Retry:
        """Store lines; return only when it is known what became of them.

        Args:
            lines: one a point, joined by line feeds; at least one.

        Returns:
            True when every line is on the store's disk; False when the store refuses some, and
            `PointWriter.write` of the same points has to say which; `Retry` as there.
        """
        ...


class Span(msgspec.Struct, frozen=True):
    """Which part of a stream some points are: the same span always holds the same points.

    Attributes:
        stream: where they come from, unique for ever; of a-z, 0-9 and `-`.
        first: position of the first batch.
        last: position of the last batch.
    """

    stream: str
    first: int
    last: int


@runtime_checkable
class SpanWriter(Protocol):
    """A writer to which a span written again is the same span: it is there once.

    It is for what cannot replace single points, such as a directory of files.

    Attributes:
        span_points: points in one span, at most (a batch is never parted).
        span_age_s: how long points may wait for a span to fill, seconds.
    """

    span_points: int
    span_age_s: float

    def write_span(self, points: Sequence[Point], span: Span) -> Written | Retry:
        """Store the points of a span, as `PointWriter.write` does."""
        ...

    def reclaim(self, stream: str, *, after: int) -> Written | Retry:
        """Take away what was written of a stream after a position.

        Those spans were not confirmed; they are written again, perhaps cut elsewhere. Called
        before the first span of a process is written.
        """
        ...


class Aggregate(StrEnum):
    """How the values of a window become one.

    `median` is the mean of the two middle values; `percentile` is the nearest-rank percentile;
    `time_weighted_mean` weighs each value by the time until the next one inside the window (the
    last until the window's end or the range's end), starting at the first value of the window.
    A sum that float64 cannot hold is infinite; every other aggregate of finite values is finite.
    """

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"
    FIRST = "first"
    LAST = "last"
    MEDIAN = "median"
    PERCENTILE = "percentile"
    TIME_WEIGHTED_MEAN = "time_weighted_mean"


class Every(msgspec.Struct, frozen=True):
    """A window length.

    Attributes:
        count: how many units, 1 or more.
        unit: `s`, `min`, `h`: of fixed length, aligned to local midnight in `Windows.zone` (a
            length that does not divide a day starts anew at each midnight, so the last window of
            a day may be shorter); `d`, `w`, `mo`: calendar windows in that zone (a week starts on
            Monday), so that a day has 23, 24 or 25 hours across a DST change. See
            `storage.windows`.
    """

    count: int
    unit: str


class Windows(msgspec.Struct, frozen=True):
    """How a range is cut and what is computed for each part.

    Attributes:
        every: window length.
        zone: IANA zone in which windows are aligned.
        aggregate: what is computed.
        percentile: for `Aggregate.PERCENTILE`: 0 < p <= 100.
    """

    every: Every
    zone: ZoneInfo
    aggregate: Aggregate
    percentile: float | None = None


class Selection(msgspec.Struct, frozen=True):
    """Which series, and when.

    Attributes:
        devices: at least one.
        quantities: canonical names, at least one.
        start_ns: first instant, inclusive, nanoseconds since the epoch.
        end_ns: last instant, exclusive.
    """

    devices: tuple[DeviceKey, ...]
    quantities: tuple[str, ...]
    start_ns: int
    end_ns: int


class Position(msgspec.Struct, frozen=True, order=True):
    """Where a page ended; the next one starts after it. Order of every raw read."""

    time_ns: int
    site: str
    device: str
    quantity: str


class Page(msgspec.Struct, frozen=True):
    """Some raw readings in the order of `Position`.

    Attributes:
        readings: at most the number asked for.
        after: position of the last one when there may be more, else None.
    """

    readings: tuple[Reading, ...]
    after: Position | None = None


@runtime_checkable
class ValueRemover(Protocol):
    """A store that can delete single values."""

    def remove(self, values: Sequence[Position]) -> int | Retry:
        """Delete values; those that are not there are passed over.

        Returns:
            How many were deleted, on the store's disk; `Retry`: perhaps none.
        """
        ...


class WindowValue(msgspec.Struct, frozen=True):
    """The aggregate of one series over one window.

    Attributes:
        site: site slug.
        device: device slug.
        quantity: canonical name.
        start_ns: start of the window, inclusive (before the range's start for a cut window: the
            window's own start is given, its values are those inside the range).
        end_ns: end of the window, exclusive.
        value: the aggregate, or None where the window holds no value: a gap is shown as a gap
            (`count` and `sum` of a gap are None too).
        count: how many values the window holds.
    """

    site: str
    device: str
    quantity: str
    start_ns: int
    end_ns: int
    value: float | None
    count: int


class HourCount(msgspec.Struct, frozen=True, order=True):
    """How many values of one device lie in one hour.

    Attributes:
        site: site slug.
        device: device slug.
        hour: start of the UTC hour of the values' instants, seconds since the epoch.
        values: how many, of all quantities together; 1 or more.
    """

    site: str
    device: str
    hour: int
    values: int


@runtime_checkable
class PointReader(Protocol):
    """How stored points are read back. Raises `core.errors.StoreUnavailableError` in an outage."""

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """Return raw readings in the order of `Position`.

        Pages are stable while data arrive: nothing is returned twice, and what was stored before
        the first page was asked for is not left out.
        """
        ...

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """Return one value per series and window, ordered by series as asked, then by time.

        Every window that overlaps the range is returned, empty ones with value None.

        Raises:
            ValueError: the window length or the percentile is none.
            UnknownQuantityError: a quantity is not in the catalogue.
            QueryTooLargeError: there are more windows than a store cuts a range into.
        """
        ...

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """Return for each device and quantity the reading of the greatest device time.

        In the order of `devices`, then of `quantities`; those without a reading are left out.

        Args:
            devices: of which devices.
            quantities: of which quantities; None: of all that a device has, by name.
        """
        ...

    def count(self, selection: Selection) -> int:
        """Return how many readings `read` would return in all."""
        ...

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """Return how many values of every quantity each device has in each hour, in order.

        Hours without a value are left out.

        Args:
            devices: of which devices; None: of all that the store knows.
            start_ns: first instant, inclusive, nanoseconds since the epoch.
            end_ns: last instant, exclusive.
        """
        ...

    def keeps_s(self) -> int | None:
        """Return for how long the store keeps values by their instant, seconds; None: for ever."""
        ...

    def ping(self) -> None:
        """Return when the store answers.

        Raises:
            StoreUnavailableError: it does not; the sentence says what was tried.
        """
        ...

    def close(self) -> None:
        """Release what is held."""
        ...


class Store(PointWriter, PointReader, Protocol):
    """A backend: both ports."""
