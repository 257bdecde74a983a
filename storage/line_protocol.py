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
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat

import msgspec

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
    try:
        return _parsed(lines.decode().split("\n"))
    except (ValueError, msgspec.MsgspecError):
        raise _first_problem(lines.split(b"\n")) from None


def series_of(head: bytes) -> tuple[str, str, str]:
    """Return site, device and category of what stands before the fields of a line.

    Raises:
        ValueError: it is not written as `line_of` writes it.
    """
    return _series(head.decode())


_TAG = r"((?:[^\\,= ]|\\[,= ]?)+)"
_HEAD = re.compile(rf"([a-z][a-z0-9_]*),device={_TAG},site={_TAG}")
_ESCAPED = re.compile(r"\\([,= ])")
_TIME = re.compile(r"-?[0-9]+")
_MARK = f",{QUALITY}="
_VALUES = msgspec.json.Decoder(list[dict[str, float]])
_SHOWN = 200


def _parsed(lines: list[str]) -> list[Point]:
    """Return the points of some lines.

    The fields of all lines are made one JSON text, which a parser in C reads and checks: that takes
    half the time of a loop over the fields.
    """
    heads, fields, times = zip(*[line.rsplit(" ", 2) for line in lines], strict=True)
    marks: Iterable[int] = repeat(0, len(fields))
    if any(text[-1:] == "i" for text in fields):
        parted = [text.partition(_MARK) for text in fields]
        fields = tuple([values for values, _, _ in parted])
        marks = [_integer(mark[:-1]) if mark else 0 for _, _, mark in parted]
    together = "\n".join(fields)
    if '"' in together or "\\" in together:
        raise ValueError("a field's name holds what no name holds")
    text = together.replace("=", '":').replace(",", ',"').replace("\n", '},{"')
    if f',"{QUALITY}":' in text or f'{{"{QUALITY}":' in f'{{"{text}':
        raise ValueError("a quality stands last, as a whole number")
    return [
        Point(*_series(head), _integer(time), values, mark)
        for head, time, values, mark in zip(
            heads, times, _VALUES.decode(f'[{{"{text}}}]'), marks, strict=True
        )
    ]


def _integer(text: str) -> int:
    if _TIME.fullmatch(text) is None:
        raise ValueError("an instant or a quality is a whole number")
    return int(text)


@lru_cache(maxsize=65_536)
def _series(head: str) -> tuple[str, str, str]:
    """Return site, device and category of what stands before the fields of a line."""
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError("a line begins with a category, a device and a site")
    return _ESCAPED.sub(r"\1", found[3]), _ESCAPED.sub(r"\1", found[2]), found[1]


def _first_problem(lines: Sequence[bytes]) -> ValueError:
    for number, line in enumerate(lines, start=1):
        try:
            _parsed([line.decode()])
        except (ValueError, msgspec.MsgspecError):
            return ValueError(
                f"line {number} is not a point as it is written here: {line[:_SHOWN]!r}"
            )
    return ValueError("these lines are not points as they are written here")
