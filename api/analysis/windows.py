"""Queries for windows that a store does not answer by itself, put together from what it does.

Several aggregates are several questions to the store. A group's windows are made from those of its
devices where that is exact, else from the values (`merging` says which). Windows of values that are
chosen by quality are always made from the values.
"""

from __future__ import annotations

import msgspec
import numpy as np

from api.analysis.filling import Bools, fillable, filled_values
from api.analysis.from_store import read_merged, read_values
from api.analysis.grouping import Group, Labels, check_meaning, groups_of, labels_of
from api.analysis.merging import Counts, Floats
from api.analysis.telemetry import Telemetry
from api.analysis.window_query import Found, Plan, Read, WindowQuery
from api.reading_query import ReadingQuery, quantities_of
from api.windows import every_text, fitting_every, window_bound
from core.errors import QueryTooLargeError
from core.reading import DeviceKey
from devices.registry import Device
from storage.ports import Aggregate
from storage.windows import cut


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One series of windows.

    Attributes:
        group: what it is of.
        counts: values in each window.
        values: of each aggregate; NaN where there is none.
        filled: which windows were filled.
    """

    group: Group
    counts: Counts
    values: dict[Aggregate, Floats]
    filled: Bools

    @property
    def known(self) -> Bools:
        """Which windows have a value, measured or filled."""
        known: Bools = (self.counts > 0) | self.filled
        return known


class Answer(msgspec.Struct, frozen=True):
    """Every series over the same windows.

    Attributes:
        edges: of the windows, nanoseconds; one more than there are windows.
        rows: the series, in order.
    """

    edges: list[int]
    rows: list[WindowRow]


def read_answer(
    telemetry: Telemetry,
    query: ReadingQuery,
    asked: WindowQuery,
    records: dict[DeviceKey, Device] | None,
) -> Answer:
    """Return every window of every series.

    Args:
        telemetry: where the values are.
        query: devices, quantities, range and bound.
        asked: what is computed.
        records: the registry's records of the devices, for groups.

    Raises:
        InvalidParameterError: an aggregate says nothing over several devices.
        QueryTooLargeError: the answer would hold too many values, or too many would have to be
            read; the hint names what would fit.
    """
    labels = _labels(query, asked, records)
    query = msgspec.structs.replace(
        query, devices=tuple(key for key in dict.fromkeys(query.devices) if key in labels)
    )
    having = quantities_of(telemetry.store, query)
    if asked.group_by:
        check_meaning(
            asked.aggregates, dict.fromkeys(name for names, _ in having for name in names)
        )
        groups = groups_of(having, labels)
    else:
        groups = [
            Group(labels[key], name, 1) for names, keys in having for key in keys for name in names
        ]
    _check_size(query, asked, series=len(groups))
    if not groups:
        return Answer([], [])
    edges = cut(asked.windows.every, zone=query.zone, start_ns=query.start_ns, end_ns=query.end_ns)
    plan = Plan(query, asked, having, labels, edges)
    found = (
        read_values(telemetry.store, plan) if asked.from_values else read_merged(telemetry, plan)
    )
    return Answer(edges, [_row(group, found, asked, edges) for group in groups])


def _labels(
    query: ReadingQuery, asked: WindowQuery, records: dict[DeviceKey, Device] | None
) -> dict[DeviceKey, Labels]:
    if not asked.group_by:
        return {key: (("site", key.site), ("device", key.device)) for key in query.devices}
    return {key: labels_of(device, asked.group_by) for key, device in (records or {}).items()}


def _check_size(query: ReadingQuery, asked: WindowQuery, *, series: int) -> None:
    every = asked.windows.every
    each = window_bound(every, start_ns=query.start_ns, end_ns=query.end_ns)
    columns = series * len(asked.aggregates)
    if each * columns <= query.max_points:
        return
    fitting = fitting_every(
        start_ns=query.start_ns,
        end_ns=query.end_ns,
        series=columns,
        max_points=query.max_points,
    )
    raise QueryTooLargeError(
        f"{series} series of up to {each} windows of {every_text(every)} with "
        f"{len(asked.aggregates)} aggregates are more than {query.max_points} values",
        hint="ask for fewer devices, quantities or aggregates, or for a shorter range"
        if fitting is None
        else f"every={fitting} would fit",
    )


def _row(group: Group, found: Found, asked: WindowQuery, edges: list[int]) -> WindowRow:
    windows = len(edges) - 1
    read = found.get((group.labels, group.quantity))
    if read is None:
        nothing = np.full(windows, np.nan)
        read = Read(np.zeros(windows, dtype=np.int64), dict.fromkeys(asked.aggregates, nothing))
    present = read.counts > 0
    chosen = fillable(present, edges, fill=asked.fill, limit=asked.fill_limit)
    values = {
        aggregate: filled_values(read.values[aggregate], present, chosen, edges, fill=asked.fill)
        for aggregate in asked.aggregates
    }
    return WindowRow(group=group, counts=read.counts, values=values, filled=chosen)
