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
from ingest.arrival import Arrival, Source
from ingest.checkpoint import Checkpoint, Pass, pass_by
from ingest.duplicates import DuplicateWindow, Remembered
from ingest.inbox import Inbox
from ingest.judge import Facts, Judge, Verdict
from ingest.ledger import Fate, LedgerDelta
from ingest.spool import KeptDeadLetter, NewDeadLetter, Settlement, Spool, SpooledMessage

_log = logger("ingest.accept")
_FULL_POLL_S = 0.2
_IDLE_S = 0.1
_FORGET_EVERY = 200


class Replayed(msgspec.Struct, frozen=True):
    """How many dead letters became pending again, and how many stay open."""

    replayed: int
    failed: int


class _Batch:
    """What one transaction will hold."""

    def __init__(self) -> None:
        self.messages: list[SpooledMessage] = []
        self.ledger = LedgerDelta()
        self.letters: list[NewDeadLetter] = []
        self.identities: list[Remembered] = []
        self.facts: list[Facts] = []
        self.verdicts: list[Verdict] = []

    def add(self, arrival: Arrival, verdict: Verdict) -> list[Remembered]:
        """Add a message received; return what is to be remembered of it."""
        self.verdicts.append(verdict)
        if verdict.facts is not None:
            self.facts.append(verdict.facts)
        if verdict.fate is Fate.REDELIVERED:
            self.ledger.redeliver(verdict.account)
            return []
        self.ledger.receive(verdict.account, verdict.fate)
        return [self.keep(verdict, mid=arrival.mid, received_ns=arrival.received_ns)]

    def keep(self, verdict: Verdict, *, mid: int, received_ns: int) -> Remembered:
        """Add what is to be stored and set aside; return what is to be remembered of it."""
        if verdict.fate is Fate.PENDING:
            self.messages.append(SpooledMessage(verdict.account, verdict.points))
        self.letters.extend(verdict.letters)
        accepted = verdict.fate in (Fate.PENDING, Fate.STORED)
        entry = Remembered(mid, verdict.digest, accepted, received_ns)
        self.identities.append(entry)
        return entry


