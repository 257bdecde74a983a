"""InfluxQL over HTTP: statements sent, rows received as they come, nothing silently left out.

Answers of any length are asked for in chunks of JSON: whole answers may be cut short by a server's
`max-row-limit`, chunked ones are not. Answers that are known to be short are asked for whole, as
MessagePack, which the server writes and we read sooner; one that was cut short is asked for in
chunks after all. A statement whose last chunk says `partial`, or that was not answered, is an
error. Names in conditions are bound parameters (`$name`), which 1.13 and 2.10 both take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import msgspec

from core.errors import StoreUnavailableError
from storage.backends.influxdb.answers import retry_after_s, said
from storage.backends.influxdb.http import Answer, HttpClient, NoAnswerError

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
    """The answer holds an infinite number, which JSON cannot carry and no value is."""


class _Series(msgspec.Struct):
    columns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    values: msgspec.Raw = msgspec.Raw(b"")
    partial: bool = False


class _Result(msgspec.Struct):
    statement_id: int = 0
    series: list[_Series] = []
    error: str | None = None
    partial: bool = False


class _Chunk(msgspec.Struct):
    results: list[_Result] = []
    error: str | None = None


_decoder = msgspec.json.Decoder(_Chunk)
_whole_decoder = msgspec.msgpack.Decoder(_Chunk)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_MESSAGE_PACK = "application/x-msgpack"


class QueryClient:
    """Asks one database.

    Args:
        client: of the server.
        database: database (1.x) or bucket (2.x).
    """

    def __init__(self, *, client: HttpClient, database: str) -> None:
        self._client = client
        self._database = database

    def run(self, statements: Sequence[Statement]) -> Iterator[Rows]:
        """Yield the answers to some statements, asked in one request, in their order.

        Raises:
            StoreUnavailableError: the server cannot be reached, refuses, or stops half-way.
            UnrepresentableError: see there.
        """
        unanswered = set(range(len(statements)))
        with (
            self._understood(),
            self._client.stream(
                "/query",
                self._form(statements, chunked=True),
                {**_FORM, "Accept": "application/json"},
            ) as (answer, pieces),
        ):
            _check(answer)
            for line in _lines(pieces):
                for result in _results(line):
                    if not result.partial:
                        unanswered.discard(result.statement_id)
                    yield from _rows(result)
        if unanswered:
            raise StoreUnavailableError("InfluxDB cut its answer short")

    def run_whole(self, statements: Sequence[Statement]) -> list[Rows]:
        """Return what `run` yields; for answers that are short.

        An infinite number is returned as one.

        Raises:
            StoreUnavailableError: see `run`.
            UnrepresentableError: see there; only of a server that writes no MessagePack.
        """
        with self._understood():
            answer = self._client.post(
                "/query", self._form(statements, chunked=False), {**_FORM, "Accept": _MESSAGE_PACK}
            )
            _check(answer)
            packed = answer.headers.get("content-type", "").startswith(_MESSAGE_PACK)
            results = (
                _checked(_whole_decoder.decode(answer.body)) if packed else _results(answer.body)
            )
            answered = {one.statement_id for one in results if not _cut_short(one)}
            if len(answered) == len(statements):
                return [rows for one in results for rows in _rows(one, packed=packed)]
        return list(self.run(statements))

    def _form(self, statements: Sequence[Statement], *, chunked: bool) -> bytes:
        parameters: dict[str, str] = {}
        for statement in statements:
            for name, value in statement.parameters.items():
                if parameters.setdefault(name, value) != value:
                    raise ValueError(f"two statements of one request give ${name} different values")
        form = {
            "q": ";".join(statement.text for statement in statements),
            "db": self._database,
            "epoch": "ns",
            "chunked": "true" if chunked else "false",
            "params": json.dumps(parameters),
        }
        return urlencode(form).encode()

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except NoAnswerError as error:
            raise StoreUnavailableError(str(error)) from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreUnavailableError(
                f"{self._client.url} does not answer as InfluxDB does: {error}"
            ) from None


def _check(answer: Answer) -> None:
    if not answer.succeeded:
        raise StoreUnavailableError(said(answer), retry_after_s=retry_after_s(answer))


def _cut_short(result: _Result) -> bool:
    return result.partial or any(series.partial for series in result.series)


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a body: a line feed ends one, not what else Unicode calls a line end."""
    rest: list[bytes] = []
    for piece in pieces:
        *whole, last = piece.split(b"\n")
        for line in whole:
            yield b"".join([*rest, line])
            rest.clear()
        rest.append(last)
    yield b"".join(rest)


def _results(line: bytes) -> list[_Result]:
    if not line.strip():
        return []
    return _checked(_decoder.decode(line))


def _checked(chunk: _Chunk) -> list[_Result]:
    for error in (chunk.error, *(result.error for result in chunk.results)):
        if error is None:
            continue
        if _UNREPRESENTABLE in error:
            raise UnrepresentableError(error)
        raise StoreUnavailableError(f"InfluxDB refused the query: {error}")
    return chunk.results


def _rows(result: _Result, *, packed: bool = False) -> Iterator[Rows]:
    for series in result.series:
        text = bytes(series.values)
        if not text:
            values = []
        elif packed:
            values = _packed_decoder(series.columns).decode(text)
        elif b"-0," in text or b"-0]" in text:
            values = _rows_with_signed_zeros(text, series.columns)
        else:
            values = _row_decoder(series.columns).decode(text)
        yield Rows(result.statement_id, series.tags, series.columns, values)


@lru_cache(maxsize=256)
def _row_decoder(columns: tuple[str, ...]) -> msgspec.json.Decoder[list[tuple[Any, ...]]]:
    return msgspec.json.Decoder(_row_type(columns))


@lru_cache(maxsize=256)
def _packed_decoder(columns: tuple[str, ...]) -> msgspec.msgpack.Decoder[list[tuple[Any, ...]]]:
    return msgspec.msgpack.Decoder(_row_type(columns))


def _row_type(columns: tuple[str, ...]) -> Any:
    kinds = tuple(_KINDS.get(name, float | None) for name in columns)
    row: Any = tuple.__class_getitem__(kinds)
    return list[row]


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
