"""Readings as CSV, windows as JSON or CSV, encoded directly, as a hundred thousand may pass."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.selection import quality_names
from api.times import all_in_zone, in_zone
from core.quantities import CATALOGUE
from core.reading import Reading
from storage.ports import WindowValue

CSV_MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
RAW_COLUMNS = ("time", "site", "device", "quantity", "unit", "value", "quality")
WINDOW_COLUMNS = ("start", "end", "site", "device", "quantity", "unit", "value", "count")


def wants_csv(accept: str) -> bool:
    """Tell whether an `Accept` header prefers CSV to JSON (RFC 9110, 12.5.1)."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for entry in accept.split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        if media in weights:
            weights[media] = quality
    return weights["text/csv"] > weights["application/json"]


class _WindowPoint(msgspec.Struct, frozen=True):
    time: str
    end: str
    value: float | None
    count: int


def windows_json(values: Sequence[WindowValue], head: dict[str, Any], *, zone: ZoneInfo) -> bytes:
    """Return the body of `WindowReadings`; `head` has every field but `series`."""
    # every series has the same windows: each instant is written out once
    edges = list({value.start_ns for value in values} | {value.end_ns for value in values})
    text = dict(zip(edges, all_in_zone(edges, zone), strict=True))
    series: dict[tuple[str, str, str], list[object]] = {}
    for one in values:
        series.setdefault((one.site, one.device, one.quantity), []).append(
            _WindowPoint(text[one.start_ns], text[one.end_ns], one.value, one.count)
        )
    return msgspec.json.encode({**head, "series": _series(series)})


def raw_csv(readings: Iterable[Reading], *, zone: ZoneInfo) -> str:
    """Return RFC 4180 text, one line a reading; quality flags are joined by spaces."""
    return _csv(
        RAW_COLUMNS,
        (
            (
                in_zone(reading.time_ns, zone),
                reading.site,
                reading.device,
                reading.quantity,
                CATALOGUE[reading.quantity].unit,
                repr(reading.value),
                " ".join(quality_names(reading.quality)),
            )
            for reading in readings
        ),
    )


def windows_csv(values: Iterable[WindowValue], *, zone: ZoneInfo) -> str:
    """Return RFC 4180 text, one line a window; the value of a gap is empty."""
    return _csv(
        WINDOW_COLUMNS,
        (
            (
                in_zone(value.start_ns, zone),
                in_zone(value.end_ns, zone),
                value.site,
                value.device,
                value.quantity,
                CATALOGUE[value.quantity].unit,
                "" if value.value is None else repr(value.value),
                value.count,
            )
            for value in values
        ),
    )


def _series(series: dict[tuple[str, str, str], list[object]]) -> list[dict[str, Any]]:
    return [
        {
            "site": site,
            "device": device,
            "quantity": quantity,
            "unit": CATALOGUE[quantity].unit,
            "points": points,
        }
        for (site, device, quantity), points in series.items()
    ]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
