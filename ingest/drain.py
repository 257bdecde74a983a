"""The drain: from the spool to the store, with nothing forgotten before the store confirmed it.

One thread. Batches are written in the order of arrival; a write that the store asks to repeat is
repeated for ever, with back-off and jitter, and holds up nothing but itself. Points that the store
refuses for good become dead letters in the transaction that moves the cursor.

A store that takes line protocol gets the lines as they were spooled. Only when it refuses some, and
for a store that wants points, are they read.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from core.clock import Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.reading import Point
from ingest import dead_letter
from ingest.checkpoint import Checkpoint, Pass, pass_by
from ingest.ledger import Fate, LedgerDelta
from ingest.spool import STORE_SINK, NewDeadLetter, Spool
from ingest.spooled import SpooledBatch, SpooledMessage
from storage.ports import LineWriter, PointWriter, Retry, Written

_T = TypeVar("_T")
_log = logger("ingest.drain")
_IDLE_S = 0.5
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 30.0
_MOST_AT_ONCE = 2
"""How many times its size a write may exceed, for lines that are not taken apart."""


class Drain:
    """Writes what is spooled to one store.

    Args:
        spool: where messages wait.
        store: where their points go.
        clock: the time.
        metrics: `drain_*`.
        batch_points: points in one write, at most.
        sink: name of the cursor.
        checkpoint: called as the stage passes `ingest.checkpoint`.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        store: PointWriter,
        clock: Clock,
        metrics: Metrics,
        batch_points: int,
        sink: str = STORE_SINK,
        checkpoint: Pass = pass_by,
    ) -> None:
        self._spool = spool
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._batch_points = batch_points
        self._sink = sink
        self._pass = checkpoint
        self._outage = Outage(_log, "store")
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-drain", daemon=True)

    @property
    def outage(self) -> str | None:
        """Why the store takes nothing now, or None."""
        return self._outage.reason

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the spool has something new."""
        self._news.set()

    def stop(self) -> None:
        """End after the write that is under way; the rest stays in the spool."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join()

    def drain_once(self) -> bool:
        """Write and confirm the oldest batches; return whether there were any, and it was done."""
        batches = self._spool.batches(sink=self._sink, limit_messages=self._batch_points)
        if not batches:
            return False
        settled = self._write_whole(batches) or self._write_points(batches)
        if settled is None:
            return False
        ledger, letters = settled
        self._pass(Checkpoint.WRITTEN)
        if not self._confirm(batches, ledger, letters):
            return False
        self._pass(Checkpoint.CONFIRMED)
        self._metrics.stored.inc(sum(batch.count for batch in batches))
        self._metrics.spool_bytes.set(self._spool.pending_bytes)
        self._metrics.spool_pending.set(self._spool.pending)
        for letter in letters:
            self._metrics.dead_letters.labels(scope=letter.scope, reason=letter.reason).inc()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            if not self.drain_once():
                self._news.wait(_IDLE_S)

    def _write_whole(
        self, batches: Sequence[SpooledBatch]
    ) -> tuple[LedgerDelta, list[NewDeadLetter]] | None:
        """Write the lines as they are; None when the store wants points, or refuses some."""
        store = self._store
        points = sum(batch.points for batch in batches)
        if not isinstance(store, LineWriter) or points > _MOST_AT_ONCE * self._batch_points:
            return None
        lines = b"\n".join([batch.body for batch in batches])
        if not self._repeat(lambda: store.write_lines(lines)):
            return None
        self._metrics.stored_points.inc(points)
        ledger = LedgerDelta()
        for batch in batches:
            for account, count in batch.accounts:
                ledger.move(account, Fate.PENDING, Fate.STORED, count)
        return ledger, []

    def _write_points(
        self, batches: Sequence[SpooledBatch]
    ) -> tuple[LedgerDelta, list[NewDeadLetter]] | None:
        """Write the points, and set aside those that the store refuses; None when told to stop."""
        messages = [message for batch in batches for message in batch.messages()]
        refused = self._write(messages)
        return None if refused is None else self._settle(messages, refused)

    def _write(self, messages: Sequence[SpooledMessage]) -> dict[int, str] | None:
        """Write all points; return reason by index of each refused one, None when told to stop."""
        points = [point for message in messages for point in message.points]
        refused: dict[int, str] = {}
        for start in range(0, len(points), self._batch_points):
            outcome = self._write_slice(points[start : start + self._batch_points])
            if outcome is None:
                return None
            refused.update({start + one.index: one.reason for one in outcome.rejected})
        self._metrics.stored_points.inc(len(points) - len(refused))
        return refused

    def _write_slice(self, points: Sequence[Point]) -> Written | None:
        return self._repeat(lambda: self._store.write(points))

    def _repeat(self, write: Callable[[], _T | Retry]) -> _T | None:
        """Write until the store does not ask to repeat it; None when told to stop before."""
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            with self._metrics.writes.time():
                outcome = write()
            if not isinstance(outcome, Retry):
                self._outage.up()
                return outcome
            self._retry_later(outcome, wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        return None

    def _retry_later(self, outcome: Retry, wait_s: float) -> None:
        self._metrics.retries.inc()
        self._outage.down(outcome.reason)
        jittered = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        self._stopping.wait(max(jittered, outcome.after_s or 0.0))

    def _settle(
        self, messages: Sequence[SpooledMessage], refused: dict[int, str]
    ) -> tuple[LedgerDelta, list[NewDeadLetter]]:
        ledger = LedgerDelta()
        letters: list[NewDeadLetter] = []
        position = 0
        now_ns = self._clock.now_ns()
        for message in messages:
            indexes = range(position, position + len(message.points))
            position += len(message.points)
            bad = [index for index in indexes if index in refused] if refused else []
            fate = Fate.STORED
            if bad:
                whole = len(bad) == len(message.points)
                if whole:
                    fate = Fate.DEAD_LETTERED
                letters.append(
                    dead_letter.of_points(
                        [message.points[index - indexes.start] for index in bad],
                        message.account,
                        detail=_reasons(refused[index] for index in bad),
                        now_ns=now_ns,
                        counted=whole and message.counted,
                    )
                )
            if message.counted:
                ledger.move(message.account, Fate.PENDING, fate)
        return ledger, letters

    def _confirm(
        self, batches: Sequence[SpooledBatch], ledger: LedgerDelta, letters: list[NewDeadLetter]
    ) -> bool:
        while True:
            try:
                self._spool.confirm(batches, sink=self._sink, ledger=ledger, dead_letters=letters)
            except sqlite3.Error as error:
                self._outage.down(f"the spool cannot note what the store has: {error}")
                if self._stopping.wait(1.0):
                    return False
                continue
            self._outage.up()
            return True


def _reasons(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
