"""Appending to a raw archive and letting the oldest of it go: the only module that writes it.

A segment goes when it is older than `archive.days`, and the oldest go when all together would be
larger than `archive.max_bytes`. Age is told by the wall clock, which may be stepped: a segment goes
only when it has been found too old for ten minutes of the monotonic clock.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from core.clock import NS_PER_S, Clock, hour_of, iso
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import ArchiveSettings
from ingest.archive_blocks import Packer, segment_head
from ingest.archive_segments import (
    Recovered,
    Segment,
    recover,
    segment_name,
    segments_of,
    sync_directory,
)

_log = logger("ingest.archive")
_LOOK_EVERY_S = 60.0
_SURE_AFTER_S = 600.0
_NS_PER_DAY = 86_400 * NS_PER_S


class ArchiveFiles:
    """The files of one worker's archive.

    Args:
        settings: of the archive.
        directory: where they are; made when it is missing.
        spool: identity of the spool that commits the batches.
        clock: the time.
        metrics: `archive_*`.
    """

    def __init__(
        self,
        *,
        settings: ArchiveSettings,
        directory: Path,
        spool: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._spool = spool
        self._clock = clock
        self._metrics = metrics
        self._packer = Packer(level=settings.compression_level)
        self._removal = Outage(_log, "archive_removal")
        self._file: FileIO | None = None
        self._open: Segment | None = None
        self._open_bytes = 0
        self._closed: list[Segment] = []
        self._closed_bytes = 0
        self._old_since: dict[Path, float] = {}
        self._look_at_s = 0.0

    @property
    def size(self) -> int:
        """Size of everything kept."""
        return self._closed_bytes + self._open_bytes

    def recover(self, *, committed: int) -> Recovered:
        """Make the directory, cut what a crash left at its end, and look at what is there.

        Args:
            committed: number of the last batch that the spool committed.

        Raises:
            OSError: the directory cannot be read or written.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = recover(self._directory, spool=self._spool, committed=committed)
        if found.torn_bytes or found.uncommitted:
            _log.warning(
                "archive_end_cut", torn_bytes=found.torn_bytes, uncommitted=found.uncommitted
            )
        self._closed = segments_of(self._directory)
        self._closed_bytes = sum(one.bytes for one in self._closed)
        self._look_at_s = 0.0
        self._tell()
        return found

    def append(self, raw: bytes, *, number: int, written_ns: int, received: Sequence[int]) -> None:
        """Put a batch on disk.

        Args:
            raw: as `ingest.archive_blocks.columns_of` gives it.
            number: of the batch.
            written_ns: `committed_ns` of the batch.
            received: when its messages were received.

        Raises:
            OSError: it is not there; what of it was written is cut when the archive is next opened.
            zstandard.ZstdError: likewise.
        """
        newest_ns = max(received)
        file = self._file
        if file is None or self._full(newest_ns):
            self.close()
            file = self._begin(number, newest_ns)
        try:
            block = self._packer.pack(
                raw, spool=self._spool, number=number, written_ns=written_ns, received=received
            )
            self._make_room(len(block))
            _write(file, block)
            os.fdatasync(file.fileno())
        except BaseException:
            self._abandon()
            raise
        self._open_bytes += len(block)
        self._let_go_by_age()
        self._tell()

    def close(self) -> None:
        """Close the file that is appended to; everything in it is on disk."""
        if self._file is not None:
            self._file.close()
        if self._open is not None:
            done = Segment(self._open.path, self._open.number, self._open.hour, self._open_bytes)
            self._closed.append(done)
            self._closed_bytes += done.bytes
        self._file = None
        self._open = None
        self._open_bytes = 0

    def _begin(self, number: int, received_ns: int) -> FileIO:
        name = segment_name(number=number, received_ns=received_ns)
        path, again = self._directory / name, 1
        while path.exists():  # an attempt to keep the same batch failed
            again += 1
            path = self._directory / name.replace(".arc", f"-{again}.arc")
        file = path.open("xb", buffering=0)
        try:
            path.chmod(0o600)
            head = segment_head(self._spool)
            _write(file, head)
            sync_directory(self._directory)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self._packer.begin_anew()
        self._file = file
        self._open = Segment(path, number, hour_of(received_ns), 0)
        self._open_bytes = len(head)
        return file

    def _full(self, received_ns: int) -> bool:
        opened = self._open
        return opened is not None and (
            self._open_bytes >= self._settings.segment_bytes or opened.hour != hour_of(received_ns)
        )

    def _abandon(self) -> None:
        """Append no more to a file whose end is not known; take the torn block away if possible."""
        if self._file is not None:
            try:
                self._file.truncate(self._open_bytes)
                os.fsync(self._file.fileno())
            except OSError:  # it is cut at the next start, or read as a hole
                _log.warning("archive_block_not_cut", path=str(self._open and self._open.path))
        self.close()

    def _make_room(self, size: int) -> None:
        """Let the oldest segments go for a block; the one that is appended to stays."""
        while self._closed and self.size + size > self._settings.max_bytes:
            self._remove(self._closed[0], by="size")

    def _let_go_by_age(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + _LOOK_EVERY_S
        before_ns = self._clock.now_ns() - round(self._settings.days * _NS_PER_DAY)
        old = [one for one in self._closed if one.ends_ns <= before_ns]
        self._old_since = {one.path: self._old_since.get(one.path, now_s) for one in old}
        for segment in old:
            if now_s - self._old_since[segment.path] >= _SURE_AFTER_S:
                try:
                    self._remove(segment, by="age")
                except OSError as error:
                    self._removal.down(f"{segment.path} cannot be removed: {error}")
                    return
        self._removal.up()

    def _remove(self, segment: Segment, *, by: str) -> None:
        segment.path.unlink(missing_ok=True)
        self._closed.remove(segment)
        self._closed_bytes -= segment.bytes
        self._old_since.pop(segment.path, None)
        self._metrics.archive_removed.labels(by=by).inc()
        level = _log.warning if by == "size" else _log.info
        level(
            "archive_segment_removed",
            by=by,
            path=str(segment.path),
            bytes=segment.bytes,
            received_before=iso(segment.ends_ns),
        )

    def _tell(self) -> None:
        self._metrics.archive_bytes.set(self.size)
        oldest = min((one.hour for one in self._closed), default=None)
        if oldest is None and self._open is not None:
            oldest = self._open.hour
        self._metrics.archive_oldest.set(oldest or 0)


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it: a call may write less, when the disk fills up."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
