"""The drain: from the spool to one sink, with nothing forgotten before the sink confirmed it.

One thread and one cursor a sink: a slow or dead one holds up nothing but itself. Batches are
written in the order of arrival; a write that the sink asks to repeat is repeated for ever
(`ingest.circuit`). Points that it refuses for good become dead letters in the transaction that
moves the cursor; only the store's concern the ledger.

A further sink has a bound. Behind it, it is detached: its oldest batches are passed over, down to
half of the bound, and what it misses is noted (`ingest.missed`) until `passerelle sinks refill`
has filled it; or, as its setting says, the worker acknowledges nothing more until it caught up.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

import msgspec

from core.clock import NS_PER_S, Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.sinks import CIRCUIT_NUMBERS, SinkReport
from ingest import dead_letter
from ingest.checkpoint import Checkpoint, Pass, pass_by
from ingest.circuit import Circuit
from ingest.delivery import Delivered, Delivery
from ingest.kept import Kept, kept_of
from ingest.ledger import Fate, LedgerDelta
from ingest.spool import STORE_SINK, NewDeadLetter, Spool
from ingest.spooled import Lag, SpooledBatch
from storage.line_protocol import lines_of
from storage.ports import PointWriter

_log = logger("ingest.drain")
_IDLE_S = 0.5
_LOOK_S = 0.5
_SKIPPED_AT_ONCE = 2000


class Bound(msgspec.Struct, frozen=True):
    """How far a sink may fall behind.

    Attributes:
        bytes: size of what waits for it, bytes.
        hold: beyond it acknowledging stops; else the sink is detached.
    """

    bytes: int
    hold: bool


class Drain:
    """Writes what is spooled to one sink.

    Args:
        spool: where messages wait; opened with the name of the sink.
        store: where their points go.
        clock: the time.
        metrics: `drain_*`.
        batch_points: points in one write, at most.
        pace_s: from the beginning of a write to that of the next one, at least, seconds; not while
            more than a write holds is waiting. Each write is a request and a transaction.
        sink: its name.
        bound: how far it may fall behind; None: as far as the spool holds.
        stream: name of what is written, for a writer of spans.
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
        pace_s: float = 0.0,
        sink: str = STORE_SINK,
        bound: Bound | None = None,
        stream: str = "",
        checkpoint: Pass = pass_by,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._metrics = metrics
        self._batch_points = batch_points
        self._pace_s = pace_s
        self._sink = sink
        self._bound = bound
        self._pass = checkpoint
        self._is_store = sink == STORE_SINK
        self._log = _log if self._is_store else _log.bind(sink=sink)
        self._outage = Outage(self._log, "store" if self._is_store else "sink")
        self._circuit = Circuit(clock=clock)
        self._delivery = Delivery(
            name=sink,
            writer=store,
            stream=stream,
            batch_points=batch_points,
            circuit=self._circuit,
            outage=self._outage,
            metrics=metrics,
            pause=self._pause,
        )
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ingest-drain-{sink}", daemon=True)
        self.report()

    @property
    def outage(self) -> str | None:
        """Why the sink takes nothing now, or None."""
        return self._outage.reason

    @property
    def holding(self) -> str | None:
        """Why nothing may be acknowledged because of this sink, or None."""
        bound = self._bound
        if bound is None or not bound.hold:
            return None
        size = self._spool.lag(self._sink).bytes
        if size < bound.bytes:
            return None
        return (
            f"the sink {self._sink} is {size} bytes behind, its max_lag_bytes is {bound.bytes} and "
            "its when_behind is hold; the broker keeps the rest until it catches up"
        )

    def confirmed_until_ns(self) -> int:
        """Return an instant: what was committed before it, the sink has confirmed."""
        now_ns = self._clock.now_ns()
        return self._spool.lag(self._sink).oldest_ns or now_ns

    def report(self) -> SinkReport:
        """Return how the sink does, and show it in the metrics."""
        lag = self._spool.lag(self._sink)
        gaps = self._spool.gaps(self._sink)
        reading = self._circuit.reading
        age_s = self._age_s(lag)
        metrics = self._metrics
        metrics.sink_state.labels(sink=self._sink).set(CIRCUIT_NUMBERS[reading.state])
        metrics.sink_lag_messages.labels(sink=self._sink).set(lag.messages)
        metrics.sink_lag_bytes.labels(sink=self._sink).set(lag.bytes)
        metrics.sink_lag_seconds.labels(sink=self._sink).set(age_s)
        metrics.sink_missed.labels(sink=self._sink).set(sum(gap.messages for gap in gaps))
        return SinkReport(
            name=self._sink,
            state=reading.state,
            reason=reading.reason,
            since_ns=reading.since_ns,
            lag_messages=lag.messages,
            lag_bytes=lag.bytes,
            lag_s=age_s,
            missed_messages=sum(gap.messages for gap in gaps),
            missed_points=sum(gap.points for gap in gaps),
            missed_since_ns=gaps[0].since_ns if gaps else 0,
            missed_until_ns=gaps[-1].until_ns if gaps else 0,
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the spool has something new."""
        self._news.set()

    def stop(self) -> None:
        """End after the write that is under way; the rest stays in the spool."""
        self.halt()
        if self._thread.is_alive():
            self._thread.join()

    def halt(self) -> None:
        """Ask it to end, without waiting."""
        self._stopping.set()
        self._news.set()

    def drain_once(self) -> bool:
        """Write and confirm the oldest batches; return whether there were any, and it was done."""
        if not self._keep_up():
            return False
        batches = self._due()
        if not batches or not self._delivery.reclaim(after=batches[0].seq - 1):
            return False
        delivered = self._delivery.deliver(batches)
        if delivered is None:
            return False
        self._pass(Checkpoint.WRITTEN)
        ledger, letters = self._settle(batches, delivered)
        if not self._confirm(batches, ledger, letters, self._kept(batches, delivered)):
            return False
        self._pass(Checkpoint.CONFIRMED)
        self._count(batches, delivered, letters)
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            began_s = self._clock.monotonic_s()
            if not self.drain_once():
                self._news.wait(_IDLE_S)
            elif self._spool.waiting_points(self._sink) < self._batch_points:
                self._stopping.wait(began_s + self._pace_s - self._clock.monotonic_s())

    def _pause(self, seconds: float) -> bool:
        """Wait; False, at once, when the worker ends or the sink falls behind its bound."""
        left_s = seconds
        while not self._stopping.is_set() and not self._behind():
            if left_s <= 0:
                return True
            self._stopping.wait(min(left_s, _LOOK_S))
            left_s -= _LOOK_S
        return False

    def _behind(self) -> bool:
        bound = self._bound
        return (
            bound is not None and not bound.hold and self._spool.lag(self._sink).bytes > bound.bytes
        )

    def _due(self) -> list[SpooledBatch]:
        """Return the batches to write now: for a writer of spans, only when a span is due."""
        spans = self._delivery.spans
        if spans is None:
            return self._spool.batches(sink=self._sink, limit_messages=self._batch_points)
        lag = self._spool.lag(self._sink)
        if lag.points < spans.span_points and 0 <= self._age_s(lag) < spans.span_age_s:
            return []
        found = self._spool.batches(sink=self._sink, limit_messages=spans.span_points)
        points = 0
        for place, batch in enumerate(found):
            points += batch.points
            if points > spans.span_points:
                return found[: max(1, place)]
        return found

    def _age_s(self, lag: Lag) -> float:
        return (self._clock.now_ns() - lag.oldest_ns) / NS_PER_S if lag.oldest_ns else 0.0

    def _keep_up(self) -> bool:
        """Pass over the oldest batches of a sink behind its bound; False when told to stop."""
        if self._bound is None or not self._behind():
            return True
        reason = self._outage.reason or "it is too slow"
        if not self._spool.gaps(self._sink):
            self._log.warning(
                "sink_detached",
                reason=reason,
                max_lag_bytes=self._bound.bytes,
                refill=f"passerelle sinks refill {self._sink}",
            )
        skipped = 0
        while (excess := self._spool.lag(self._sink).bytes - self._bound.bytes // 2) > 0:
            batches: list[SpooledBatch] = []
            for batch in self._spool.batches(sink=self._sink, limit_messages=_SKIPPED_AT_ONCE):
                batches.append(batch)
                excess -= batch.bytes
                if excess <= 0:
                    break
            try:
                self._spool.skip(batches, sink=self._sink)
            except sqlite3.Error as error:
                self._outage.down(f"the spool cannot note what the sink misses: {error}")
                self._stopping.wait(1.0)
                return False
            skipped += sum(batch.count for batch in batches)
        self._metrics.sink_skipped.labels(sink=self._sink).inc(skipped)
        return True

    def _settle(
        self, batches: Sequence[SpooledBatch], delivered: Delivered
    ) -> tuple[LedgerDelta, list[NewDeadLetter]]:
        ledger = LedgerDelta()
        if delivered.messages is None:
            if self._is_store:
                for batch in batches:
                    for account, count in batch.accounts:
                        ledger.move(account, Fate.PENDING, Fate.STORED, count)
            return ledger, []
        refused = delivered.refused
        letters: list[NewDeadLetter] = []
        position = 0
        now_ns = self._clock.now_ns()
        for message in delivered.messages:
            indexes = range(position, position + len(message.points))
            position += len(message.points)
            bad = [index for index in indexes if index in refused] if refused else []
            whole = bool(bad) and len(bad) == len(message.points)
            if bad:
                letters.append(
                    dead_letter.of_points(
                        [message.points[index - indexes.start] for index in bad],
                        message.account,
                        detail=_reasons(refused[index] for index in bad),
                        now_ns=now_ns,
                        counted=self._is_store and whole and message.counted,
                        sink="" if self._is_store else self._sink,
                    )
                )
            if self._is_store and message.counted:
                fate = Fate.DEAD_LETTERED if whole else Fate.STORED
                ledger.move(message.account, Fate.PENDING, fate)
        return ledger, letters

    def _kept(self, batches: Sequence[SpooledBatch], delivered: Delivered) -> Kept | None:
        """Return what the lines that the store took leave; None for a further sink."""
        if not self._is_store:
            return None
        if delivered.messages is None or not delivered.refused:
            return kept_of(batch.body for batch in batches)
        points = [point for message in delivered.messages for point in message.points]
        taken = [one for index, one in enumerate(points) if index not in delivered.refused]
        return kept_of([lines_of(taken)])

    def _confirm(
        self,
        batches: Sequence[SpooledBatch],
        ledger: LedgerDelta,
        letters: list[NewDeadLetter],
        kept: Kept | None,
    ) -> bool:
        while True:
            try:
                self._spool.confirm(
                    batches, sink=self._sink, ledger=ledger, dead_letters=letters, kept=kept
                )
            except sqlite3.Error as error:
                self._outage.down(f"the spool cannot note what the sink has: {error}")
                if self._stopping.wait(1.0):
                    return False
                continue
            self._outage.up()
            return True

    def _count(
        self, batches: Sequence[SpooledBatch], delivered: Delivered, letters: list[NewDeadLetter]
    ) -> None:
        messages = sum(batch.count for batch in batches)
        metrics = self._metrics
        metrics.sink_written_messages.labels(sink=self._sink).inc(messages)
        metrics.sink_written_points.labels(sink=self._sink).inc(delivered.points)
        for letter in letters:
            metrics.dead_letters.labels(scope=letter.scope, reason=letter.reason).inc()
        if self._is_store:
            metrics.stored.inc(messages)
            metrics.stored_points.inc(delivered.points)
            metrics.spool_bytes.set(self._spool.pending_bytes)
            metrics.spool_pending.set(self._spool.pending)


def _reasons(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reasons))
