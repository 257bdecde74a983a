"""A `Store` in one DuckDB file. `file.py` says what is in it and which thread owns what."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from core.errors import ConfigurationError, StoreUnavailableError
from core.reading import DeviceKey, Point, Reading
from storage.backends.duckdb import batch, hours, queries, removal
from storage.backends.duckdb.file import DuckDBFile, damaged
from storage.backends.duckdb.names import Names
from storage.ports import (
    HourCount,
    Page,
    Position,
    Retry,
    Selection,
    Windows,
    WindowValue,
    Written,
)
from storage.refusal import refused
from storage.selecting import checked_limit


class DuckDBStore:
    """Points in one file, which no other process may open meanwhile.

    Args:
        path: the file; made when there is none.

    Raises:
        ConfigurationError: the file cannot be used; see `DuckDBFile`.
    """

    def __init__(self, *, path: Path) -> None:
        self._file = DuckDBFile(path=path)
        self._writing = threading.Lock()
        self._mending = threading.Lock()
        self._broken = False
        try:
            with self._file.cursor() as cursor:
                self._names = Names.load(cursor)
        except duckdb.Error as error:
            self._file.close()
            raise ConfigurationError(damaged(path, error)) from None
        except BaseException:
            self._file.close()
            raise

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`: one transaction, on disk when this returns."""
        rejected = refused(points)
        bad = {one.index for one in rejected}
        kept = [point for index, point in enumerate(points) if index not in bad]
        if not kept:
            return Written(rejected)
        try:
            self._mend()
            with self._writing:
                with self._file.transaction() as cursor:
                    names = self._names.add_missing(cursor, kept)
                    batch.merge(cursor, kept, names)
                self._names = names  # known to all only now that they are committed
        except duckdb.Error as error:
            self._note(error)
            return Retry(f"DuckDB cannot write {self._file.path}: {_sentence(error)}")
        except StoreUnavailableError as error:
            return Retry(error.detail)
        return Written(rejected)

    def remove(self, values: Sequence[Position]) -> int | Retry:
        """See `ValueRemover.remove`: one transaction, on disk when this returns."""
        try:
            self._mend()
            with self._writing, self._file.transaction() as cursor:
                return removal.remove(cursor, values, self._names)
        except duckdb.Error as error:
            self._note(error)
            return Retry(f"DuckDB cannot write {self._file.path}: {_sentence(error)}")
        except StoreUnavailableError as error:
            return Retry(error.detail)

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`."""
        checked_limit(limit)
        with self._reading() as cursor:
            return queries.page(cursor, self._names, selection, limit=limit, after=after)

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        with self._reading() as cursor:
            return queries.aggregate(cursor, self._names, selection, windows)

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`."""
        with self._reading() as cursor:
            return queries.latest(cursor, self._names, devices, quantities)

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        with self._reading() as cursor:
            return queries.count(cursor, self._names, selection)

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        with self._reading() as cursor:
            return hours.hourly(cursor, self._names, devices, start_ns=start_ns, end_ns=end_ns)

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`: nothing is ever deleted."""
        return None

    def ping(self) -> None:
        """See `PointReader.ping`."""
        with self._reading() as cursor:
            cursor.execute("SELECT max(version) FROM layout").fetchall()

    def close(self) -> None:
        """Close the file; no other thread may be using the store."""
        self._file.close()

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            self._mend()
            with self._file.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            self._note(error)
            raise StoreUnavailableError(
                f"DuckDB cannot read {self._file.path}: {_sentence(error)}"
            ) from None

    def _note(self, error: duckdb.Error) -> None:
        if isinstance(error, duckdb.FatalException | duckdb.InternalException):
            self._broken = True

    def _mend(self) -> None:
        """Open the file anew when an error (a full disk, say) made DuckDB give up on it."""
        with self._mending:
            if not self._broken:
                return
            try:
                self._file.reopen()
            except ConfigurationError as error:
                raise StoreUnavailableError(error.detail) from None
            self._broken = False


def _sentence(error: duckdb.Error) -> str:
    return str(error).strip().partition("\n")[0]
