"""Series of an answer drawn in the terminal: a chart for each quantity, in the answer's zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import numpy as np
from uniplot import plot_to_string

POINTS_A_COLUMN = 8
"""Values of a series that a column of text can show: two dots wide, four values for each (M4)."""
_HEIGHT = 16
_MARGIN = 16
_NARROWEST = 20
_ROOM = 0.05

Json = Mapping[str, Any]


def columns_of(width: int) -> int:
    """Return how wide a chart is in a terminal of `width` columns: its labels stand beside it."""
    return max(_NARROWEST, width - _MARGIN)


def charts(
    answer: Json,
    *,
    width: int,
    color: bool,
    limits: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> Iterator[str]:
    """Yield a chart for each quantity of an answer of `/v1/readings`, with all of its series.

    A window without a value is a gap in the line. Instants are local times of the answer's zone.

    Args:
        answer: raw values, reduced ones, or windows of one aggregate; a series with `dots` is
            drawn as points.
        width: of the terminal, columns.
        color: whether it shows colours.
        limits: quantity -> values that are drawn as lines across its chart.
    """
    by_quantity: dict[str, list[Json]] = {}
    for series in answer["series"]:
        by_quantity.setdefault(series["quantity"], []).append(series)
    for quantity, series in by_quantity.items():
        drawn = [
            one for one in series if any(point["value"] is not None for point in one["points"])
        ]
        if not drawn:
            yield f"{quantity}: no values"
            continue
        yield plot_to_string(
            xs=[_instants(one["points"]) for one in drawn],
            ys=[_values(one["points"]) for one in drawn],
            lines=[len(one["points"]) > 1 and not one.get("dots") for one in drawn],
            legend_labels=[label_of(one) for one in drawn],
            title=f"{_aggregate(answer)}{quantity}, {drawn[0]['unit']} ({answer['zone']})",
            y_unit=f" {drawn[0]['unit']}",
            y_gridlines=sorted(limits.get(quantity, [0.0])),
            **_reach(drawn, limits.get(quantity, ())),
            width=columns_of(width),
            height=_HEIGHT,
            character_set="braille",
            color=color,
        )


def label_of(series: Json) -> str:
    """Return what a series is called: its device, or what its group has in common."""
    if "device" in series:
        return str(series["device"])
    parts = [f"{name} {value or '?'}" for name, value in series["group"].items()]
    return ", ".join(parts) or "all devices"


def _reach(series: Sequence[Json], limits: Sequence[float]) -> dict[str, float]:
    """Return how far the axis of values goes where limits have to be on it."""
    if not limits:
        return {}
    values = [*limits]
    for one in series:
        values += [point["value"] for point in one["points"] if point["value"] is not None]
    room = _ROOM * (max(values) - min(values)) or 1.0
    return {"y_min": min(values) - room, "y_max": max(values) + room}


def _aggregate(answer: Json) -> str:
    aggregate = answer.get("aggregate")
    return "" if aggregate is None else f"{aggregate} of {answer['every']}, "


def _instants(points: Sequence[Json]) -> Any:
    """Return local times: charts know no zones."""
    local = [datetime.fromisoformat(point["time"]).replace(tzinfo=None) for point in points]
    return np.array(local, dtype="datetime64[us]")


def _values(points: Sequence[Json]) -> Any:
    return np.array(
        [np.nan if point["value"] is None else point["value"] for point in points], dtype=float
    )
