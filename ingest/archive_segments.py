"""The segments of a raw archive: their names, their order, and what is left after a crash.

A segment is named for the number of its first batch and the hour in which its messages were
received: `0000000000000042-20261123T13Z.arc`. Numbers only grow, whatever the clock does, so they
give the order; hours say how old a segment is. A process never appends to the file of another one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from core.clock import NS_PER_HOUR, NS_PER_S, hour_of
from ingest.archive_blocks import Block, BlockHeader, Contents, Hole, blocks_of, opened_blocks

_NAME = re.compile(r"([0-9]{16})-([0-9]{8}T[0-9]{2})Z(?:-[0-9]+)?\.arc")
_HOUR = "%Y%m%dT%H"


class Segment(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        path: where it is.
        number: of its first batch.
        hour: in which its messages were received, seconds since the epoch.
        bytes: its size when it was looked at.
    """

    path: Path
    number: int
    hour: int
    bytes: int

    @property
    def ends_ns(self) -> int:
        """The end of its hour: all of it was received earlier, nanoseconds since the epoch."""
        return self.hour * NS_PER_S + NS_PER_HOUR


def segment_name(*, number: int, received_ns: int) -> str:
    """Return the name of a segment that begins with a batch."""
    hour = datetime.fromtimestamp(hour_of(received_ns), tz=UTC)
    return f"{number:016d}-{hour.strftime(_HOUR)}Z.arc"


def segments_of(directory: Path) -> list[Segment]:
    """Return the segments of a directory, in the order of their numbers.

    Raises:
        OSError: the directory cannot be read; one that is missing has no segments.
    """
    found = []
    try:
        names = os.listdir(directory)  # noqa: PTH208 - a thousand names, no objects
    except FileNotFoundError:
        return []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        hour = datetime.strptime(match[2], _HOUR).replace(tzinfo=UTC)
        path = directory / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # removed meanwhile, by its age or for its size
            continue
        found.append(Segment(path, int(match[1]), int(hour.timestamp()), size))
    return sorted(found, key=lambda one: (one.number, one.path.name))


class Recovered(msgspec.Struct, frozen=True):
    """What was found at the end of an archive.

    Attributes:
        number: greatest number of a block, or 0: the next one has to be greater.
        torn_bytes: size of a block that was not whole, and was cut.
        uncommitted: messages of a block that the spool had not committed, and that was cut: none of
            them was acknowledged, so the broker sends them again.
    """

    number: int
    torn_bytes: int
    uncommitted: int


def recover(directory: Path, *, spool: int, committed: int) -> Recovered:
    """Cut what a crash left at the end: a block that is not whole, one that was not committed.

    Args:
        directory: of the archive.
        spool: identity of the spool.
        committed: number of the batch that it committed last.

    Raises:
        OSError: the archive cannot be read or written.
    """
    torn = uncommitted = cut = 0
    for segment in reversed(segments_of(directory)):
        blocks = blocks_of(segment.path)
        end = segment.bytes
        if blocks and isinstance(hole := blocks[-1], Hole) and hole.torn:
            blocks.pop()
            end = hole.offset
            torn += hole.size
        beyond = [one for one in blocks if isinstance(one, Block) and one.header.spool == spool]
        beyond = [one for one in beyond if one.header.number > committed]
        # More than one is no crash: the spool is an older copy of itself, and they were committed.
        if len(beyond) == 1 and beyond[0] is blocks[-1] and cut in (0, beyond[0].header.number):
            blocks.pop()
            end = beyond[0].offset
            cut, uncommitted = beyond[0].header.number, beyond[0].header.messages
        if not any(isinstance(one, Block) for one in blocks) and not _damaged(blocks):
            segment.path.unlink()
            sync_directory(directory)
            continue
        if end != segment.bytes:
            _cut(segment.path, end)
        numbers = [one.header.number for one in blocks if isinstance(one, Block)]
        return Recovered(max(numbers, default=segment.number), torn, uncommitted)
    return Recovered(0, torn, uncommitted)


def _damaged(blocks: list[Block | Hole]) -> bool:
    return any(isinstance(one, Hole) for one in blocks)


def _cut(path: Path, end: int) -> None:
    with path.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Put the names of a directory's files on disk."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Damaged(msgspec.Struct, frozen=True):
    """A part of the archive that cannot be read."""

    path: Path
    hole: Hole


def read_archive(
    directory: Path, *, start_ns: int, end_ns: int
) -> Iterator[tuple[BlockHeader, Contents] | Damaged]:
    """Yield the blocks with messages received in a range, once each, in the order of their numbers.

    It may run beside the worker: what is appended or removed meanwhile may be left out.

    Args:
        directory: of the archive.
        start_ns: first instant of reception, inclusive, nanoseconds since the epoch.
        end_ns: last instant, exclusive.

    Raises:
        OSError: a file cannot be read.
    """
    seen: dict[int, int] = {}
    for segment in segments_of(directory):
        try:
            blocks = blocks_of(segment.path)
        except FileNotFoundError:
            continue
        wanted = [
            one
            for one in blocks
            if isinstance(one, Hole)
            or (one.header.last_ns >= start_ns and one.header.first_ns < end_ns)
        ]
        if not wanted:
            continue
        for one in opened_blocks(iter(blocks)):
            if isinstance(one, Hole):
                yield Damaged(segment.path, one)
                continue
            header, _ = one
            # Written twice: its first file could not be synced. The second one counts as well.
            if header.number <= seen.get(header.spool, 0):
                continue
            seen[header.spool] = header.number
            if header.last_ns >= start_ns and header.first_ns < end_ns:
                yield one
