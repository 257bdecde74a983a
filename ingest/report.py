"""The reporter: publishes ledger, dead letters and signs of life, and brings back what changed.

One thread, and the only one of the worker that talks to the registry; when the registry is away,
ingest goes on and the cursors, which are in the spool, say what is still to be told. Every write is
an upsert of absolute values: telling it twice changes nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from core.clock import Clock
from core.errors import ConfigurationError, PasserelleError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import host_name
from devices.decoder import Limits
from devices.registry import Registry
from devices.registry.records import WorkerStatus
from ingest.accept import Accept
from ingest.damaged import Published
from ingest.directory import Directory, Snapshot, take_snapshot
from ingest.judge import Facts
from ingest.letter_bounds import LetterBounds
from ingest.letter_orders import LetterOrders
from ingest.spool import Spool
from ingest.telling import Telling

_log = logger("ingest.report")
_CHUNK = 500
_WORK_S = 0.5
_BREATH_S = 0.01
_AGAIN_S = 0.01


class Reporter:
    """Keeps registry and worker in step.

    Args:
        registry: the shared database.
        spool: what there is to tell, and how far it was told.
        bounds: of the dead letters.
        accept: carries out replays.
        max_pending_bytes: replays wait while so much waits for the store.
        directory: refreshed when the registry changed.
        limits: bounds of the decoder.
        worker: name of the worker.
        published: under which name the spool's account and dead letters are told.
        clock: the time.
        metrics: `report_*`.
        interval_s: how often, seconds.
        refresh_s: how often to look for changed devices and profiles, seconds.
        health: gives (connected, why the store takes nothing, why nothing is acknowledged).
        more: gives further facts for the sign of life.
        on_directory: called with a new snapshot.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        spool: Spool,
        bounds: LetterBounds,
        accept: Accept,
        max_pending_bytes: int,
        directory: Directory,
        limits: Limits,
        worker: str,
        published: Published,
        clock: Clock,
        metrics: Metrics,
        health: Callable[[], tuple[bool, str, str]],
        more: Callable[[], dict[str, Any]],
        on_directory: Callable[[Snapshot], None],
        interval_s: float = 1.0,
        refresh_s: float = 5.0,
    ) -> None:
        self._registry = registry
        self._spool = spool
        self._bounds = bounds
        self._directory = directory
        self._limits = limits
        self._worker = worker
        self._stopping = threading.Event()
        self._telling = Telling(
            registry=registry,
            spool=spool,
            published=published.name,
            breathe=lambda: self._stopping.wait(_BREATH_S),
        )
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._more = more
        self._on_directory = on_directory
        self._interval_s = interval_s
        self._refresh_s = refresh_s
        self._refreshed_s = clock.monotonic_s()
        self._reported_s = clock.monotonic_s()
        self._host = host_name()
        self._version = version("passerelle")
        self._orders = LetterOrders(
            registry=registry,
            spool=spool,
            accept=accept,
            worker=published.name,
            former=published.former,
            clock=clock,
            metrics=metrics,
            max_pending_bytes=max_pending_bytes,
            refresh=self.refresh,
            tell=self._telling.tell,
        )
        self._busy = False
        self._facts: list[Facts] = []
        self._facts_lock = threading.Lock()
        self._signed = False
        self._outage = Outage(_log, "registry")
        self._profiles = Outage(_log, "profiles")
        self._thread = threading.Thread(target=self._run, name="ingest-report", daemon=True)

    def start(self) -> None:
        """Begin to report."""
        self._thread.start()

    def stop(self) -> None:
        """Report once more, as far as the registry answers, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._attempt()

    def learn(self, facts: Facts) -> None:
        """Take what a bridge told of its devices; it is written with the next report."""
        with self._facts_lock:
            self._facts.append(facts)

    def report_once(self) -> None:
        """Tell the registry everything that it does not know, and carry out what it asks.

        Raises:
            RegistryUnavailableError: the registry does not answer; the rest is told later.
        """
        self._write_facts()
        self._enrol()
        self._bounds.tend()
        if not self._signed:
            self._sign()  # who sees what it tells finds who told it
        self._telling.tell()
        self._busy = self._orders.work(budget_s=_WORK_S)
        self._sign()
        self._reported_s = self._clock.monotonic_s()
        if self._clock.monotonic_s() - self._refreshed_s >= self._refresh_s:
            self.refresh()

    def _sign(self) -> None:
        """Give a sign of life."""
        connected, store, spool = self._health()
        self._registry.workers.report(
            WorkerStatus(
                worker=self._worker,
                host=self._host,
                version=self._version,
                seen_ns=self._clock.now_ns(),
                connected=connected,
                store=store,
                spool_bytes=self._spool.pending_bytes,
                spool_full=bool(spool),
                pending=self._spool.pending,
                facts=self._told_facts(spool) | self._more(),
            )
        )
        self._signed = True

    def refresh(self) -> None:
        """Read devices and profiles again when the registry says that they changed."""
        self._refreshed_s = self._clock.monotonic_s()
        if self._registry.revision() == self._directory.snapshot.revision:
            return
        try:
            snapshot = take_snapshot(self._registry, limits=self._limits)
        except ConfigurationError as error:
            self._profiles.down(f"{error.detail}; the profiles read before stay in use")
            return
        self._profiles.up()
        self._directory.replace(snapshot)
        self._on_directory(snapshot)

    def _run(self) -> None:
        while not self._stopping.wait(_AGAIN_S if self._busy else self._interval_s):
            self._attempt()

    def _attempt(self) -> None:
        self._busy = False
        try:
            self.report_once()
        except (PasserelleError, sqlite3.Error) as error:
            self._outage.down(str(error))
        else:
            self._outage.up()
        self._metrics.reported.set(self._clock.monotonic_s() - self._reported_s)

    def _told_facts(self, spool: str) -> dict[str, Any]:
        totals = self._bounds.totals
        told: dict[str, Any] = {"dead_letters": {"open": totals.letters, "bytes": totals.bytes}}
        if note := self._bounds.note:
            told["dead_letters"]["note"] = note
        if spool:
            told["spool"] = spool
        return told

    def _write_facts(self) -> None:
        with self._facts_lock:
            facts, self._facts = self._facts, []
        try:
            while facts:
                one = facts[0]
                self._registry.devices.set_aliases(one.site, one.profile, one.aliases)
                facts.pop(0)
        finally:
            with self._facts_lock:
                self._facts = facts + self._facts

    def _enrol(self) -> None:
        waiting = self._directory.enrolments()
        if not waiting:
            return
        registered = self._registry.devices.enrol(waiting)
        before = self._directory.snapshot.revision
        self.refresh()
        if self._directory.snapshot.revision != before:
            _log.info("devices_enrolled", devices=[device.id for device in registered][:_CHUNK])
