"""Readings as JSON or CSV. Encoded directly: a hundred thousand points pass through here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from api.selection import quality_names
from api.times import in_zone
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


def raw_json(readings: Sequence[Reading], head: dict[str, Any], *, zone: ZoneInfo) -> bytes:
    """Return the body of `RawReadings`; `head` has every field but `series`."""
    series: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for reading in readings:
        series.setdefault((reading.site, reading.device, reading.quantity), []).append(
            {
                "time": in_zone(reading.time_ns, zone),
                "value": reading.value,
                "quality": quality_names(reading.quality),
            }
        )
    return msgspec.json.encode({**head, "series": _series(series)})


def windows_json(values: Iterable[WindowValue], head: dict[str, Any], *, zone: ZoneInfo) -> bytes:
    """Return the body of `WindowReadings`; `head` has every field but `series`."""
    series: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for value in values:
        series.setdefault((value.site, value.device, value.quantity), []).append(
            {
                "time": in_zone(value.start_ns, zone),
                "end": in_zone(value.end_ns, zone),
                "value": value.value,
                "count": value.count,
            }
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


def _series(series: dict[tuple[str, str, str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
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
