"""Points as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from core.clock import iso
from core.quality import Quality
from core.quantities import CATALOGUE
from core.reading import Point


def points_table(points: Sequence[Point]) -> Table:
    """Return a table of every value in `points`."""
    table = Table("quantity", "value", "unit", "time (UTC)", "quality")
    for point in points:
        flags = ", ".join(flag.name or "" for flag in Quality(point.quality)) or "good"
        for name, value in point.values.items():
            unit = CATALOGUE[name].unit if name in CATALOGUE else ""
            table.add_row(name, f"{value:.10g}", unit, iso(point.time_ns), flags)
    return table
