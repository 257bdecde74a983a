"""The raw archive of one worker: every batch as it was received, on disk before it is committed.

The accept stage calls `keep` with each judged batch; the transaction that commits the batch holds
the number that `keep` returned (`ingest.spool`). So after any crash the archive holds what was
committed, and at most one block more, which is cut at the next start. A batch that could not be
kept leaves a number out, and is noted in the next block.

Threads: it belongs to the accept stage's thread; what it tells may be asked for by any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import zstandard

from core.archive import ArchiveReport
from core.clock import Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import ArchiveSettings
from ingest.archive_blocks import ArchiveGap, columns_of
from ingest.archive_files import ArchiveFiles
from ingest.arrival import Arrival
from ingest.batch import Batch
from ingest.ledger import Fate

_log = logger("ingest.archive")
_AGAIN_S = 1.0


class Archive:
    """Keeps what was received.

    Args:
        settings: of the archive; it is enabled.
        directory: of this worker alone; made when it is missing.
        spool: identity of the spool that commits the batches.
        committed: number of the last batch that it committed with the archive, or 0.
        clock: the time.
        metrics: `archive_*`.
    """

    def __init__(
        self,
        *,
        settings: ArchiveSettings,
        directory: Path,
        spool: int,
        committed: int,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._directory = directory
        self._skips = settings.when_failing == "skip"
        self._committed = committed
        self._number = committed
        self._clock = clock
        self._metrics = metrics
        self._files = ArchiveFiles(
            settings=settings, directory=directory, spool=spool, clock=clock, metrics=metrics
        )
        self._outage = Outage(_log, "archive")
        self._ready = False
        self._gap: ArchiveGap | None = None
        self._try_at_s = clock.monotonic_s()

    @property
    def outage(self) -> str | None:
        """Why nothing can be kept now, or None."""
        return self._outage.reason

    @property
    def holding(self) -> str | None:
        """Why nothing is acknowledged now because of it, or None."""
        return None if self._skips else self._outage.reason

    def report(self) -> ArchiveReport:
        """Return what a worker says of it in its sign of life."""
        gap, reason = self._gap, self._outage.reason or ""
        return ArchiveReport(
            bytes=self._files.size,
            outage=reason,
            holds=bool(reason) and not self._skips,
            not_kept=0 if gap is None else gap.messages,
        )

    def keep(
        self, arrivals: Sequence[Arrival], batch: Batch, *, now_ns: int, stopping: threading.Event
    ) -> int | None:
        """Put a judged batch on disk; return its number, which its transaction has to hold.

        When it cannot be written it is tried again until it can (`archive.when_failing` is `hold`),
        or noted as a gap (`skip`).

        Args:
            arrivals: the messages, as they were judged.
            batch: what became of them.
            now_ns: `committed_ns` of the batch.
            stopping: set to give up.

        Returns:
            None when told to stop: the batch may not be committed.
        """
        while not self._kept(arrivals, batch, now_ns):
            if self._skips:
                self._pass_over(arrivals)
                break
            if stopping.wait(_AGAIN_S):
                return None
        self._number += 1
        return self._number

    def close(self) -> None:
        """Close the file; what was kept is on disk already."""
        self._files.close()

    def _kept(self, arrivals: Sequence[Arrival], batch: Batch, now_ns: int) -> bool:
        """Say whether a batch could be put on disk; after a failure, tried once a second."""
        if self._skips and self._clock.monotonic_s() < self._try_at_s:
            return False
        try:
            if not self._ready:
                found = self._files.recover(committed=self._committed)
                self._number = max(self._number, found.number)
                self._ready = True
            self._write(arrivals, batch, now_ns)
        except (OSError, zstandard.ZstdError) as error:
            self._try_at_s = self._clock.monotonic_s() + _AGAIN_S
            self._metrics.archive_failing.set(1)
            what = (
                "messages go on without it, and the gap is noted"
                if self._skips
                else "nothing is acknowledged until it can"
            )
            self._outage.down(f"the archive {self._directory} cannot be written: {error}; {what}")
            return False
        self._outage.up()
        self._metrics.archive_failing.set(0)
        self._metrics.archive_messages.inc(len(arrivals))
        return True

    def _write(self, arrivals: Sequence[Arrival], batch: Batch, now_ns: int) -> None:
        fates: list[Fate] = []
        owners: list[tuple[str, str]] = []
        for fate, owner in became(arrivals, batch):
            fates.append(fate)
            owners.append(owner)
        with self._metrics.archive_writes.time():
            self._files.append(
                columns_of(arrivals, fates, owners, () if self._gap is None else (self._gap,)),
                number=self._number + 1,
                written_ns=now_ns,
                received=[arrival.received_ns for arrival in arrivals],
            )
        if self._gap is not None:
            _log.warning("archive_gap", messages=self._gap.messages, reason=self._gap.reason)
        self._gap = None

    def _pass_over(self, arrivals: Sequence[Arrival]) -> None:
        received = [arrival.received_ns for arrival in arrivals]
        first_ns, last_ns, count = min(received), max(received), len(received)
        if self._gap is not None:
            first_ns = min(first_ns, self._gap.first_ns)
            last_ns = max(last_ns, self._gap.last_ns)
            count += self._gap.messages
        self._gap = ArchiveGap(first_ns, last_ns, count, (self._outage.reason or "")[:500])
        self._metrics.archive_skipped.inc(len(arrivals))


def became(arrivals: Sequence[Arrival], batch: Batch) -> Iterator[tuple[Fate, tuple[str, str]]]:
    """Yield what became of each message of a batch, and the site and device it was counted for.

    Usual messages are pending, each with the next place among the batch's owners; the others say
    how many places had been taken when they were judged.
    """
    accounts = batch.accounts()
    others = iter(batch.others)
    other = next(others, None)
    taken = 0
    for _ in arrivals:
        if other is not None and other.before == taken:
            yield other.fate, (other.account.site, other.account.device)
            taken += other.stored
            other = next(others, None)
            continue
        account = accounts[batch.owners[taken]]
        yield Fate.PENDING, (account.site, account.device)
        taken += 1
