"""Carrying out what people ask about dead letters, a little at a time.

One thread: the reporter's. Each call does a bounded piece of work and notes how far it is, in the
registry, in absolute values. After a crash a request goes on from its last note: dead letters that
ended meanwhile are no longer open and are passed over, and how many of them ended by the request is
counted by the spool in the transactions in which they ended. So nothing is done twice, and the
numbers are exact.

A dead letter on which our own code fails costs itself only: it stays open and says so.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from core.clock import Clock
from core.errors import PasserelleError
from core.logs import logger
from core.metrics import Metrics
from core.reasons import Reason
from devices.registry import Registry
from devices.registry.records import (
    DeadLetterState,
    LetterAction,
    LetterFate,
    LetterFilter,
    LetterOutcome,
    LetterRequest,
)
from ingest import dead_letter
from ingest.accept import Accept
from ingest.preview import Preview, failure
from ingest.spool import KeptDeadLetter, Spool

_log = logger("ingest.letter_orders")
_CHUNK = 200
_LOOK = 2000
_BURST_S = 2.0
_OF_ONE_LETTER = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)
_ENDED = {
    DeadLetterState.REPLAYED.value: LetterFate.REPLAYED,
    DeadLetterState.DISCARDED.value: LetterFate.DISCARDED,
}


class LetterOrders:
    """Carries out requests about the dead letters of one worker.

    Args:
        registry: where they are asked, and progress is noted.
        spool: the dead letters.
        accept: judges them again.
        worker: name under which the worker's dead letters are told.
        former: such names of its spools before this one, whose dead letters it does not have.
        clock: the time.
        metrics: `dead_letters_discarded`.
        max_pending_bytes: replays wait while so much waits for the store.
        refresh: reads devices and profiles again where they changed.
        tell: publishes ledger and dead letters.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        spool: Spool,
        accept: Accept,
        worker: str,
        former: Sequence[str],
        clock: Clock,
        metrics: Metrics,
        max_pending_bytes: int,
        refresh: Callable[[], None],
        tell: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._spool = spool
        self._accept = accept
        self._worker = worker
        self._former = former
        self._clock = clock
        self._metrics = metrics
        self._max_pending_bytes = max_pending_bytes
        self._refresh = refresh
        self._tell = tell
        self._runs: dict[int, _Run] = {}
        self._ending: int | None = None

    def work(self, *, budget_s: float) -> bool:
        """Do what is asked, for so long at most; return whether there is more to do at once.

        Dry runs come first: somebody waits for them.

        Raises:
            RegistryUnavailableError: the registry does not answer; it goes on when it does.
            sqlite3.Error: the spool cannot be written; likewise.
        """
        self._tell_missing()
        requests = self._registry.dead_letters.replay_requests(self._worker)
        asked = {request.id for request in requests}
        self._runs = {number: run for number, run in self._runs.items() if number in asked}
        deadline_s = self._clock.monotonic_s() + budget_s
        busy = False
        for request in sorted(requests, key=lambda one: one.action != LetterAction.DRY_RUN):
            busy |= self._carry_out(request, deadline_s)
        return busy

    def _tell_missing(self) -> None:
        """End what is asked of dead letters in spools that were set aside."""
        letters = self._registry.dead_letters
        for request in [one for name in self._former for one in letters.replay_requests(name)]:
            count = request.matched - request.done
            letters.note_progress(
                msgspec.structs.replace(
                    request,
                    done=request.matched,
                    failed=request.failed + count,
                    finished_ns=self._clock.now_ns(),
                    outcomes=(
                        *request.outcomes,
                        LetterOutcome(
                            "", LetterFate.MISSING.value, count, "",
                            f"the spool of {request.worker} was set aside; export them instead",
                        ),
                    ),
                )
            )  # fmt: skip

    def _carry_out(self, request: LetterRequest, deadline_s: float) -> bool:
        """Go on with one request; return whether only the deadline stopped it."""
        run = self._runs.get(request.id)
        if run is None:
            self._refresh()
            run = self._runs[request.id] = _Run(
                request, upto=self._spool.letters.highest(), now_s=self._clock.monotonic_s()
            )
        waiting = ""
        busy = False
        while not run.finished:
            now_s = self._clock.monotonic_s()
            if now_s >= deadline_s:
                busy = True
                break
            if (
                request.action == LetterAction.REPLAY
                and self._spool.pending_bytes >= self._max_pending_bytes
            ):
                waiting = "the worker's disk queue is full: it waits for the store"
                break
            limit = run.allowed(now_s)
            if not limit:
                break
            self._step(run, limit)
        noted = self._progress(request, run, waiting)
        if run.finished:
            self._tell()
            noted = msgspec.structs.replace(noted, finished_ns=self._clock.now_ns())
        if noted != request:
            self._registry.dead_letters.note_progress(noted)
        if run.finished:
            del self._runs[request.id]
            _log.info(
                "dead_letters_request_done",
                request=request.id,
                action=request.action,
                done=noted.done,
                replayed=noted.replayed,
                failed=noted.failed,
            )
        return busy

    def _step(self, run: _Run, limit: int) -> None:
        if not run.queue and run.looked < run.upto:
            found = self._spool.letters.find(
                run.wanted, after=run.looked, upto=run.upto, limit=_LOOK
            )
            run.queue.extend(found.ids)
            run.looked = found.last
        ids = [run.queue.popleft() for _ in range(min(limit, len(run.queue)))]
        if ids:
            try:
                self._act(run, ids)
            except BaseException:
                run.queue.extendleft(reversed(ids))
                raise
            run.spend(len(ids))
        run.position = ids[-1] if run.queue else run.looked

    def _act(self, run: _Run, ids: Sequence[int]) -> None:
        request = run.request
        if request.action == LetterAction.DISCARD:
            count = self._spool.letters.discard(
                ids,
                by=request.requested_by,
                why=request.why,
                now_ns=self._clock.now_ns(),
                request=request.id,
            )
            self._metrics.dead_letters_discarded.labels(by="operator").inc(count)
            return
        kept = self._spool.dead_letters(ids)
        missing = len(ids) - len(kept)
        found = [one for one in kept if one.state == DeadLetterState.OPEN]
        if request.action == LetterAction.DRY_RUN:
            preview = run.preview = run.preview or self._accept.preview()
            for one in found:
                foreseen = preview.of(one.letter)
                run.count(one.letter.reason, foreseen.fate, foreseen.reason, foreseen.detail)
        else:
            if self._ending != request.id:
                self._spool.letters.ending_by(request.id, request.requested_by)
                self._ending = request.id
            for group in _without_equals(found):
                self._replay(run, group)
        if missing:
            run.count("", LetterFate.MISSING, "", "the worker does not have it", missing)

    def _replay(self, run: _Run, group: Sequence[KeptDeadLetter]) -> None:
        try:
            result = self._accept.replay(group)
        except PasserelleError:
            raise
        except Exception as error:
            if isinstance(error, sqlite3.Error) and not isinstance(error, _OF_ONE_LETTER):
                raise
            if len(group) > 1:
                for one in group:
                    self._replay(run, [one])
                return
            _log.exception("dead_letter_not_replayed", letter=group[0].id)
            detail = failure(error)
            self._spool.letters.note_failure(group[0].id, detail, now_ns=self._clock.now_ns())
            run.count(group[0].letter.reason, LetterFate.OPEN, Reason.INTERNAL_ERROR.value, detail)
            return
        before = {one.id: one.letter.reason for one in group}
        for settled in result.settlements:
            if settled.state == DeadLetterState.OPEN:
                run.count(before[settled.id], LetterFate.OPEN, settled.reason, settled.detail)

    def _progress(self, request: LetterRequest, run: _Run, waiting: str) -> LetterRequest:
        ended = [
            LetterOutcome(reason, _ENDED[state].value, count)
            for (reason, state), count in sorted(self._spool.letters.tally(request.id).items())
        ]
        outcomes = (*ended, *run.outcomes())
        stay = (LetterFate.OPEN, LetterFate.MISSING)
        dry = request.action == LetterAction.DRY_RUN
        return msgspec.structs.replace(
            request,
            position=run.position,
            upto=run.upto,
            done=sum(one.count for one in outcomes),
            replayed=sum(one.count for one in ended if one.fate == LetterFate.REPLAYED),
            failed=0 if dry else sum(one.count for one in outcomes if one.fate in stay),
            waiting=waiting,
            outcomes=outcomes,
        )


