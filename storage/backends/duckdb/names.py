"""The names in a DuckDB file: which number a source or a series has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import msgspec

from core.reading import Point
from storage.selecting import Series


class Source(msgspec.Struct, frozen=True):
    """A device's points of one category.

    Attributes:
        id: its number in `sources`.
        series: quantity -> number in `series`.
    """

    id: int
    series: Mapping[str, int]


class Names:
    """Every name that is committed. Never changed: adding some makes a new one.

    Args:
        sources: by site, device and category.
    """

    def __init__(self, sources: Mapping[tuple[str, str, str], Source]) -> None:
        self.sources = sources
        self.series: dict[Series, tuple[int, int]] = {
            (site, device, name): (number, source.id)
            for (site, device, _), source in sources.items()
            for name, number in source.series.items()
        }
        """Series and source numbers by site, device and quantity."""

    @classmethod
    def load(cls, cursor: duckdb.DuckDBPyConnection) -> Names:
        """Read the names that a file holds."""
        rows = cursor.execute(
            "SELECT site, device, category, sources.id, quantity, series.id "
            "FROM sources JOIN series ON series.source = sources.id"
        ).fetchall()
        found: dict[tuple[str, str, str], dict[str, int]] = {}
        numbers: dict[tuple[str, str, str], int] = {}
        for site, device, category, source, name, number in rows:
            found.setdefault((site, device, category), {})[name] = number
            numbers[site, device, category] = source
        return cls({key: Source(numbers[key], series) for key, series in found.items()})

    def add_missing(self, cursor: duckdb.DuckDBPyConnection, points: Iterable[Point]) -> Names:
        """Return the names with those of `points`, written in the transaction of `cursor`.

        What is returned holds once that transaction is committed.
        """
        missing: dict[tuple[str, str, str], list[str]] = {}
        for point in points:
            key = (point.site, point.device, point.category)
            source = self.sources.get(key)
            if source is None or not point.values.keys() <= source.series.keys():
                known = {} if source is None else source.series
                names = missing.setdefault(key, [])
                names.extend(name for name in point.values if name not in known)
        if not missing:
            return self
        return Names(
            {**self.sources, **{key: self._add(cursor, key, missing[key]) for key in missing}}
        )

    def _add(
        self, cursor: duckdb.DuckDBPyConnection, key: tuple[str, str, str], names: Iterable[str]
    ) -> Source:
        source = self.sources.get(key)
        if source is None:
            number = _number(
                cursor,
                "INSERT INTO sources (site, device, category) VALUES (?, ?, ?) RETURNING id",
                key,
            )
            source = Source(number, {})
        added = {
            name: _number(
                cursor,
                "INSERT INTO series (source, quantity) VALUES (?, ?) RETURNING id",
                (source.id, name),
            )
            for name in dict.fromkeys(names)
        }
        return Source(source.id, {**source.series, **added})


def _number(cursor: duckdb.DuckDBPyConnection, sql: str, values: tuple[object, ...]) -> int:
    [(number,)] = cursor.execute(sql, values).fetchall()
    return int(number)
