"""A worker: the stages put together, started so that nothing arrives before it can be safe."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec

from core.archive import ARCHIVE_FACT
from core.clock import Clock
from core.errors import PasserelleError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import Settings
from core.sinks import SINKS_FACT, STORED_UNTIL_FACT, SinkReport
from core.waiting import answer_of
from devices.decoder import Limits
from devices.registry import Registry
from devices.seeding import prepare
from ingest.accept import Accept
from ingest.announcer import announcer_of
from ingest.archive import Archive
from ingest.arrival import Source
from ingest.checkpoint import Pass, pass_by
from ingest.damaged import files_set_aside, open_or_set_aside, published
from ingest.directory import Directory, Snapshot, take_snapshot
from ingest.drain import Bound, Drain
from ingest.judge import Facts
from ingest.letter_bounds import LetterBounds
from ingest.report import Reporter
from ingest.rolling import Roller
from ingest.source import new_source
from ingest.spool import STORE_SINK
from ingest.validate import ClockPolicy
from storage.factory import open_sinks, store_id
from storage.ports import PointWriter

_log = logger("ingest.worker")
_POLL_S = 0.05


def limits_of(settings: Settings) -> Limits:
    """Return the decoder's bounds."""
    return Limits(
        max_payload_bytes=settings.ingest.max_payload_bytes,
        max_depth=settings.ingest.max_depth,
        max_readings=settings.ingest.max_readings,
    )


