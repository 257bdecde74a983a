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
from functools import lru_cache

from core.reading import Point

QUALITY = "quality"
"""Name of the field that holds `Point.quality`, an integer, where it is not 0."""

_SPECIAL = re.compile(r"([,= ])")


def line_of(point: Point) -> str:
    """Return the line of a point that `storage.refusal` does not refuse."""
    fields = ",".join([f"{name}={float(value)!r}" for name, value in point.values.items()])
    if point.quality:
        fields += f",{QUALITY}={int(point.quality)}i"
    return f"{point.category},{_tags(point.site, point.device)} {fields} {point.time_ns}"


@lru_cache(maxsize=65_536)
def _tags(site: str, device: str) -> str:
    return f"device={_escaped(device)},site={_escaped(site)}"


def _escaped(tag: str) -> str:
    return _SPECIAL.sub(r"\\\1", tag)
