"""The journal of what was decoded again: a JSON line when a run begins and one when it ends.

`redecodes.jsonl` stands beside the segments; the bounds of the archive leave it alone.
A run without a second line was interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ingest.archive_segments import sync_directory

JOURNAL = "redecodes.jsonl"


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        event: `begun` or `done`.
        run: number that both lines of a run carry: when it began, nanoseconds since the epoch.
        at: when (RFC 3339).
        by: who ran it, and where.
        profile: name of the profile.
        version: the one decoded with.
        begin: first instant of reception asked for.
        end: last one, exclusive.
        site: the one asked for, or "".
        device: likewise.
        messages: decoded.
        added: values that were not there.
        changed: values replaced.
        removed: values that the profile gives no more.
        deleted: of those, how many were deleted.
        points: written.
        rejected: points that the store refused.
    """

    event: str
    run: int
    at: str
    by: str
    profile: str
    version: int
    begin: str
    end: str
    site: str = ""
    device: str = ""
    messages: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    deleted: int = 0
    points: int = 0
    rejected: int = 0


def note(archive: Path, line: JournalLine) -> None:
    """Append a line to an archive's journal; it is on disk when this returns.

    Raises:
        OSError: it cannot be written.
    """
    path = archive / JOURNAL
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(number, msgspec.json.encode(line) + b"\n")
        os.fsync(number)
    finally:
        os.close(number)
    sync_directory(archive)


def lines_of(archive: Path) -> list[JournalLine]:
    """Return what the journal of an archive says, oldest first; a torn line is left out."""
    try:
        lines = (archive / JOURNAL).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=JournalLine) for line in lines if line.endswith(b"}")]