class Accept:
    """From the source's queue to the spool, then the PUBACK.

    Args:
        source: where arrivals come from and PUBACKs go.
        spool: where messages become safe.
        judge: what becomes of each.
        window: what was committed lately; filled here from the spool.
        clock: the time.
        metrics: `spool_*`, `decode_*`, `dead_letters`, `duplicate_*`.
        ingest: bounds of the queue and of the window.
        limits: bounds of the spool and of a batch.
        on_commit: called after each commit that spooled messages.
        on_facts: called after the commit with what bridges told of their devices.
        checkpoint: called as the stage passes `ingest.checkpoint`.
    """

    def __init__(
        self,
        *,
        source: Source,
        spool: Spool,
        judge: Judge,
        window: DuplicateWindow,
        clock: Clock,
        metrics: Metrics,
        ingest: IngestSettings,
        limits: SpoolSettings,
        on_commit: Callable[[], None],
        on_facts: Callable[[Facts], None],
        checkpoint: Pass = pass_by,
    ) -> None:
        self._source = source
        self._spool = spool
        self._judge = judge
        self._window = window
        self._clock = clock
        self._metrics = metrics
        self._ingest = ingest
        self._limits = limits
        self._on_commit = on_commit
        self._on_facts = on_facts
        self._pass = checkpoint
        self._inbox = Inbox(
            max_messages=max(ingest.queue_messages, limits.batch_messages), clock=clock
        )
        self._stopping = threading.Event()
        self._judging = threading.Lock()
        self._outage = Outage(_log, "spool")
        self._thread = threading.Thread(target=self._run, name="ingest-accept", daemon=True)
        self._session, remembered = spool.identities()
        self._window.remember(remembered)
        self._commits = 0
        self._delivered = 0

    @property
    def outage(self) -> str | None:
        """Why nothing is acknowledged now, or None."""
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
        """Judge dead letters again and settle each, in one transaction.

        Raises:
            sqlite3.Error: nothing changed.
        """
        with self._judging:
            batch = _Batch()
            settlements = [self._settle(kept, batch) for kept in letters]
            now_ns = self._clock.now_ns()
            self._spool.commit(
                messages=batch.messages,
                ledger=batch.ledger,
                dead_letters=batch.letters,
                identities=batch.identities,
                session=self._session,
                settlements=settlements,
                now_ns=now_ns,
            )
            self._window.remember(batch.identities)
        self._on_commit()
        done = sum(1 for one in settlements if one.state == DeadLetterState.REPLAYED)
        return Replayed(done, len(letters) - done)

    def _run(self) -> None:
        while True:
            arrivals = self._inbox.take(
                limit=self._limits.batch_messages,
                first_s=_IDLE_S,
                fill_s=self._limits.batch_wait_s,
            )
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
            batch = self._judge_all(arrivals)
            self._pass(Checkpoint.JUDGED)
            if not self._commit(batch):
                return
        self._pass(Checkpoint.COMMITTED)
        self._source.acknowledge(arrivals)
        self._pass(Checkpoint.ACKNOWLEDGED)
        if batch.messages:
            self._on_commit()
        for facts in batch.facts:
            self._on_facts(facts)
        self._count(batch)

    def _wait_for_room(self) -> bool:
        while self._spool.pending_bytes >= self._limits.max_bytes:
            self._metrics.spool_full.set(1)
            self._outage.down(
                f"{self._spool.path} holds {self._spool.pending_bytes} bytes, the bound is "
                f"{self._limits.max_bytes}; the broker keeps the rest until the store catches up"
            )
            if self._stopping.wait(_FULL_POLL_S):
                return False
        if self._metrics.spool_full._value.get():  # noqa: SLF001 - the gauge is the state
            self._metrics.spool_full.set(0)
            self._outage.up()
        return True

    def _judge_all(self, arrivals: list[Arrival]) -> _Batch:
        batch = _Batch()
        for arrival in arrivals:
            if self._window.connection(generation=arrival.generation, resumed=arrival.resumed):
                self._session += 1
            verdict = self._judge.judge(arrival)
            if arrival.facts_only:
                if verdict.facts is not None:
                    batch.facts.append(verdict.facts)
                continue
            self._window.remember(batch.add(arrival, verdict))
        return batch

    def _commit(self, batch: _Batch) -> bool:
        while True:
            try:
                with self._metrics.commits.time():
                    self._spool.commit(
                        messages=batch.messages,
                        ledger=batch.ledger,
                        dead_letters=batch.letters,
                        identities=batch.identities,
                        session=self._session,
                    )
            except sqlite3.Error as error:
                self._outage.down(
                    f"{self._spool.path} cannot be written: {error}; nothing is acknowledged "
                    "until it can"
                )
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
            keep = max(self._ingest.dedupe_messages, 0x10000)  # every packet identifier once
            self._spool.forget_identities(before_ns=oldest_ns, keep_messages=keep)

    def _settle(self, kept: KeptDeadLetter, batch: _Batch) -> Settlement:
        letter = kept.letter
        if kept.state != DeadLetterState.OPEN:
            return Settlement(kept.id, kept.state, letter.reason, letter.detail)
        if letter.scope == Scope.POINTS:
            points = dead_letter.points_of(letter)
            batch.messages.append(SpooledMessage(letter.account, points, counted=letter.counted))
            if letter.counted:
                batch.ledger.move(letter.account, Fate.DEAD_LETTERED, Fate.PENDING)
            return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)
        arrival = dead_letter.arrival_of(letter)
        verdict = self._judge.judge(arrival, replayed=True)
        if letter.scope == Scope.FIELD:
            return self._settle_field(kept, verdict, batch)
        if verdict.fate is Fate.DEAD_LETTERED:
            again = verdict.letters[0]
            return Settlement(kept.id, DeadLetterState.OPEN, again.reason, again.detail)
        batch.ledger.reassign(letter.account, verdict.account, Fate.DEAD_LETTERED, verdict.fate)
        batch.keep(verdict, mid=0, received_ns=arrival.received_ns)
        return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)

    def _settle_field(self, kept: KeptDeadLetter, verdict: Verdict, batch: _Batch) -> Settlement:
        """Write a stored message's points again when its field can be used now."""
        letter = kept.letter
        left = next((one for one in verdict.letters if one.reason == letter.reason), None)
        if left is not None or not verdict.points:
            detail = left.detail if left is not None else letter.detail
            return Settlement(kept.id, DeadLetterState.OPEN, letter.reason, detail)
        batch.messages.append(SpooledMessage(verdict.account, verdict.points, counted=False))
        return Settlement(kept.id, DeadLetterState.REPLAYED, letter.reason, letter.detail)

    def _count(self, batch: _Batch) -> None:
        metrics = self._metrics
        metrics.committed.inc(len(batch.verdicts))
        metrics.spool_bytes.set(self._spool.pending_bytes)
        metrics.spool_pending.set(self._spool.pending)
        for verdict in batch.verdicts:
            if verdict.profile:
                metrics.decoded.labels(profile=verdict.profile).inc()
            if verdict.fate is Fate.DUPLICATE:
                metrics.duplicates.inc()
            elif verdict.fate is Fate.REDELIVERED:
                metrics.redelivered.inc()
        for letter in batch.letters:
            metrics.dead_letters.labels(scope=letter.scope, reason=letter.reason).inc()
