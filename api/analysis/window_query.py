"""What a query for windows asks to be computed, and the plan that reading follows."""

from __future__ import annotations

import msgspec

from api.analysis.filling import Fill, FillLimit
from api.analysis.grouping import GroupBy, Labels
from api.analysis.merging import FROM_PARTS, Counts, Floats
from api.analysis.quality import QualityFilter
from api.reading_query import ReadingQuery
from core.reading import DeviceKey
from storage.ports import Aggregate, Windows


class WindowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is computed.

    Attributes:
        windows: how the range is cut; the percentile. Its aggregate is not looked at.
        aggregates: at least one, each once.
        group_by: what the devices of a series have in common; empty: each is a series.
        quality: which values count.
        fill: what stands in windows without a value.
        fill_limit: how far.
        max_scanned: values that may be read, when they have to be.
    """

    windows: Windows
    aggregates: tuple[Aggregate, ...]
    group_by: tuple[GroupBy, ...]
    quality: QualityFilter
    fill: Fill
    fill_limit: FillLimit
    max_scanned: int

    @property
    def from_values(self) -> bool:
        """Whether the values themselves have to be read."""
        merged = self.group_by and not set(self.aggregates) <= FROM_PARTS
        return self.quality.active or bool(merged)

    @property
    def fills(self) -> bool:
        """Whether windows may hold values that were not measured in them."""
        return self.fill in (Fill.PREVIOUS, Fill.LINEAR)

    @property
    def leaves_out(self) -> bool:
        """Whether windows without a value are left out."""
        return self.fill is Fill.NONE


class Plan(msgspec.Struct, frozen=True):
    """Which series are read, and over which windows.

    Attributes:
        query: devices, range and bound.
        asked: what is computed.
        having: quantities, with the devices that they are read of.
        labels: what the series of a device is called.
        edges: of the windows, nanoseconds.
    """

    query: ReadingQuery
    asked: WindowQuery
    having: list[tuple[tuple[str, ...], tuple[DeviceKey, ...]]]
    labels: dict[DeviceKey, Labels]
    edges: list[int]


class Read(msgspec.Struct):
    """What was found of one series.

    Attributes:
        counts: values in each window.
        values: of each aggregate; NaN where there is none.
    """

    counts: Counts
    values: dict[Aggregate, Floats]


Found = dict[tuple[Labels, str], Read]
"""By what a series is called and its quantity."""
