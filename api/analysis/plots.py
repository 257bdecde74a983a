"""Series reduced to what a plot can show, however long the range: values are read once, in pages.

For LTTB they are counted first, as its buckets hold equal counts.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from api.analysis import lttb, m4
from api.analysis.lttb import Lttb, Point
from api.analysis.m4 import M4
from api.analysis.quality import QualityFilter
from api.analysis.streaming import Piece, pieces
from api.analysis.telemetry import Telemetry
from api.problems import InvalidParameterError
from api.reading_query import ReadingQuery
from core.errors import QueryTooLargeError
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from storage.ports import Aggregate, Every, Selection, Windows
from storage.selecting import Series

MOST_HELD = 4_000_000
"""Values that are held at once over all series (LTTB holds two buckets of each)."""
_LEAST_HELD = 1024
_CENTURY = Every(count=1200, unit="mo")
_UNBOUNDED = 2**62


class Downsampling(StrEnum):
    """How a series is reduced."""

    LTTB = "lttb"
    """Largest triangle three buckets (Steinarsson 2013): as many points as asked for."""
    M4 = "m4"
    """First, last, least and greatest value of each pixel column (Jugel et al. 2014)."""


class Plot(msgspec.Struct, frozen=True):
    """One series, reduced.

    Attributes:
        series: site, device, quantity.
        of: how many values it was made from.
        points: instant, value, quality; in the order of time.
    """

    series: Series
    of: int
    points: list[Point]


class _Reduced:
    """One series on its way: kept as it is until it has more values than a plot may have."""

    def __init__(
        self, query: ReadingQuery, *, method: Downsampling, points: int, count: int, held: int
    ) -> None:
        self._most = points
        self._few: list[Piece] = []
        self.of = 0
        if method is Downsampling.M4:
            self._reducer: Lttb | M4 = M4(
                points=points, start_ns=query.start_ns, end_ns=query.end_ns
            )
        else:
            self._reducer = Lttb(points=points, count=max(count, points + 1), most_held=held)

    def add(self, piece: Piece) -> None:
        self.of += len(piece.times)
        self._few.append(piece)
        if self.of > self._most:
            for one in self._few:
                self._reducer.add(one.times, one.values, one.qualities)
            self._few = []

    def points(self) -> list[Point]:
        if self.of > self._most:
            return self._reducer.points()
        return [
            point
            for piece in self._few
            for point in zip(
                piece.times.tolist(), piece.values.tolist(), piece.qualities.tolist(), strict=True
            )
        ]


def read_plots(
    telemetry: Telemetry,
    query: ReadingQuery,
    *,
    method: Downsampling,
    points: int,
    quality: QualityFilter,
) -> list[Plot]:
    """Return every series that has values, each reduced to at most `points`.

    The first and the last value of a series are always among them; a series that has no more
    values than `points` comes as it is.

    Raises:
        InvalidParameterError: `points` is too few for the method.
        QueryTooLargeError: the series together are more than one answer may hold; the hint names
            a number that would fit.
    """
    least = m4.LEAST_POINTS if method is Downsampling.M4 else lttb.LEAST_POINTS
    if points < least:
        raise InvalidParameterError("max_points", f"must be at least {least} for {method.value}")
    counts = _counts(telemetry, query)
    if not counts:
        return []
    _check(query, counts, points=points, least=least)
    selection = Selection(
        devices=tuple(dict.fromkeys(DeviceKey(site, device) for site, device, _ in counts)),
        quantities=tuple(dict.fromkeys(quantity for _, _, quantity in counts)),
        start_ns=query.start_ns,
        end_ns=query.end_ns,
    )
    if quality.active and method is Downsampling.LTTB:
        counts = dict.fromkeys(counts, 0)
        for page in pieces(telemetry.store, selection, quality):
            for series, piece in page.items():
                counts[series] = counts.get(series, 0) + len(piece.times)
    held = max(_LEAST_HELD, MOST_HELD // len(counts))
    found: dict[Series, _Reduced] = {}
    for page in pieces(telemetry.store, selection, quality):
        for series, piece in page.items():
            reduced = found.get(series)
            if reduced is None:
                reduced = found[series] = _Reduced(
                    query, method=method, points=points, count=counts.get(series, 0), held=held
                )
            reduced.add(piece)
    order = [*counts, *(series for series in found if series not in counts)]
    return [
        Plot(series, found[series].of, found[series].points())
        for series in order
        if series in found
    ]


def _counts(telemetry: Telemetry, query: ReadingQuery) -> dict[Series, int]:
    """Return how many values each series has; those without any are left out."""
    windows = Windows(every=_CENTURY, zone=query.zone, aggregate=Aggregate.COUNT)
    counts: dict[Series, int] = {}
    unbounded = msgspec.structs.replace(query, max_points=_UNBOUNDED)
    for window in telemetry.windows(unbounded, windows):
        if window.count and window.quantity in CATALOGUE:
            series = (window.site, window.device, window.quantity)
            counts[series] = counts.get(series, 0) + window.count
    return counts


def _check(query: ReadingQuery, counts: dict[Series, int], *, points: int, least: int) -> None:
    together = sum(min(count, points) for count in counts.values())
    if together <= query.max_points:
        return
    fitting = query.max_points // len(counts)
    hint = (
        f"max_points={fitting} would fit"
        if fitting >= least
        else "ask for fewer devices or quantities"
    )
    raise QueryTooLargeError(
        f"{len(counts)} series of up to {points} values are more than {query.max_points} values",
        hint=hint,
    )
