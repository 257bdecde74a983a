"""InfluxQL over HTTP: statements sent, rows received as they come, nothing silently left out.

Answers are asked for in chunks: whole answers may be cut short by a server's `max-row-limit`,
chunked ones are not. A statement whose last chunk says `partial`, or that was not answered, is an
error. Names in conditions are bound parameters (`$name`), which 1.13 and 2.10 both take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import httpx
import msgspec

from core.errors import StoreUnavailableError
from storage.backends.influxdb.answers import retry_after_s, said

_UNREPRESENTABLE = "unsupported value"
_KINDS: Mapping[str, Any] = {
    "time": int,
    "default": bool,
    **dict.fromkeys(("site", "device", "name", "fieldKey", "fieldType"), str | None),
    **dict.fromkeys(
        ("duration", "shardGroupDuration", "futureWriteLimit", "pastWriteLimit"), str | None
    ),
}


class Statement(msgspec.Struct, frozen=True):
    """One InfluxQL statement.

    Attributes:
        text: the statement, with `$name` where a parameter goes.
        parameters: their values.
    """

    text: str
    parameters: Mapping[str, str]


class Rows(msgspec.Struct, frozen=True):
    """Some rows of the answer to one statement; a series may come in several parts, in order.

    Attributes:
        statement: position of the statement among those asked.
        tags: of the series, where the statement groups by them.
        columns: names.
        values: one tuple per row: `time` an int of nanoseconds, `site`, `device` and the names
            in answers to SHOW text, all else a float or None.
    """

    statement: int
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: list[tuple[Any, ...]]


class UnrepresentableError(Exception):
    """The answer holds an infinite number, which JSON cannot carry."""


class _Series(msgspec.Struct):
    columns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    values: msgspec.Raw = msgspec.Raw(b"[]")


class _Result(msgspec.Struct):
    statement_id: int = 0
    series: list[_Series] = []
    error: str | None = None
    partial: bool = False


class _Chunk(msgspec.Struct):
    results: list[_Result] = []
    error: str | None = None


_decoder = msgspec.json.Decoder(_Chunk)


class QueryClient:
    """Asks one database.

    Args:
        client: of the server.
        database: database (1.x) or bucket (2.x).
    """

    def __init__(self, *, client: httpx.Client, database: str) -> None:
        self._client = client
        self._database = database

    def run(self, statements: Sequence[Statement]) -> Iterator[Rows]:
        """Yield the answers to some statements, asked in one request, in their order.

        Raises:
            StoreUnavailableError: the server cannot be reached, refuses, or stops half-way.
            UnrepresentableError: see there.
        """
        form = {
            "q": ";".join(statement.text for statement in statements),
            "db": self._database,
            "epoch": "ns",
            "chunked": "true",
            "params": json.dumps(
                {name: value for each in statements for name, value in each.parameters.items()}
            ),
        }
        unanswered = set(range(len(statements)))
        try:
            with self._client.stream(
                "POST", "/query", data=form, headers={"Accept-Encoding": "identity"}
            ) as response:
                if not response.is_success:
                    response.read()
                    raise StoreUnavailableError(
                        said(response), retry_after_s=retry_after_s(response)
                    )
                for line in _lines(response):
                    for result in _results(line):
                        if not result.partial:
                            unanswered.discard(result.statement_id)
                        yield from _rows(result)
        except httpx.HTTPError as error:
            text = str(error) or type(error).__name__
            raise StoreUnavailableError(
                f"InfluxDB at {self._client.base_url} does not answer: {text}"
            ) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreUnavailableError(
                f"{self._client.base_url} does not answer as InfluxDB does: {error}"
            ) from None
        if unanswered:
            raise StoreUnavailableError("InfluxDB cut its answer short")


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Yield the lines of a body: a line feed ends one, not what else Unicode calls a line end."""
    rest: list[bytes] = []
    for piece in response.iter_bytes():
        *whole, last = piece.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line])
            rest.clear()
        rest.append(last)
    yield b"".join(rest)


def _results(line: bytes) -> list[_Result]:
    if not line.strip():
        return []
    chunk = _decoder.decode(line)
    for error in (chunk.error, *(result.error for result in chunk.results)):
        if error is None:
            continue
        if _UNREPRESENTABLE in error:
            raise UnrepresentableError(error)
        raise StoreUnavailableError(f"InfluxDB refused the query: {error}")
    return chunk.results


def _rows(result: _Result) -> Iterator[Rows]:
    for series in result.series:
        text = bytes(series.values)
        if b"-0," in text or b"-0]" in text:
            values = _rows_with_signed_zeros(text, series.columns)
        else:
            values = _row_decoder(series.columns).decode(text)
        yield Rows(result.statement_id, series.tags, series.columns, values)


@lru_cache(maxsize=256)
def _row_decoder(columns: tuple[str, ...]) -> msgspec.json.Decoder[list[tuple[Any, ...]]]:
    kinds = tuple(_KINDS.get(name, float | None) for name in columns)
    row: Any = tuple.__class_getitem__(kinds)
    return msgspec.json.Decoder(list[row])


def _rows_with_signed_zeros(text: bytes, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return rows in which there may be a negative zero: Go writes `-0`, an integer to msgspec."""
    rows = json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))
    exact = [name in _KINDS for name in columns]
    return [
        tuple(
            value if kept or value is None else float(value)
            for kept, value in zip(exact, row, strict=True)
        )
        for row in rows
    ]