class Worker:
    """One ingest worker in this process.

    Args:
        settings: all of them.
        registry: migrated.
        store: where points go; it is the caller's to close.
        snapshot: the registry as read at the start.
        clock: the time.
        metrics: of every stage.
        source: None for the broker of the settings.
        sinks: the further sinks of the settings, opened, by name: the caller's to close; None: the
            worker opens and closes them.
        checkpoint: called as a batch passes `ingest.checkpoint`.

    Raises:
        ConfigurationError: a setting is wrong, or the spool cannot be opened.
        RegistryUnavailableError: the registry does not answer.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        store: PointWriter,
        snapshot: Snapshot,
        clock: Clock,
        metrics: Metrics,
        source: Source | None = None,
        sinks: Mapping[str, PointWriter] | None = None,
        checkpoint: Pass = pass_by,
    ) -> None:
        ingest = settings.ingest
        policy = ClockPolicy.from_settings(
            earliest=ingest.clock_earliest, ahead_s=ingest.clock_ahead_s
        )
        self._clock = clock
        self._directory = Directory(snapshot)
        self._source = source or new_source(
            settings=settings.mqtt,
            ingest=ingest,
            client_id=settings.client_id,
            filters=snapshot.decoder.filters,
            fact_filters=snapshot.decoder.metadata_filters,
            clock=clock,
            metrics=metrics,
        )
        self._own_sinks = open_sinks(settings) if sinks is None else {}
        self._spool = open_or_set_aside(
            path=settings.spool_path,
            sinks=(STORE_SINK, *(sink.name for sink in settings.sinks)),
            clock=clock,
        )
        metrics.spools_set_aside.set(len(files_set_aside(settings.spool_path)))
        self._archive = (
            Archive(
                settings=settings.archive,
                directory=settings.archive_path,
                spool=self._spool.identity,
                committed=self._spool.archived,
                clock=clock,
                metrics=metrics,
            )
            if settings.archive.enabled
            else None
        )
        self._bounds = LetterBounds(
            letters=self._spool.letters,
            settings=settings.dead_letters,
            clock=clock,
            metrics=metrics,
        )
        self._drain = Drain(
            spool=self._spool,
            store=store,
            clock=clock,
            metrics=metrics,
            batch_points=settings.store.batch_points,
            pace_s=settings.store.pace_s,
            checkpoint=checkpoint,
        )
        writers = self._own_sinks if sinks is None else sinks
        self._further = [
            Drain(
                spool=self._spool,
                store=writers[sink.name],
                clock=clock,
                metrics=metrics,
                batch_points=sink.batch_points,
                pace_s=sink.pace_s,
                sink=sink.name,
                bound=Bound(bytes=sink.max_lag_bytes, hold=sink.when_behind == "hold"),
                stream=f"{ingest.worker}-{self._spool.identity:016x}",
                checkpoint=checkpoint,
            )
            for sink in settings.sinks
        ]
        self._drains = [self._drain, *self._further]
        self._announcer = announcer_of(
            mqtt_settings=settings.mqtt,
            settings=settings.live,
            worker=ingest.worker,
            clock=clock,
            metrics=metrics,
        )
        self._accept = Accept(
            source=self._source,
            spool=self._spool,
            directory=self._directory,
            policy=policy,
            clock=clock,
            metrics=metrics,
            ingest=ingest,
            limits=settings.spool,
            on_commit=self._wake,
            on_facts=self._learn,
            on_lines=None if self._announcer is None else self._announcer.offer,
            room=lambda: self._bounds.room() or self._holding(),
            archive=self._archive,
            checkpoint=checkpoint,
        )
        self._roller = Roller(
            registry=registry,
            store=store,
            store_id=store_id(settings),
            worker=ingest.worker,
            spool=self._spool.identity,
            clock=clock,
            metrics=metrics,
        )
        self._reporter = Reporter(
            registry=registry,
            spool=self._spool,
            bounds=self._bounds,
            accept=self._accept,
            max_pending_bytes=settings.spool.max_bytes,
            directory=self._directory,
            limits=limits_of(settings),
            worker=ingest.worker,
            published=published(self._spool, registry=registry, worker=ingest.worker),
            clock=clock,
            metrics=metrics,
            health=self._health,
            more=self._more,
            on_directory=self._subscribe,
            refresh_s=settings.registry.refresh_s,
        )

    @property
    def connected(self) -> bool:
        """Whether the broker can be heard."""
        return self._source.connected()

    @property
    def ready(self) -> bool:
        """Whether the broker has confirmed the subscriptions: what is published now is received."""
        return self._source.subscribed()

    @property
    def delivered(self) -> int:
        """Messages that the source has handed over since the start."""
        return self._accept.delivered

    @property
    def full(self) -> bool:
        """Whether acknowledging has stopped, because the spool is full or cannot be written."""
        return self._accept.outage is not None

    @property
    def archive_outage(self) -> str | None:
        """Why the raw archive cannot be written, or None."""
        return None if self._archive is None else self._archive.outage

    @property
    def pending(self) -> int:
        """Messages on disk that the store has not confirmed."""
        return self._spool.pending

    def start(self) -> None:
        """Start every stage, the source last: nothing arrives before it can be made safe."""
        for drain in self._drains:
            drain.start()
        self._accept.start()
        self._reporter.start()
        self._roller.start()
        if self._announcer is not None:
            self._announcer.start()
        self._source.start(self._accept.deliver)

    def totals(self) -> dict[str, int]:
        """Return the sum of the ledger, by column."""
        return self._spool.totals()

    def sinks(self) -> list[SinkReport]:
        """Return how the store and each further sink do."""
        return [drain.report() for drain in self._drains]

    def settle(self, *, timeout_s: float, quiet_s: float = 0.0) -> bool:
        """Wait until everything received is on disk and stored; return whether it is.

        Args:
            timeout_s: longest wait, seconds.
            quiet_s: how long nothing new may have arrived, seconds.
        """
        deadline = self._clock.monotonic_s() + timeout_s
        pause = threading.Event()
        received, since_s = -1, self._clock.monotonic_s()
        while True:
            now_s = self._clock.monotonic_s()
            if (count := self._accept.delivered) != received:
                received, since_s = count, now_s
            settled = self._accept.idle and self._spool.pending == 0
            if settled and now_s - since_s >= quiet_s:
                return True
            if now_s >= deadline:
                return False
            pause.wait(_POLL_S)

    def stop(self, *, drain_s: float = 5.0) -> None:
        """Stop: what was delivered is committed and acknowledged, what is pending stays on disk.

        Args:
            drain_s: how long to wait for the store to take what is pending, seconds.
        """
        self._roller.halt()
        self._accept.stop()
        self._source.stop()
        if self._announcer is not None:
            self._announcer.stop()
        self.settle(timeout_s=drain_s)
        for drain in self._drains:
            drain.halt()
        for drain in self._drains:
            drain.stop()
        self._roller.stop()
        self._reporter.stop()
        for sink in self._own_sinks.values():
            sink.close()
        pending = self._spool.pending
        if self._archive is not None:
            self._archive.close()
        self._spool.close()
        _log.info("worker_stopped", pending=pending)

    def _learn(self, facts: Facts) -> None:
        self._reporter.learn(facts)

    def _health(self) -> tuple[bool, str, str]:
        return (
            self._source.connected(),
            self._drain.outage or "",
            self._accept.outage or "",
        )

    def _more(self) -> dict[str, Any]:
        more: dict[str, Any] = {
            SINKS_FACT: [msgspec.to_builtins(one) for one in self.sinks()],
            STORED_UNTIL_FACT: self._drain.confirmed_until_ns(),
        }
        if self._archive is not None:
            more[ARCHIVE_FACT] = msgspec.to_builtins(self._archive.report())
        return more

    def _wake(self) -> None:
        for drain in self._drains:
            drain.wake()

    def _holding(self) -> str | None:
        for drain in self._further:
            if (reason := drain.holding) is not None:
                return reason
        return None

    def _subscribe(self, snapshot: Snapshot) -> None:
        decoder = snapshot.decoder
        self._source.subscribe_to(decoder.filters, decoder.metadata_filters)


def first_snapshot(
    registry: Registry, settings: Settings, *, stopping: threading.Event
) -> Snapshot | None:
    """Wait for the registry, bring it to the present form, and read it.

    Returns:
        None when told to stop.
    """

    def attempt() -> Snapshot:
        prepare(registry, settings)
        return take_snapshot(registry, limits=limits_of(settings))

    outage = Outage(_log, "registry")
    return answer_of(attempt, away=(PasserelleError,), outage=outage, stopping=stopping)
