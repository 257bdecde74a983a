"""Writing rows: checked against the tables' bounds, so that both databases refuse the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, String, Table
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import ConfigurationError
from devices.registry.text import check_text

_ROWS = 1000
_BIG, _SMALL = 2**63, 2**31
_LONGEST = 100_000_000


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows.

    Raises:
        ConfigurationError: a value is beyond its column.
    """
    _check(table, rows)
    for start in range(0, len(rows), _ROWS):
        connection.execute(table.insert(), list(rows[start : start + _ROWS]))


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; where the primary key is there already, replace the other columns.

    Rows are written in the order of their keys, so that two writers of the same rows wait for each
    other instead of each holding what the other wants. Of two rows of one key the later stays.

    Raises:
        ConfigurationError: a value is beyond its column.
    """
    _check(table, rows)
    keys = [column.name for column in table.primary_key.columns]
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    ordered = sorted(rows, key=lambda row: tuple(row[key] for key in keys))
    for start in range(0, len(ordered), _ROWS):
        connection.execute(statement, list(ordered[start : start + _ROWS]))


def _check(table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for column in table.columns:
        kind, what = column.type, f"{table.name}: {column.name}"
        values = [row[column.name] for row in rows if row.get(column.name) is not None]
        if isinstance(kind, String):
            for text in values:
                check_text(text, what=what, longest=kind.length or _LONGEST)
        elif isinstance(kind, Integer):
            bound = _BIG if isinstance(kind, BigInteger) else _SMALL
            for number in values:
                if not -bound <= number < bound:
                    raise ConfigurationError(f"{what} is out of range: {number}")
