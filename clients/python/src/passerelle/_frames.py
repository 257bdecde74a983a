"""Answers as DataFrames: instants with their zone, units and the query in `attrs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

_NESTED = ("title", "acknowledged")
_OF_ALERTS = ("at", "since", "until", "opened", "closed", "told", "acknowledged")


def instants(texts: Sequence[str | None], zone: str) -> pd.DatetimeIndex:
    """Return RFC 3339 texts as instants in a zone, exact to the nanosecond."""
    parsed = pd.to_datetime(pd.Index(list(texts), dtype="object"), utc=True, format="ISO8601")
    return pd.DatetimeIndex(parsed).as_unit("ns").tz_convert(zone)


def raw_frame(pages: Iterable[Mapping[str, Any]], query: Mapping[str, Any]) -> pd.DataFrame:
    """Return raw values: `time`, `site`, `device`, `quantity`, `value`, `quality`."""
    names = ("time", "site", "device", "quantity", "value", "quality")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    first: Mapping[str, Any] | None = None
    units: dict[str, str] = {}
    for page in pages:
        first = first or page
        for series in page["series"]:
            points = series["points"]
            units[series["quantity"]] = series["unit"]
            columns["time"] += [point["time"] for point in points]
            columns["value"] += [point["value"] for point in points]
            columns["quality"] += [" ".join(point["quality"]) for point in points]
            for name in ("site", "device", "quantity"):
                columns[name] += [series[name]] * len(points)
    return _timed(columns, "time", first or {}, units, query).sort_values(
        ["time", "site", "device", "quantity"], ignore_index=True
    )


def windows_frame(answer: Mapping[str, Any], query: Mapping[str, Any]) -> pd.DataFrame:
    """Return windows: `time` (start), `end`, whose they are, `quantity`, what they hold, `count`.

    Whose: `site` and `device`, or what a group has in common and how many `devices` it has. What
    they hold: `value`, or a column each of several aggregates. With a fill: `filled`.
    """
    grouped = list(answer.get("group_by") or ())
    whose = [*grouped, "devices"] if grouped else ["site", "device"]
    whose = [name for name in whose if name != "quantity"]
    several = list(answer.get("aggregates") or ())
    names = ["time", "end", *whose, "quantity", *(several or ["value"]), "count"]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    filled: list[bool] = []
    units: dict[str, str] = {}
    for series in answer["series"]:
        points = series["points"]
        units[series["quantity"]] = series["unit"]
        for name in ("time", "end", "count", *(() if several else ("value",))):
            columns[name] += [point[name] for point in points]
        for name in several:
            columns[name] += [point["values"][name] for point in points]
        of = {**series, **series.get("group", {})}
        for name in (*whose, "quantity"):
            columns[name] += [of[name]] * len(points)
        filled += [bool(point.get("filled")) for point in points]
    frame = _timed(columns, "time", answer, units, query)
    frame["end"] = instants(columns["end"], answer["zone"])
    for name in several:
        frame[name] = pd.array(columns[name], dtype="float64")
    if "fill" in answer:
        frame["filled"] = filled
    for name in ("every", "aggregate", "aggregates", "group_by", "fill", "percentile", "rollups"):
        frame.attrs[name] = answer.get(name)
    return frame


def joined_frame(answer: Mapping[str, Any], query: Mapping[str, Any]) -> pd.DataFrame:
    """Return values with the nearest ones of others: a column a quantity, and its distance."""
    left = answer["left"]["quantity"]
    units = {one["quantity"]: one["unit"] for one in (answer["left"], *answer["right"])}
    rows: list[dict[str, Any]] = []
    for series in answer["series"]:
        for point in series["points"]:
            row = {
                "time": point["time"],
                "site": series["site"],
                "device": series["device"],
                left: point["value"],
                "quality": " ".join(point["quality"]),
            }
            for one in answer["right"]:
                name = one["quantity"]
                found = point["right"].get(name) or {}
                row[name] = found.get("value")
                row[f"{name}_distance_s"] = found.get("distance_s")
                row[f"{name}_device"] = found.get("device")
            rows.append(row)
    names = ["time", "site", "device", left, "quality"]
    for one in answer["right"]:
        name = one["quantity"]
        names += [name, f"{name}_distance_s", f"{name}_device"]
    columns = {name: [row[name] for row in rows] for name in names}
    return _timed(columns, "time", answer, units, query)


def latest_frame(answer: Mapping[str, Any], query: Mapping[str, Any]) -> pd.DataFrame:
    """Return newest values: `time`, `site`, `device`, `quantity`, `value`, `age_s`, `quality`."""
    values = answer["values"]
    names = ("time", "site", "device", "quantity", "value", "age_s")
    columns: dict[str, list[Any]] = {name: [one[name] for one in values] for name in names}
    columns["quality"] = [" ".join(one["quality"]) for one in values]
    units = {one["quantity"]: one["unit"] for one in values}
    return _timed(columns, "time", answer, units, query)


def rows_frame(
    rows: Sequence[Mapping[str, Any]], query: Mapping[str, Any], *, times: Iterable[str] = ()
) -> pd.DataFrame:
    """Return rows as they are, with some columns as instants in UTC."""
    frame = pd.DataFrame(list(rows))
    for name in times:
        if name in frame:
            frame[name] = instants(frame[name].tolist(), "UTC")
    frame.attrs["query"] = dict(query)
    return frame


def alerts_frame(rows: Sequence[Mapping[str, Any]], query: Mapping[str, Any]) -> pd.DataFrame:
    """Return alerts, one a row: titles and the acknowledgement in columns of their own."""
    flat = []
    for row in rows:
        taken = row["acknowledged"] or {}
        said = {name: value for name, value in row.items() if name not in _NESTED}
        said |= {f"title_{language}": text for language, text in row["title"].items()}
        said |= {
            "acknowledged_by": taken.get("by"),
            "acknowledged": taken.get("time"),
            "acknowledged_note": taken.get("note"),
        }
        flat.append(said)
    return rows_frame(flat, query, times=_OF_ALERTS)


def _timed(
    columns: Mapping[str, list[Any]],
    time: str,
    answer: Mapping[str, Any],
    units: Mapping[str, str],
    query: Mapping[str, Any],
) -> pd.DataFrame:
    zone = answer.get("zone", "UTC")
    data: dict[str, Any] = dict(columns)
    data[time] = instants(columns[time], zone)
    if "value" in data:
        data["value"] = pd.array(data["value"], dtype="float64")
    frame = pd.DataFrame(data)
    frame.attrs = {
        "units": dict(units),
        "zone": zone,
        "start": answer.get("start"),
        "end": answer.get("end"),
        "query": dict(query),
    }
    return frame
