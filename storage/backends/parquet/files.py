"""The files of a directory: their names, and how one comes into being for good.

`site=SITE/date=YYYY-MM-DD/NAME.parquet`, where NAME is

- `STREAM-FIRST-LAST` for a span: the same span written again is the same file;
- `fill-DIGEST` for points that were written without one (a refill): the digest is of the points;
- `merged-DIGEST` for what a compaction made of several: the digest is of their names.

A file is written under a name that no reader looks at (`.NAME.parquet.tmp`), synced, renamed, and
its directory synced. So a file with its proper name is whole, whatever happens.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

import msgspec
import pyarrow.parquet as pq

from storage.ports import Span

_SPAN = re.compile(r"\.?([a-z0-9-]+)-([0-9]{15})-([0-9]{15})\.parquet(?:\.tmp)?")
_LONGEST_SITE = 200


class Directory(msgspec.Struct, frozen=True, order=True):
    """One site's files of one UTC day.

    Attributes:
        site: the site.
        day: UTC day of the device time.
        path: where they are.
    """

    site: str
    day: date
    path: Path


def site_problem(site: str) -> str | None:
    """Return why the files of a site cannot be named, or None."""
    if len(quote(site, safe="")) > _LONGEST_SITE:
        return f"the site's name {site[:40]!r}... is too long for the name of a directory"
    return None


def directory_for(root: Path, site: str, day: date) -> Directory:
    """Return where a site's files of one day are; it may not exist."""
    return Directory(site, day, root / f"site={quote(site, safe='')}" / f"date={day.isoformat()}")


def directories(root: Path) -> Iterator[Directory]:
    """Yield every directory of files, by site and day."""
    for path in sorted(root.glob("site=*/date=*")):
        yield Directory(
            unquote(path.parent.name.removeprefix("site=")),
            date.fromisoformat(path.name.removeprefix("date=")),
            path,
        )


def name_of_span(span: Span) -> str:
    """Return the name of the files of a span."""
    return f"{span.stream}-{span.first:015d}-{span.last:015d}.parquet"


def span_of(name: str) -> Span | None:
    """Return the span whose file, whole or half written, has this name; None when it is none."""
    found = _SPAN.fullmatch(name)
    return Span(found[1], int(found[2]), int(found[3])) if found else None


def write_file(directory: Path, name: str, write: Callable[[IO[bytes]], None]) -> None:
    """Make a file that is whole and on disk when this returns, or not there at all.

    Args:
        directory: made when it is missing.
        name: of the file; one that exists is replaced.
        write: writes its content.

    Raises:
        OSError: it could not be written; what was there is as it was.
    """
    _make(directory)
    temporary = directory / f".{name}.tmp"
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(directory)


def write_table(directory: Path, name: str, table: Any) -> None:
    """Make a file of one Arrow table; see `write_file`."""
    write_file(directory, name, lambda file: pq.write_table(table, file, compression="zstd"))


def sync_directory(path: Path) -> None:
    """Return when the names in a directory are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(paths: list[Path]) -> None:
    """Remove files, and return when that is on disk; one that is gone is none the worse."""
    for path in paths:
        path.unlink(missing_ok=True)
    for parent in {path.parent for path in paths}:
        sync_directory(parent)


def _make(directory: Path) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)
