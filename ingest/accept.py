"""The accept stage: the only module that may acknowledge, and only what is on disk.

One thread takes what the source delivered, judges it, commits the batch in one transaction, then
sends the PUBACKs. When the spool is full or cannot be written, the batch is kept in hand and
nothing is acknowledged: the broker holds the rest. It resumes by itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence

import msgspec

from core.clock import NS_PER_S, Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.reasons import Scope
from core.settings import IngestSettings, SpoolSettings
from devices.registry.records import DeadLetterState
from ingest import dead_letter
from ingest.archive import Archive
from ingest.arrival import Arrival, Source
from ingest.batch import Batch
from ingest.batch_judge import BatchJudge
from ingest.checkpoint import Checkpoint, Pass, pass_by
from ingest.directory import Directory
from ingest.duplicates import PACKET_IDENTIFIERS, DuplicateWindow, Remembered
from ingest.inbox import Inbox
from ingest.judge import Facts, Judge, Verdict
from ingest.ledger import Fate
from ingest.preview import Preview
from ingest.progress import ProgressTable
from ingest.spool import KeptDeadLetter, Settlement, Spool
from ingest.spool_schema import is_damage
from ingest.validate import ClockPolicy
from storage.line_protocol import line_of

_log = logger("ingest.accept")
_FULL_POLL_S = 0.2
_IDLE_S = 0.1
_BUSY_PER_S = 5000.0
"""Messages a second from which on a batch is waited for longer: each transaction writes a row for
each device that is in it, so that many small ones cost more than their messages."""
_PATIENCE = 10
_FORGET_EVERY = 200


class Replayed(msgspec.Struct, frozen=True):
    """How many dead letters became pending again, how many stay open, and what became of each."""

    replayed: int
    failed: int
    settlements: tuple[Settlement, ...] = ()


class Accept:
    """From the source's queue to the spool, then the PUBACK.

    Args:
        source: where arrivals come from and PUBACKs go.
        spool: where messages become safe.
        directory: whose devices and profiles count.
        policy: which device times are trusted.
        clock: the time.
        metrics: `spool_*`, `decode_*`, `dead_letters`, `duplicate_*`.
        ingest: bounds of the queue and of the window.
        limits: bounds of the spool and of a batch.
        on_commit: called after each commit that spooled messages.
        on_lines: called after it with their line protocol; it must not wait for anything.
        on_facts: called after the commit with what bridges told of their devices.
        room: called before each batch; says why nothing may be acknowledged now for lack of room
            for dead letters, or for a sink, or None.
        archive: keeps what was received, before it is committed; None: nothing does.
        checkpoint: called as the stage passes `ingest.checkpoint`.
    """

    def __init__(
        self,
        *,
        source: Source,
        spool: Spool,
        directory: Directory,
        policy: ClockPolicy,
        clock: Clock,
        metrics: Metrics,
        ingest: IngestSettings,
        limits: SpoolSettings,
        on_commit: Callable[[], None],
        on_facts: Callable[[Facts], None],
        room: Callable[[], str | None] = lambda: None,
        on_lines: Callable[[bytes], None] | None = None,
        archive: Archive | None = None,
        checkpoint: Pass = pass_by,
    ) -> None:
        self._on_lines = on_lines
        self._source = source
        self._spool = spool
        self._directory = directory
        self._policy = policy
        self._room = room
        self._archive = archive
        self._window = DuplicateWindow(
            max_messages=ingest.dedupe_messages, max_age_s=ingest.dedupe_s
        )
        self._progress = ProgressTable(load=spool.progress)
        self._judge = Judge(
            directory=directory,
            window=self._window,
            progress=self._progress,
            clock=policy,
            enrol=ingest.unknown_device == "enrol",
        )
        self._batch_judge = BatchJudge(
            judge=self._judge,
            directory=directory,
            window=self._window,
            progress=self._progress,
            clock=policy,
        )
        self._clock = clock
        self._metrics = metrics
        self._ingest = ingest
        self._limits = limits
        self._on_commit = on_commit
        self._on_facts = on_facts
        self._pass = checkpoint
        self._inbox = Inbox(
            max_messages=max(ingest.queue_messages, limits.batch_messages),
            max_bytes=max(ingest.queue_bytes, limits.batch_bytes),
            clock=clock,
        )
        self._stopping = threading.Event()
        self._judging = threading.Lock()
        self._outage = Outage(_log, "spool")
        self._thread = threading.Thread(target=self._run, name="ingest-accept", daemon=True)
        self._recall()
        self._commits = 0
        self._delivered = 0

    @property
    def outage(self) -> str | None:
        """Why nothing is acknowledged now, or None."""
        if self._archive is not None and self._archive.holding is not None:
            return self._archive.holding
        return self._outage.reason

    @property
    def delivered(self) -> int:
        """How many arrivals the source has delivered since the start."""
        return self._delivered

    @property
    def idle(self) -> bool:
        """Say whether everything delivered so far is on disk."""
        return self._inbox.unfinished == 0

    def start(self) -> None:
        """Begin to take arrivals."""
        self._thread.start()

    def deliver(self, arrivals: Sequence[Arrival]) -> None:
        """Take arrivals from the source; blocks while the inbox is full.

        Once the stage is told to stop, arrivals are left to the broker: they are not acknowledged.
        """
        if self._inbox.put(arrivals):
            self._delivered += len(arrivals)

    def stop(self) -> None:
        """Commit and acknowledge what was delivered, as far as the spool has room, and end."""
        self._stopping.set()
        self._inbox.close()
        if self._thread.is_alive():
            self._thread.join()

    def replay(self, letters: Sequence[KeptDeadLetter]) -> Replayed:
        """Judge dead letters again and settle each that is still open, in one transaction.

        Raises:
            sqlite3.Error: nothing changed.
            Exception: our own code failed on one of them; nothing changed.
        """
        with self._judging:
            batch = Batch()
            still = self._spool.letters.still_open([kept.id for kept in letters])
            try:
                settlements = [self._settle(kept, batch) for kept in letters if kept.id in still]
                batch.progress = list(self._progress.take_changed())
                self._write(batch, settlements)
            except Exception:
                self._progress.forget()
                raise
            self._remember(batch)
        self._on_commit()
        if self._on_lines is not None:
            self._on_lines(b"\n".join(batch.lines))
        done = sum(1 for one in settlements if one.state == DeadLetterState.REPLAYED)
        return Replayed(done, len(settlements) - done, tuple(settlements))

    def preview(self) -> Preview:
        """Return what tells how replays would end, as things are now."""
        return Preview(
            snapshot=self._directory.snapshot,
            window=self._window,
            load_progress=self._spool.progress,
            clock=self._policy,
            ingest=self._ingest,
        )

    def _run(self) -> None:
        wait_s = self._limits.batch_wait_s
        fill_s = wait_s
        taken_s = self._clock.monotonic_s()
        while True:
            arrivals = self._inbox.take(
                limit=self._limits.batch_messages,
                limit_bytes=self._limits.batch_bytes,
                first_s=_IDLE_S,
                fill_s=fill_s,
            )
            before_s, taken_s = taken_s, self._clock.monotonic_s()
            busy = len(arrivals) > _BUSY_PER_S * (taken_s - before_s)
            fill_s = wait_s * _PATIENCE if busy else wait_s
            self._metrics.source_queue.set(self._inbox.messages)
            if arrivals:
                self._pass(Checkpoint.RECEIVED)
                self.process(arrivals)
                self._inbox.done(len(arrivals))
            elif self._stopping.is_set():
                return

    def process(self, arrivals: list[Arrival]) -> None:
        """Judge, commit, then acknowledge: what the stage does with each batch.

        Returns without having acknowledged anything when told to stop while the spool is full or
        cannot be written.
        """
        if not self._wait_for_room():
            return
        with self._judging:
            batch = self._batch_judge.judge(arrivals)
            self._pass(Checkpoint.JUDGED)
            if not self._commit(batch, arrivals):
                return
        self._pass(Checkpoint.COMMITTED)
        self._source.acknowledge(arrivals)
        self._pass(Checkpoint.ACKNOWLEDGED)
        if batch.owners:
            self._on_commit()
            if self._on_lines is not None:
                self._on_lines(b"\n".join(batch.lines))
        for facts in batch.facts:
            self._on_facts(facts)
        self._count(batch)

    def _wait_for_room(self) -> bool:
        while (reason := self._full() or self._no_room()) is not None:
            self._metrics.spool_full.set(1)
            self._outage.down(reason)
            if self._stopping.wait(_FULL_POLL_S):
                return False
        if self._metrics.spool_full._value.get():  # noqa: SLF001 - the gauge is the state
            self._metrics.spool_full.set(0)
            self._outage.up()
        return True

    def _no_room(self) -> str | None:
        """Say why there is no room for dead letters; what is let go is not being replayed."""
        with self._judging:
            return self._room()

    def _full(self) -> str | None:
        """Say why there is no room for messages that wait for the store, or None."""
        if self._spool.pending_bytes < self._limits.max_bytes:
            return None
        return (
            f"{self._spool.path} holds {self._spool.pending_bytes} bytes, the bound is "
            f"{self._limits.max_bytes}; the broker keeps the rest until the store catches up"
        )

    def _recall(self) -> None:
        """Remember what the spool says was committed lately."""
        self._window.session, remembered = self._spool.identities()
        for start in range(0, len(remembered), self._limits.batch_messages):
            self._window.remember(remembered[start : start + self._limits.batch_messages])

    def _remember(self, batch: Batch) -> None:
        kept = batch.identities
        refused = set(kept.unaccepted)
        self._window.remember(
            [
                Remembered(0, digest, place not in refused, at)
                for place, (digest, at) in enumerate(zip(kept.digests, kept.times, strict=True))
            ]
        )

    def _write(
        self,
        batch: Batch,
        settlements: Sequence[Settlement] = (),
        *,
        now_ns: int | None = None,
        archived: int = 0,
    ) -> None:
        self._spool.commit(
            packed=batch.packed(),
            ledger=batch.ledger,
            dead_letters=batch.letters,
            identities=batch.identities,
            session=self._window.session,
            progress=batch.progress,
            settlements=settlements,
            now_ns=self._clock.now_ns() if now_ns is None else now_ns,
            archived=archived,
        )

    def _commit(self, batch: Batch, arrivals: Sequence[Arrival]) -> bool:
        now_ns: int | None = None
        archived = 0
        if self._archive is not None:
            now_ns = self._clock.now_ns()  # a block and its batch carry the same instant
            kept = self._archive.keep(arrivals, batch, now_ns=now_ns, stopping=self._stopping)
            if kept is None:
                return False
            archived = kept
        self._pass(Checkpoint.ARCHIVED)
        while True:
            try:
                with self._metrics.commits.time():
                    self._write(batch, now_ns=now_ns, archived=archived)
            except sqlite3.Error as error:
                remedy = (
                    "a worker that is started anew sets it aside and begins another"
                    if is_damage(error)
                    else "nothing is acknowledged until it can"
                )
                self._outage.down(f"{self._spool.path} cannot be written: {error}; {remedy}")
                if self._stopping.wait(1.0):
                    return False
                continue
            self._outage.up()
            self._forget()
            return True

    def _forget(self) -> None:
        self._commits += 1
        if self._commits % _FORGET_EVERY == 0:
            oldest_ns = self._clock.now_ns() - round(self._ingest.dedupe_s * NS_PER_S)
            keep = max(self._ingest.dedupe_messages, PACKET_IDENTIFIERS)
            self._spool.forget_identities(before_ns=oldest_ns, keep_messages=keep)

    def _settle(self, kept: KeptDeadLetter, batch: Batch) -> Settlement:
        letter = kept.letter
        if letter.scope == Scope.POINTS:
            points = dead_letter.points_of(letter)
            lines = tuple([line_of(point) for point in points])
            batch.store(lines, letter.account, counted=letter.counted)
            if letter.counted:
                batch.ledger.move(letter.account, Fate.DEAD_LETTERED, Fate.PENDING)
            return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)
        arrival = dead_letter.arrival_of(letter)
        verdict = self._judge.judge(arrival, replayed=True, rewritten=letter.scope == Scope.FIELD)
        if letter.scope == Scope.FIELD:
            return self._settle_field(kept, verdict, batch)
        if verdict.fate is Fate.DEAD_LETTERED:
            again = verdict.letters[0]
            return Settlement(kept.id, DeadLetterState.OPEN, again.reason, again.detail)
        batch.ledger.reassign(letter.account, verdict.account, Fate.DEAD_LETTERED, verdict.fate)
        batch.keep(verdict, mid=0, received_ns=arrival.received_ns)
        self._batch_judge.note(batch, verdict)
        return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)

    def _settle_field(self, kept: KeptDeadLetter, verdict: Verdict, batch: Batch) -> Settlement:
        """Write a stored message's points again when its field can be used now."""
        letter = kept.letter
        left = next((one for one in verdict.letters if one.reason == letter.reason), None)
        if left is not None or not verdict.points:
            detail = left.detail if left is not None else letter.detail
            return Settlement(kept.id, DeadLetterState.OPEN, letter.reason, detail)
        batch.store(verdict.lines, verdict.account, counted=False)
        self._batch_judge.note(batch, verdict)
        return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)

    def _count(self, batch: Batch) -> None:
        metrics = self._metrics
        metrics.committed.inc(len(batch.identities))
        metrics.spool_bytes.set(self._spool.pending_bytes)
        metrics.spool_pending.set(self._spool.pending)
        for profile, count in batch.profiles.items():
            metrics.decoded.labels(profile=profile).inc(count)
        metrics.duplicates.inc(batch.fates[Fate.DUPLICATE])
        metrics.redelivered.inc(batch.fates[Fate.REDELIVERED])
        for letter in batch.letters:
            metrics.dead_letters.labels(scope=letter.scope, reason=letter.reason).inc()
