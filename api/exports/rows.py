"""Reading any number of rows from the store, in constant memory.

Raw values are read in slices of time whose length follows how dense the values are: a store then
sorts and scans only what it answers, and no answer is large, however long the range. Windows are
read for as many series at once, or for as many windows of one series, as make one bounded answer.

Order. Raw values: by time, site, device, quantity. Windows: by site, device, quantity, start. Both
orders are part of the canonical form (`canonical`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import msgspec
import pyarrow as pa

from api.exports.query import ExportQuery
from api.exports.schema import Batches, columns_of
from core.clock import NS_PER_S
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from storage.ports import PointReader, Selection, Windows, WindowValue
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.windows import cut

BATCH_ROWS = 20_000
"""Rows that are asked of the store at once, at most."""
_FIRST_SLICE_NS = 60 * NS_PER_S
_LONGEST_FACTOR = 16
_LATEST_DEVICES = 500


class Progress(msgspec.Struct):
    """How far a reading is; read by another thread.

    Attributes:
        part: of the range that has been read, 0 to 1.
    """

    part: float = 0.0


def read_batches(
    store: PointReader, query: ExportQuery, *, progress: Progress | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query; no batch is empty, nor larger than a few `BATCH_ROWS`.

    Raises:
        StoreUnavailableError: on the way, when the store does not answer.
    """
    noted = progress or Progress()
    batches = Batches(columns_of(query))
    windows = query.windows
    if not query.devices:
        return
    if windows is None:
        whole = _over(query, query.devices, query.quantities or tuple(CATALOGUE))
        for readings in _gathered(read_pages(store, whole, progress=noted)):
            yield batches.of_readings(readings)
        return
    for values in _windows(store, query, windows, noted):
        yield batches.of_windows(values)


def read_pages(
    store: PointReader, whole: Selection, *, progress: Progress
) -> Iterator[tuple[Reading, ...]]:
    """Yield all readings of a selection in the order of `PointReader.read`, as pages.

    A page may be empty; none is larger than `BATCH_ROWS`.
    """
    start_ns, end_ns = max(whole.start_ns, EARLIEST_NS), min(whole.end_ns, LATEST_NS + 1)
    length = _FIRST_SLICE_NS
    at = start_ns
    while at < end_ns:
        until = min(at + length, end_ns)
        found, after = 0, None
        selection = msgspec.structs.replace(whole, start_ns=at, end_ns=until)
        while True:
            page = store.read(selection, limit=BATCH_ROWS, after=after)
            found += len(page.readings)
            yield page.readings
            after = page.after
            if after is None:
                break
            progress.part = (after.time_ns - start_ns) / (end_ns - start_ns)
        at = until
        progress.part = (at - start_ns) / (end_ns - start_ns)
        length = _next_length(length, found)


def _next_length(length: int, found: int) -> int:
    """Return how long the next slice is, so that it fills three quarters of a page."""
    if found == 0:
        return length * _LONGEST_FACTOR
    wanted = length * BATCH_ROWS * 3 // (4 * found)
    return max(1, min(wanted, length * _LONGEST_FACTOR))


def _gathered(pages: Iterator[tuple[Reading, ...]]) -> Iterator[list[Reading]]:
    """Join small pages, and leave out what the catalogue does not know any more."""
    waiting: list[Reading] = []
    for page in pages:
        waiting += [reading for reading in page if reading.quantity in CATALOGUE]
        if len(waiting) >= BATCH_ROWS // 2:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _windows(
    store: PointReader, query: ExportQuery, windows: Windows, progress: Progress
) -> Iterator[list[WindowValue]]:
    edges = cut(windows.every, zone=windows.zone, start_ns=query.start_ns, end_ns=query.end_ns)
    each = len(edges) - 1
    if each < 1:
        return
    devices = max(1, len(query.devices))
    done = 0
    for names, group in groupby(_quantities_of(store, query), key=lambda one: one[1]):
        keys = [key for key, _ in group]
        if names and each * len(names) <= BATCH_ROWS:
            step = max(1, BATCH_ROWS // (each * len(names)))
            for first in range(0, len(keys), step):
                part = tuple(keys[first : first + step])
                yield store.aggregate(_over(query, part, names), windows)
                progress.part = (done + first + len(part)) / devices
        elif names:
            for key in keys:
                for name in names:
                    yield from _one_series(store, _over(query, (key,), (name,)), windows, edges)
        done += len(keys)
        progress.part = done / devices


def _one_series(
    store: PointReader, selection: Selection, windows: Windows, edges: list[int]
) -> Iterator[list[WindowValue]]:
    """Yield the windows of one series, cut between windows: their values do not change."""
    for first in range(0, len(edges) - 1, BATCH_ROWS):
        last = min(first + BATCH_ROWS, len(edges) - 1)
        yield store.aggregate(
            msgspec.structs.replace(
                selection,
                start_ns=max(selection.start_ns, edges[first]),
                end_ns=min(selection.end_ns, edges[last]),
            ),
            windows,
        )


def _over(query: ExportQuery, devices: tuple[DeviceKey, ...], names: tuple[str, ...]) -> Selection:
    return Selection(
        devices=devices, quantities=names, start_ns=query.start_ns, end_ns=query.end_ns
    )


def _quantities_of(
    store: PointReader, query: ExportQuery
) -> Iterator[tuple[DeviceKey, tuple[str, ...]]]:
    """Yield each device with the quantities to read of it, by name."""
    for first in range(0, len(query.devices), _LATEST_DEVICES):
        keys = query.devices[first : first + _LATEST_DEVICES]
        if query.quantities:
            yield from ((key, query.quantities) for key in keys)
            continue
        having: dict[DeviceKey, set[str]] = {}
        for reading in store.latest(keys):
            having.setdefault(DeviceKey(reading.site, reading.device), set()).add(reading.quantity)
        for key in keys:
            yield key, tuple(sorted(name for name in having.get(key, ()) if name in CATALOGUE))
