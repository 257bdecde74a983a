"""The columns of an export, and batches of rows as Arrow record batches.

Names are dictionary-encoded with dictionaries that are fixed by the query, so that a batch is small
and the schema of a stream does not change on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from api.exports.query import ExportQuery
from core.quantities import CATALOGUE
from core.reading import Reading
from storage.ports import WindowValue

COLUMNS = {
    "time": "Instant of the measurement.",
    "start": "Start of the window, inclusive.",
    "end": "End of the window, exclusive.",
    "site": "Site identifier.",
    "device": "Device identifier.",
    "quantity": "Canonical name of what is measured.",
    "unit": "UCUM code of the value's unit.",
    "value": "The value; of a window the aggregate, null where the window holds none.",
    "quality": "Quality flags of a stored value, see `quality_codes`; 0 or empty: good.",
    "count": "How many values the window holds.",
}
"""Every column and what it holds."""


class Columns(msgspec.Struct, frozen=True):
    """The columns of one export.

    Attributes:
        schema: the Arrow schema, without metadata.
        windows: True when a row is a window, False when it is a stored value.
        sites: the dictionary of `site`.
        devices: the dictionary of `device`.
        quantities: the dictionary of `quantity`; `unit` has the units in the same order.
    """

    schema: pa.Schema
    windows: bool
    sites: tuple[str, ...]
    devices: tuple[str, ...]
    quantities: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(self.schema.names)


def columns_of(query: ExportQuery) -> Columns:
    """Return the columns of the export of `query`."""
    text = pa.dictionary(pa.int32(), pa.string())
    instant = pa.timestamp("ns", tz=query.zone)
    named = [(name, text) for name in ("site", "device", "quantity", "unit")]
    if query.every is None:
        fields = [("time", instant), *named, ("value", pa.float64()), ("quality", pa.int32())]
    else:
        fields = [
            ("start", instant),
            ("end", instant),
            *named,
            ("value", pa.float64()),
            ("count", pa.int64()),
        ]
    return Columns(
        schema=pa.schema(fields),
        windows=query.every is not None,
        sites=query.sites,
        devices=tuple(sorted({device.device for device in query.devices})),
        quantities=query.quantities or tuple(sorted(CATALOGUE)),
    )


class Batches:
    """Makes record batches of readings or windows.

    Args:
        columns: of the export.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._site = {name: index for index, name in enumerate(columns.sites)}
        self._device = {name: index for index, name in enumerate(columns.devices)}
        self._quantity = {name: index for index, name in enumerate(columns.quantities)}
        units = [CATALOGUE[name].unit for name in columns.quantities]
        self._sites = pa.array(columns.sites, pa.string())
        self._devices = pa.array(columns.devices, pa.string())
        self._quantities = pa.array(columns.quantities, pa.string())
        self._units = pa.array(list(dict.fromkeys(units)), pa.string())
        places = {unit: index for index, unit in enumerate(dict.fromkeys(units))}
        self._unit_of = np.array([places[unit] for unit in units], np.int32)

    def of_readings(self, readings: Sequence[Reading]) -> pa.RecordBatch:
        """Return stored values as one batch."""
        columns = [
            self._instants([one.time_ns for one in readings]),
            *self._names(readings),
            pa.array([one.value for one in readings], pa.float64()),
            pa.array([one.quality for one in readings], pa.int32()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._columns.schema)

    def of_windows(self, values: Sequence[WindowValue]) -> pa.RecordBatch:
        """Return windows as one batch."""
        columns = [
            self._instants([one.start_ns for one in values]),
            self._instants([one.end_ns for one in values]),
            *self._names(values),
            pa.array([one.value for one in values], pa.float64()),
            pa.array([one.count for one in values], pa.int64()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._columns.schema)

    def empty(self) -> pa.RecordBatch:
        """Return a batch without rows."""
        return self.of_windows([]) if self._columns.windows else self.of_readings([])

    def _instants(self, times_ns: list[int]) -> pa.Array:
        return pa.array(times_ns, pa.int64()).cast(self._columns.schema.field(0).type)

    def _names(self, rows: Sequence[Reading] | Sequence[WindowValue]) -> list[pa.Array]:
        count = len(rows)
        site = np.fromiter((self._site[row.site] for row in rows), np.int32, count)
        device = np.fromiter((self._device[row.device] for row in rows), np.int32, count)
        quantity = np.fromiter((self._quantity[row.quantity] for row in rows), np.int32, count)
        coded = (
            (site, self._sites),
            (device, self._devices),
            (quantity, self._quantities),
            (self._unit_of[quantity] if count else quantity, self._units),
        )
        return [pa.DictionaryArray.from_arrays(pa.array(codes), names) for codes, names in coded]
