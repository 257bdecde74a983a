"""Which part is down, since when and why: what `/health/ready` says.

Each part is asked in a thread of its own, at most one at a time and for at most `PATIENCE_S`: a
part that hangs neither blocks the answer nor piles up threads, however often health is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock, Thread

import msgspec

from core.archive import ARCHIVE_FACT, ArchiveReport
from core.clock import NS_PER_S, Clock
from core.errors import PasserelleError
from core.sinks import SINKS_FACT, CircuitState, SinkReport
from devices.registry import Registry, WorkerStatus
from storage.ports import PointReader

PATIENCE_S = 3.0
"""How long a part may take to answer before it counts as down, seconds."""
HEARTBEAT_S = 15.0
"""How old a worker's last report may be, seconds."""
RETIRED_S = 3600.0
"""After how long a silent worker with nothing on its disk counts as taken away, seconds."""


class PartState(msgspec.Struct, frozen=True):
    """One part.

    Attributes:
        name: `registry`, `store` or `workers`.
        up: True while it works.
        reason: why it does not, else "".
        since_ns: when it became so, as far as this process saw.
    """

    name: str
    up: bool
    reason: str
    since_ns: int


class WorkerState(msgspec.Struct, frozen=True):
    """One ingest worker, judged.

    Attributes:
        status: its last report.
        age_s: how old that is, seconds.
        reasons: what is wrong with it; empty when nothing is.
        notes: what will go wrong when nobody looks after it; it works all the same.
        sinks: its sinks, the store first.
    """

    status: WorkerStatus
    age_s: float
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    sinks: tuple[SinkReport, ...] = ()


class _Probe:
    """Asks one part, once at a time."""

    def __init__(self, name: str, ask: Callable[[], None], *, clock: Clock) -> None:
        self._name = name
        self._ask = ask
        self._clock = clock
        self._lock = Lock()
        self._running: Event | None = None
        self._answer = ""
        self._state: PartState | None = None

    def check(self) -> PartState:
        with self._lock:
            done = self._running
            if done is None:
                done = self._running = Event()
                Thread(
                    target=self._run, args=(done,), name=f"probe-{self._name}", daemon=True
                ).start()
        answered = done.wait(PATIENCE_S)
        reason = self._answer if answered else f"no answer within {PATIENCE_S:g} s"
        return self.note(reason)

    def note(self, reason: str) -> PartState:
        with self._lock:
            up = not reason
            since_ns = self._clock.now_ns()
            if self._state is not None and self._state.up == up:
                since_ns = self._state.since_ns
            self._state = PartState(name=self._name, up=up, reason=reason, since_ns=since_ns)
            return self._state

    def _run(self, done: Event) -> None:
        reason = "it was asked and failed without a reason"
        try:
            self._ask()
            reason = ""
        except PasserelleError as error:
            reason = error.detail
        finally:
            with self._lock:
                self._answer = reason
                self._running = None
            done.set()


class Readiness:
    """Asks the registry, the store and the workers' reports. Used from many threads.

    Args:
        registry: pinged, and asked for the workers' reports.
        store: pinged.
        clock: where now comes from.
    """

    def __init__(self, *, registry: Registry, store: PointReader, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._reports: tuple[WorkerStatus, ...] = ()
        self._registry_probe = _Probe("registry", self._ask_registry, clock=clock)
        self._store_probe = _Probe("store", store.ping, clock=clock)
        self._workers = _Probe("workers", lambda: None, clock=clock)

    def check(self) -> tuple[list[PartState], list[WorkerState]]:
        """Return the three parts and every worker. Blocks up to twice `PATIENCE_S`."""
        registry = self._registry_probe.check()
        store = self._store_probe.check()
        workers = [self._judge(status) for status in self._reports]
        if not registry.up:
            reason = "the registry, where workers report, does not answer"
        elif not workers:
            reason = "no worker has reported yet"
        else:
            reason = "; ".join(
                f"{worker.status.worker}: {', '.join(worker.reasons)}"
                for worker in workers
                if worker.reasons and not is_retired(worker)
            )
            if not reason and all(is_retired(worker) for worker in workers):
                reason = "every worker has stopped reporting"
        return [registry, store, self._workers.note(reason)], workers

    def _ask_registry(self) -> None:
        self._registry.ping()
        self._reports = tuple(self._registry.workers.list())

    def _judge(self, status: WorkerStatus) -> WorkerState:
        age_s = (self._clock.now_ns() - status.seen_ns) / NS_PER_S
        reasons = []
        if age_s > HEARTBEAT_S:
            reasons.append(f"last seen {age_s:.0f} s ago")
        if not status.connected:
            reasons.append("not connected to the broker")
        if status.store:
            reasons.append(f"cannot write to the store: {status.store}")
        if status.spool_full:
            why = status.facts.get("spool")
            reasons.append(
                f"it has stopped acknowledging: {why}"
                if isinstance(why, str)
                else "its disk queue is full, so it has stopped acknowledging"
            )
        sinks = _sinks_of(status)
        return WorkerState(
            status=status,
            age_s=age_s,
            reasons=tuple(reasons),
            notes=(*_notes(status), *_notes_of_sinks(sinks), *_notes_of_archive(status)),
            sinks=sinks,
        )


def _notes(status: WorkerStatus) -> tuple[str, ...]:
    letters = status.facts.get("dead_letters")
    note = letters.get("note") if isinstance(letters, dict) else None
    return (note,) if isinstance(note, str) else ()


def _sinks_of(status: WorkerStatus) -> tuple[SinkReport, ...]:
    """Return what a worker tells of its sinks; nothing where another version tells it otherwise."""
    try:
        return msgspec.convert(status.facts.get(SINKS_FACT, ()), tuple[SinkReport, ...])
    except msgspec.ValidationError:
        return ()


def _notes_of_sinks(sinks: Sequence[SinkReport]) -> Iterator[str]:
    """Yield what is to be said of further sinks; of the store, `status.store` tells."""
    for sink in sinks[1:]:
        if sink.state is not CircuitState.CLOSED:
            yield f"cannot write to the sink {sink.name}: {sink.reason}"
        if sink.detached:
            yield (
                f"the sink {sink.name} misses {sink.missed_messages} messages; "
                f"passerelle sinks refill {sink.name}"
            )


def _notes_of_archive(status: WorkerStatus) -> Iterator[str]:
    """Yield what is to be said of a raw archive; one that holds is the reason of the worker."""
    try:
        report = msgspec.convert(status.facts.get(ARCHIVE_FACT), ArchiveReport | None)
    except msgspec.ValidationError:
        return
    if report is not None and report.outage and not report.holds:
        yield f"{report.outage} ({report.not_kept} messages so far)"


def is_retired(worker: WorkerState) -> bool:
    """Tell a worker that was taken away (long silent, nothing on its disk) from a broken one."""
    return worker.age_s > RETIRED_S and worker.status.pending == 0
