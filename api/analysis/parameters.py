"""What `/v1/readings` takes beside devices, range and windows, checked against each other."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from api.analysis.filling import Fill, FillLimit
from api.analysis.grouping import GroupBy, chosen_groups
from api.analysis.plots import Downsampling
from api.analysis.quality import EVERY_QUALITY, QualityFilter, chosen_quality
from api.parameters import split_list
from api.problems import InvalidParameterError
from core.clock import NS_PER_S
from storage.ports import Aggregate

_DURATION = re.compile(r"(\d{1,9})(s|min|m|h|d|w)", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NOT_FILLED = (Aggregate.COUNT, Aggregate.SUM)


QualityParameter = Annotated[
    list[str] | None,
    Query(
        description="Only values all of whose flags are named here; good names those without any.",
        max_length=20,
        examples=[["good"]],
    ),
]
ExcludeQualityParameter = Annotated[
    list[str] | None,
    Query(
        description="Only values that have none of these flags.",
        max_length=20,
        examples=[["late", "simulated"]],
    ),
]


@dataclass(frozen=True, kw_only=True)
class Refinements:
    """The optional parameters of `/v1/readings` that change what is computed.

    Attributes:
        group_by: by what series are put together.
        fill: what stands in windows without a value.
        fill_limit: how much of a gap is filled.
        max_points: raw values of a series in a plot, at most.
        downsample: how they are reduced.
        quality: which values count.
    """

    group_by: tuple[GroupBy, ...] = ()
    fill: Fill | None = None
    fill_limit: FillLimit | None = None
    max_points: int | None = None
    downsample: Downsampling | None = None
    quality: QualityFilter = EVERY_QUALITY

    @property
    def refines_windows(self) -> bool:
        """Whether windows are anything but what a store computes of each device."""
        return bool(self.group_by) or self.quality.active or self.fill is not None

    def check_raw(self, *, paged: bool) -> None:
        """Refuse what needs windows, and pages of a plot.

        Raises:
            InvalidParameterError: names the parameter.
        """
        for name, value in (("group_by", self.group_by), ("fill", self.fill)):
            if value:
                raise InvalidParameterError(name, "needs windows: give every, such as every=1h")
        if self.downsample is not None and self.max_points is None:
            raise InvalidParameterError(
                "downsample", "needs max_points: how many values a series may have"
            )
        if self.max_points is not None and paged:
            raise InvalidParameterError(
                "max_points", "answers the whole range at once: leave limit and cursor out"
            )

    def check_windows(self, aggregates: tuple[Aggregate, ...]) -> None:
        """Refuse what does not go with windows.

        Raises:
            InvalidParameterError: names the parameter.
        """
        for name, value in (("max_points", self.max_points), ("downsample", self.downsample)):
            if value is not None:
                raise InvalidParameterError(
                    name, "reduces raw values: leave every out, or take a longer every"
                )
        if self.fill in (Fill.PREVIOUS, Fill.LINEAR):
            for aggregate in aggregates:
                if aggregate in _NOT_FILLED:
                    raise InvalidParameterError(
                        "fill",
                        f"{self.fill.value} would invent values that nobody sent, and {aggregate} "
                        "says how many or how much was sent; use fill=null, or another aggregate",
                    )


async def chosen_refinements(
    *,
    group_by: Annotated[
        list[str] | None,
        Query(
            description="One series for each site, profile (or device_type), building, zone, "
            "or one over all devices (quantity), instead of each device; repeated or "
            "comma-separated. Quantities are never merged.",
            max_length=20,
            examples=[["site", "profile"]],
        ),
    ] = None,
    fill: Annotated[
        Fill | None,
        Query(
            description="What stands in windows without a value: nothing (the window is left "
            "out), null (default), the previous value, or a linear course. Never before the "
            "first value nor after the last.",
            examples=["linear"],
        ),
    ] = None,
    fill_limit: Annotated[
        str | None,
        Query(
            description="How much of a gap is filled: a number of windows, or a length such "
            "as 6h; default: all of it.",
            max_length=64,
            examples=["6h"],
        ),
    ] = None,
    max_points: Annotated[
        int | None,
        Query(
            description="Raw values reduced for a plot: at most so many of each series.",
            ge=3,
            examples=[1000],
        ),
    ] = None,
    downsample: Annotated[
        Downsampling | None,
        Query(
            description="How they are reduced: lttb (default) keeps the shape, m4 keeps the "
            "pixels of a line chart of max_points/4 columns.",
            examples=["m4"],
        ),
    ] = None,
    quality: QualityParameter = None,
    exclude_quality: ExcludeQualityParameter = None,
) -> Refinements:
    """Return the refinements that were asked for: a dependency.

    Raises:
        InvalidParameterError: names the parameter.
    """
    limit = None if fill_limit is None else parse_fill_limit(fill_limit)
    if limit is not None and fill not in (Fill.PREVIOUS, Fill.LINEAR):
        raise InvalidParameterError("fill_limit", "belongs to fill=previous or fill=linear")
    return Refinements(
        group_by=chosen_groups(group_by),
        fill=fill,
        fill_limit=limit,
        max_points=max_points,
        downsample=downsample,
        quality=chosen_quality(quality, exclude_quality),
    )


def chosen_aggregates(values: list[str] | None, percentile: float | None) -> tuple[Aggregate, ...]:
    """Return the aggregates that are named, each once; the mean when none is.

    Raises:
        InvalidParameterError: one is not known, or `percentile` is missing or too much.
    """
    names = split_list(values)
    if values is not None and not names:
        raise InvalidParameterError("aggregate", f"names none; use {', '.join(Aggregate)}")
    known = [aggregate.value for aggregate in Aggregate]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name[:40], known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"use {', '.join(known)}"
            raise InvalidParameterError("aggregate", f"{name[:40]!r} is no aggregate; {hint}")
    aggregates = tuple(Aggregate(name) for name in names) or (Aggregate.MEAN,)
    if (Aggregate.PERCENTILE in aggregates) == (percentile is None):
        raise InvalidParameterError(
            "percentile", "belongs to aggregate=percentile, and that one needs it"
        )
    return aggregates


def parse_fill_limit(text: str) -> FillLimit:
    """Return the limit that `text` names: `3` windows, or a length such as `6h`.

    Raises:
        InvalidParameterError: it is neither, or it is 0.
    """
    if _COUNT.fullmatch(text) and int(text):
        return FillLimit(windows=int(text))
    return FillLimit(length_ns=parse_length(text, parameter="fill_limit", also="3 (windows), "))


def parse_length(text: str, *, parameter: str, also: str = "", zero: bool = False) -> int:
    """Return a length of time in nanoseconds: `30s`, `5min` or `5m`, `6h`, `2d`, `1w`.

    Args:
        text: as a caller wrote it.
        parameter: its name, for the error.
        also: other forms that the parameter takes, for the error.
        zero: whether nothing is a length too.

    Raises:
        InvalidParameterError: it is none, or it is 0.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not (zero or int(found[1])):
        raise InvalidParameterError(
            parameter, f"{text[:40]!r} is not a length; use {also}30s, 5min, 6h, 2d or 1w"
        )
    return int(found[1]) * _UNIT_S[found[2]] * NS_PER_S
