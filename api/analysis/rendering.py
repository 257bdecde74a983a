"""What `api.analysis` computes, as JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.analysis.joined import Joined, JoinQuery
from api.analysis.plots import Plot
from api.analysis.window_query import WindowQuery
from api.analysis.windows import Answer, WindowRow
from api.selection import quality_names
from api.times import all_in_zone, in_zone
from core.clock import NS_PER_S
from core.quantities import CATALOGUE
from core.reading import Reading

_PLOT_COLUMNS = ("time", "site", "device", "quantity", "unit", "value", "quality", "of")


def plots_json(plots: Iterable[Plot], head: dict[str, Any], *, zone: ZoneInfo) -> bytes:
    """Return the body of `PlotReadings`; `head` has every field but `series`."""
    series = [
        {
            "site": plot.series[0],
            "device": plot.series[1],
            "quantity": plot.series[2],
            "unit": CATALOGUE[plot.series[2]].unit,
            "of": plot.of,
            "points": [
                {"time": text, "value": value, "quality": quality_names(mask)}
                for text, (_, value, mask) in zip(_texts(plot, zone), plot.points, strict=True)
            ],
        }
        for plot in plots
    ]
    return msgspec.json.encode({**head, "series": series})


def plots_csv(plots: Iterable[Plot], *, zone: ZoneInfo) -> str:
    """Return RFC 4180 text, one line a point; `of` is how many values the series was made from."""
    return table(
        _PLOT_COLUMNS,
        (
            (
                text,
                *plot.series,
                CATALOGUE[plot.series[2]].unit,
                repr(value),
                " ".join(quality_names(mask)),
                plot.of,
            )
            for plot in plots
            for text, (_, value, mask) in zip(_texts(plot, zone), plot.points, strict=True)
        ),
    )


def answer_json(
    answer: Answer, asked: WindowQuery, head: dict[str, Any], *, zone: ZoneInfo
) -> bytes:
    """Return the body of `WindowReadings` or `SeveralReadings`; `head` has all but `series`."""
    texts = all_in_zone(answer.edges, zone)
    series = [
        {
            **_series_head(row, grouped=bool(asked.group_by)),
            "points": [
                {"time": start, "end": end, **_values(point, one=len(asked.aggregates) == 1)}
                for (start, end), point in zip(pairwise(texts), _points(row, asked), strict=True)
                if point is not None
            ],
        }
        for row in answer.rows
    ]
    return msgspec.json.encode({**head, "series": series})


def answer_csv(answer: Answer, asked: WindowQuery, labels: Sequence[str], *, zone: ZoneInfo) -> str:
    """Return RFC 4180 text, one line a window; the value of a gap is empty.

    Several aggregates have a column each; `filled` is there when windows may have been filled.
    """
    texts = all_in_zone(answer.edges, zone)
    several = len(asked.aggregates) > 1
    names = [aggregate.value for aggregate in asked.aggregates] if several else ["value"]
    devices = ["devices"] if asked.group_by else []
    filled = ["filled"] if asked.fills else []
    columns = ["start", "end", *labels, *devices, "quantity", "unit", *names, "count", *filled]
    return table(columns, _csv_rows(answer, asked, texts))


def joined_json(
    rows: Sequence[Joined], asked: JoinQuery, head: dict[str, Any], *, zone: ZoneInfo
) -> bytes:
    """Return the body of `JoinedReadings`; `head` has every field but `series`."""
    series: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        right = {
            name: None if value is None else _right(row.left, value, zone)
            for name, value in zip(asked.right, row.right, strict=True)
        }
        series.setdefault((row.left.site, row.left.device), []).append(
            {
                "time": in_zone(row.left.time_ns, zone),
                "value": row.left.value,
                "quality": quality_names(row.left.quality),
                "right": right,
            }
        )
    shown = [
        {"site": site, "device": device, "points": points}
        for (site, device), points in series.items()
    ]
    return msgspec.json.encode({**head, "series": shown})


def joined_csv(rows: Sequence[Joined], left: str, asked: JoinQuery, *, zone: ZoneInfo) -> str:
    """Return RFC 4180 text, one line a left value; what was not found is empty."""
    columns = ["time", "site", "device", left, "quality"]
    for name in asked.right:
        columns += [name, f"{name}_distance_s", f"{name}_device", f"{name}_quality"]
    return table(columns, (_joined_row(row, zone) for row in rows))


def _texts(plot: Plot, zone: ZoneInfo) -> list[str]:
    return all_in_zone([time for time, _, _ in plot.points], zone)


def _right(left: Reading, right: Reading, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "value": right.value,
        "time": in_zone(right.time_ns, zone),
        "distance_s": _distance_s(left, right),
        "site": right.site,
        "device": right.device,
        "quality": quality_names(right.quality),
    }


def _joined_row(row: Joined, zone: ZoneInfo) -> list[object]:
    left = row.left
    cells: list[object] = [
        in_zone(left.time_ns, zone),
        left.site,
        left.device,
        repr(left.value),
        " ".join(quality_names(left.quality)),
    ]
    for right in row.right:
        if right is None:
            cells += ["", "", "", ""]
        else:
            flags = " ".join(quality_names(right.quality))
            cells += [repr(right.value), repr(_distance_s(left, right)), right.device, flags]
    return cells


def _distance_s(left: Reading, right: Reading) -> float:
    return (right.time_ns - left.time_ns) / NS_PER_S


class _Point(msgspec.Struct):
    values: dict[str, float | None]
    count: int
    filled: bool


def _points(row: WindowRow, asked: WindowQuery) -> Iterator[_Point | None]:
    """Yield every window; None for one that is left out."""
    columns = [row.values[aggregate].tolist() for aggregate in asked.aggregates]
    names = [aggregate.value for aggregate in asked.aggregates]
    counts, filled, known = row.counts.tolist(), row.filled.tolist(), row.known.tolist()
    for index, count in enumerate(counts):
        if not known[index] and asked.leaves_out:
            yield None
            continue
        values = (column[index] if known[index] else None for column in columns)
        yield _Point(dict(zip(names, values, strict=True)), count, filled[index])


def _values(point: _Point, *, one: bool) -> dict[str, Any]:
    shown: dict[str, Any] = (
        {"value": next(iter(point.values.values()))} if one else {"values": point.values}
    )
    shown["count"] = point.count
    if point.filled:
        shown["filled"] = True
    return shown


def _series_head(row: WindowRow, *, grouped: bool) -> dict[str, Any]:
    labels = dict(row.group.labels)
    named = {"group": labels, "devices": row.group.devices} if grouped else labels
    name = row.group.quantity
    return {**named, "quantity": name, "unit": CATALOGUE[name].unit}


def _csv_rows(answer: Answer, asked: WindowQuery, texts: Sequence[str]) -> Iterator[list[object]]:
    for row in answer.rows:
        head = [value for _, value in row.group.labels]
        devices = [row.group.devices] if asked.group_by else []
        of = [*head, *devices, row.group.quantity, CATALOGUE[row.group.quantity].unit]
        for edges, point in zip(pairwise(texts), _points(row, asked), strict=True):
            if point is None:
                continue
            values = ["" if value is None else repr(value) for value in point.values.values()]
            filled = [str(point.filled).lower()] if asked.fills else []
            yield [*edges, *of, *values, point.count, *filled]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return RFC 4180 text with a header."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()
