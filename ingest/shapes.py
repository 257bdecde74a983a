"""Messages of one shape: the same quantities in the same order, written in one go.

Devices send the same fields over and over. For each list of names what the catalogue says of them
is looked up once. The fields of a line are written by the JSON encoder, whose numbers are those of
line protocol too (the shortest text that reads back as the same float64) and faster than `repr`:
`{"a":1.5,"b":2.0}` becomes `a=1.5,b=2.0` by exchanging `:` and leaving out braces and quotes, as no
name holds any of these. The points are those that `ingest.validate` makes of the same values; a
test holds them to it.
"""

from __future__ import annotations

import re

import msgspec

from core.quantities import CATALOGUE
from storage.line_protocol import QUALITY

_NAME = re.compile(r"[a-z0-9_]+")
_EQUALS = bytes.maketrans(b":", b"=")
_BRACES_AND_QUOTES = b'{}"'
_QUALITY = b",%b=%%di" % QUALITY.encode()
_encode = msgspec.json.Encoder().encode


class Shape:
    """What is known of messages with certain quantities, all of them numbers.

    Args:
        names: the quantities, in the order of the message.

    Attributes:
        points: how many points a message becomes.
        counts: category and number of values of each.
        bounds: least and greatest value of each quantity, in canonical units.
    """

    __slots__ = ("_category", "_groups", "bounds", "counts", "points")

    def __init__(self, names: tuple[str, ...]) -> None:
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(CATALOGUE[name].category.value, []).append(name)
        self.bounds = {name: (CATALOGUE[name].minimum, CATALOGUE[name].maximum) for name in names}
        self._groups = [(category.encode(), tuple(group)) for category, group in groups.items()]
        self._category = self._groups[0][0] if len(groups) == 1 else None
        self.points = len(groups)
        self.counts = tuple([(category, len(group)) for category, group in groups.items()])

    def lines(self, values: msgspec.Struct, tags: bytes, time_ns: int, quality: int) -> bytes:
        """Return the lines of a message.

        Args:
            values: as `devices.formats.Flat` has them.
            tags: of the device, as line protocol.
            time_ns: the instant, nanoseconds since the epoch.
            quality: `core.quality.Quality` of the points.
        """
        mark = _QUALITY % quality if quality else b""
        if self._category is not None:
            fields = _encode(values).translate(_EQUALS, _BRACES_AND_QUOTES)
            return b"%b,%b %b%b %d" % (self._category, tags, fields, mark, time_ns)
        lines = []
        for category, names in self._groups:
            fields = _encode({name: getattr(values, name) for name in names})
            fields = fields.translate(_EQUALS, _BRACES_AND_QUOTES)
            lines.append(b"%b,%b %b%b %d" % (category, tags, fields, mark, time_ns))
        return b"\n".join(lines)


def shape_of(names: tuple[str, ...]) -> Shape | None:
    """Return the shape of messages with these quantities; None where one is not a number."""
    known = all(
        name in CATALOGUE and CATALOGUE[name].type == "float" and _NAME.fullmatch(name)
        for name in names
    )
    return Shape(names) if known else None
