"""Writing rows: checked against the tables' bounds, so that both databases refuse the same.

Workers write thousands of rows a second. SQLAlchemy prepares each row's values for the driver anew,
which takes longer than the database does, and PostgreSQL takes a thousand statements for a thousand
rows. So rows of plain columns are handed over as they are, to PostgreSQL a thousand at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Dialect,
    Float,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import ConfigurationError
from devices.registry.text import check_text

Otherwise = Callable[[Any], Any]
"""Takes an insertion of PostgreSQL's or SQLite's; returns it with its clause ON CONFLICT."""
_ROWS = 1000
_GIVEN = "given"
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
    newest = {tuple([row[key] for key in keys]): row for row in rows}
    insert_or(connection, table, [newest[key] for key in sorted(newest)], _replace)


def insert_or(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], otherwise: Otherwise
) -> None:
    """Insert rows, and do something else with those whose key is there already.

    Args:
        connection: within its transaction.
        table: whose columns are plain: texts and numbers. Others are written too, more slowly.
        rows: the same columns each, no two of one key.
        otherwise: adds the clause ON CONFLICT; a function of a module, for it is remembered.
    """
    if not rows:
        return
    dialect = connection.dialect
    names = tuple(rows[0])
    plain = len(names) > 1 and all(_is_plain(table.columns[name], rows) for name in names)
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        if not plain:
            connection.execute(otherwise(insertion(dialect, table)), list(some))
        elif dialect.name == "postgresql":
            given = msgspec.json.encode(some).decode()
            connection.exec_driver_sql(
                _rows_text(table, names, otherwise, dialect), {_GIVEN: given}
            )
        else:
            text, order = _row_text(table, names, otherwise, dialect)
            connection.exec_driver_sql(text, list(map(itemgetter(*order), some)))


def _is_plain(of: Column[Any], rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the driver takes a column's values as they are, and JSON can hold them."""
    if isinstance(of.type, Float):
        return all(row[of.name] is None or isfinite(row[of.name]) for row in rows)
    return isinstance(of.type, String | Integer)


def insertion(dialect: Dialect, table: Table) -> Any:
    """Return an insertion that can be given a clause ON CONFLICT, PostgreSQL's or SQLite's."""
    build = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return build(table)


def _replace(statement: Any) -> Any:
    """Replace what is there."""
    table: Table = statement.table
    keys = [column.name for column in table.primary_key.columns]
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


@lru_cache(maxsize=256)
def _row_text(
    table: Table, names: tuple[str, ...], otherwise: Otherwise, dialect: Dialect
) -> tuple[str, tuple[str, ...]]:
    """Return a statement for one row, and the order of its values."""
    statement = otherwise(insertion(dialect, table))
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    return str(compiled), tuple(compiled.positiontup or ())


@lru_cache(maxsize=256)
def _rows_text(table: Table, names: tuple[str, ...], otherwise: Otherwise, dialect: Dialect) -> str:
    """Return a statement for many rows at once, given as a JSON array of objects."""
    columns = [column(name, table.columns[name].type) for name in names]
    array = cast(bindparam(_GIVEN, type_=Text), JSON)
    given = func.json_to_recordset(array).table_valued(*columns)
    chosen = select(given.render_derived(name=_GIVEN, with_types=True))
    statement = otherwise(postgresql.insert(table).from_select(list(names), chosen))
    return str(statement.compile(dialect=dialect))


def _check(table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for one in table.columns:
        kind, what = one.type, f"{table.name}: {one.name}"
        values = [row[one.name] for row in rows if row.get(one.name) is not None]
        if isinstance(kind, String):
            for text in values:
                check_text(text, what=what, longest=kind.length or _LONGEST)
        elif isinstance(kind, Integer):
            bound = _BIG if isinstance(kind, BigInteger) else _SMALL
            for number in values:
                if not -bound <= number < bound:
                    raise ConfigurationError(f"{what} is out of range: {number}")
