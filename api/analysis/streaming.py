"""Stored values in the order of time, as columns of each series: memory follows a page's size."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.analysis.quality import QualityFilter
from api.exports.rows import Progress, read_pages
from core.quantities import CATALOGUE
from core.reading import Reading
from storage.ports import PointReader, Position, Selection
from storage.selecting import Series, position_of

LEAST_PAGE = 1000
"""Values that are read at once, at least, when some of them are left out."""


class Piece(msgspec.Struct, frozen=True):
    """Some values of one series, in the order of time.

    Attributes:
        times: nanoseconds since the epoch.
        values: in the quantity's unit.
        qualities: bit masks of `core.quality.Quality`.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]
    qualities: NDArray[np.int64]


def kept_readings(
    store: PointReader, selection: Selection, quality: QualityFilter
) -> Iterator[list[Reading]]:
    """Yield all readings of a selection that a filter keeps, in the order of time, by pages.

    Raises:
        StoreUnavailableError: on the way, when the store does not answer.
    """
    for page in read_pages(store, selection, progress=Progress()):
        kept = [reading for reading in page if _kept(reading, quality)]
        if kept:
            yield kept


def pieces(
    store: PointReader, selection: Selection, quality: QualityFilter
) -> Iterator[dict[Series, Piece]]:
    """Yield all values of a selection that a filter keeps: pages, parted by series."""
    for readings in kept_readings(store, selection, quality):
        found: dict[Series, list[Reading]] = {}
        for reading in readings:
            found.setdefault((reading.site, reading.device, reading.quantity), []).append(reading)
        yield {series: piece_of(values) for series, values in found.items()}


def piece_of(readings: list[Reading]) -> Piece:
    """Return readings of one series as columns."""
    return Piece(
        times=np.array([reading.time_ns for reading in readings], dtype=np.int64),
        values=np.array([reading.value for reading in readings], dtype=np.float64),
        qualities=np.array([reading.quality for reading in readings], dtype=np.int64),
    )


def kept_page(
    store: PointReader,
    selection: Selection,
    quality: QualityFilter,
    *,
    limit: int,
    after: Position | None,
    most_read: int,
) -> tuple[tuple[Reading, ...], Position | None]:
    """Return one page of the values that a filter keeps, and where it ended if there may be more.

    Args:
        store: where they are.
        selection: which.
        quality: the filter.
        limit: values of the page, at most.
        after: where the page before ended.
        most_read: values that are looked at, at most (about): when few of them are kept the page
            is shorter than `limit`, and the next one goes on.
    """
    kept: list[Reading] = []
    looked_at = 0
    while True:
        size = min(max(limit, LEAST_PAGE), most_read)
        page = store.read(selection, limit=size, after=after)
        after = page.after
        looked_at += len(page.readings)
        kept += [reading for reading in page.readings if _kept(reading, quality)]
        if len(kept) > limit or (len(kept) == limit and after is not None):
            return tuple(kept[:limit]), position_of(kept[limit - 1])
        if after is None or looked_at >= most_read:
            return tuple(kept), after


def _kept(reading: Reading, quality: QualityFilter) -> bool:
    return reading.quantity in CATALOGUE and quality.keeps(reading.quality)