class _Run:
    """A request that is being carried out.

    Args:
        request: as the registry has it.
        upto: greatest number there is: what comes later is not meant.
        now_s: monotonic, seconds.
    """

    def __init__(self, request: LetterRequest, *, upto: int, now_s: float) -> None:
        self.request = request
        self.wanted = request.wanted or LetterFilter()
        self.upto = request.upto or upto
        self.position = request.position
        self.looked = request.position
        self.queue: deque[int] = deque()
        self.preview: Preview | None = None
        if request.wanted is None:
            numbers = sorted(dead_letter.number_of(one) for one in request.dead_letters)
            self.queue.extend(number for number in numbers if number > request.position)
            self.upto = self.looked = numbers[-1] if numbers else request.position
        self._tokens = float(_CHUNK)
        self._filled_s = now_s
        self._counts: dict[tuple[str, str, str], tuple[int, str]] = {
            (one.reason, one.fate, one.reason_now): (one.count, one.detail)
            for one in request.outcomes
            if one.fate not in (LetterFate.REPLAYED, LetterFate.DISCARDED)
        }

    @property
    def finished(self) -> bool:
        """Whether everything was looked at."""
        return not self.queue and self.looked >= self.upto

    def allowed(self, now_s: float) -> int:
        """Return how many may be taken now, at the rate that was asked for."""
        rate = self.request.rate
        if not rate or self.request.action == LetterAction.DRY_RUN:
            return _CHUNK
        self._tokens += rate * (now_s - self._filled_s)
        self._tokens = min(self._tokens, max(1.0, rate * _BURST_S))
        self._filled_s = now_s
        return min(_CHUNK, int(self._tokens))

    def spend(self, count: int) -> None:
        """Note that so many were taken."""
        self._tokens -= count

    def count(self, reason: str, fate: LetterFate, now: str, detail: str, number: int = 1) -> None:
        """Count what became of dead letters that did not end."""
        key = (reason, fate.value, now)
        before, said = self._counts.get(key, (0, detail))
        self._counts[key] = (before + number, said)

    def outcomes(self) -> tuple[LetterOutcome, ...]:
        """Return what was counted."""
        return tuple(
            LetterOutcome(reason, fate, count, now, detail)
            for (reason, fate, now), (count, detail) in sorted(self._counts.items())
        )


def _without_equals(letters: Sequence[KeptDeadLetter]) -> Iterator[list[KeptDeadLetter]]:
    """Yield the letters in their order, cut so that no part holds the same message twice.

    What is replayed is remembered when it is committed: the second of two equal messages is told as
    a duplicate when it is judged after that.
    """
    part: list[KeptDeadLetter] = []
    seen: set[tuple[bytes, bytes]] = set()
    for one in letters:
        key = (one.letter.topic, one.letter.payload)
        if key in seen:
            yield part
            part, seen = [], set()
        part.append(one)
        seen.add(key)
    if part:
        yield part
