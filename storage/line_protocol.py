"""Points as line protocol: one line per point, every value a float64.

A number without a decimal point or exponent is still a float in line protocol; an integer would
carry an `i`, and would freeze the field's type for its shard. `repr` of a float is the shortest
text that reads back as the same float64, in Python as in Go.

Tags are written in the order of their keys, as InfluxDB sorts them. A comma, space or equals sign
in a tag is escaped by a backslash; any other backslash stands for itself, which is why one at the
end of a tag, before the comma that ends it, cannot be written (`storage.refusal`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from core.reading import Point
from storage.refusal import tag_problem

QUALITY = "quality"
"""Name of the field that holds `Point.quality`, an integer, where it is not 0."""

_SPECIAL = re.compile(r"([,= ])")


def line_of(point: Point) -> str:
    """Return the line of a point.

    Raises:
        ValueError: its site or device cannot be written (see `storage.refusal`).
    """
    fields = ",".join([f"{name}={float(value)!r}" for name, value in point.values.items()])
    if point.quality:
        fields += f",{QUALITY}={int(point.quality)}i"
    return f"{point.category},{tags_of(point.site, point.device)} {fields} {point.time_ns}"


@lru_cache(maxsize=65_536)
def tags_of(site: str, device: str) -> str:
    """Return the tags of a device's points.

    Raises:
        ValueError: the site or the device cannot be written (see `storage.refusal`).
    """
    problem = tag_problem(site) or tag_problem(device)
    if problem is not None:
        raise ValueError(problem)
    return f"device={_escaped(device)},site={_escaped(site)}"


def _escaped(tag: str) -> str:
    return _SPECIAL.sub(r"\\\1", tag)


def lines_of(points: Iterable[Point]) -> bytes:
    """Return one line per point, joined by line feeds."""
    return "\n".join([line_of(point) for point in points]).encode()


def points_of(lines: bytes) -> list[Point]:
    """Return the points that lines say.

    Args:
        lines: as `lines_of` or `ingest.shapes` write them, joined by line feeds.

    Raises:
        ValueError: one is not written so; the sentence gives its number, from 1.
    """
    if not lines:
        return []
    return [_point(number, line) for number, line in enumerate(lines.split(b"\n"), start=1)]


_TAG = rb"((?:[^ ,=]|\\[ ,=])+)"
_LINE = re.compile(rb"([a-z_]+),device=%b,site=%b (\S+) (-?\d+)" % (_TAG, _TAG))
_ESCAPE = re.compile(r"\\([,= ])")


def _point(number: int, line: bytes) -> Point:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"line {number} is not a point as it is written here: {line[:200]!r}")
    category, device, site, fields, time_ns = found.groups()
    values: dict[str, float] = {}
    quality = 0
    try:
        for field in fields.decode().split(","):
            name, _, text = field.partition("=")
            if name == QUALITY:
                quality = int(text[:-1])
            else:
                values[name] = float(text)
        return Point(_tag(site), _tag(device), category.decode(), int(time_ns), values, quality)
    except ValueError:
        raise ValueError(
            f"line {number} is not a point as it is written here: {line[:200]!r}"
        ) from None


@lru_cache(maxsize=65_536)
def _tag(written: bytes) -> str:
    return _ESCAPE.sub(r"\1", written.decode())
