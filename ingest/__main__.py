"""`python -m ingest`: one worker alone; N of them, each with its own name, share the work."""

from __future__ import annotations

import sys
import threading

from core.clock import Clock, SystemClock
from core.collector import freeze_startup
from core.errors import PasserelleError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.program import run_program
from core.settings import Settings
from core.status_server import StatusServer
from core.turns import take_short_turns
from core.waiting import answer_of, until_set
from devices.registry import Registry
from ingest.checkpoint import Pass, pass_by
from ingest.worker import Worker, first_snapshot
from storage.factory import open_store

_log = logger("ingest")


def run(
    settings: Settings,
    *,
    stopping: threading.Event,
    checkpoint: Pass = pass_by,
    clock: Clock | None = None,
) -> None:
    """Run a worker until `stopping` is set.

    Args:
        settings: all of them.
        stopping: set to end it.
        checkpoint: called as a batch passes `ingest.checkpoint`.
        clock: the time; None: the machine's.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    clock = clock or SystemClock()
    metrics = Metrics()
    registry = Registry.open(settings.registry_url, clock=clock)
    try:
        snapshot = first_snapshot(registry, settings, stopping=stopping)
        store = answer_of(
            lambda: open_store(settings),
            away=(PasserelleError,),
            outage=Outage(_log, "store"),
            stopping=stopping,
        )
        if snapshot is None or store is None:
            return
        worker = Worker(
            settings=settings,
            registry=registry,
            store=store,
            snapshot=snapshot,
            clock=clock,
            metrics=metrics,
            checkpoint=checkpoint,
        )
        status = _status(settings, metrics, worker)
        worker.start()
        _log.info("worker_started", worker=settings.ingest.worker)
        freeze_startup()
        take_short_turns()
        until_set(stopping)
        worker.stop()
        if status is not None:
            status.stop()
        store.close()
    finally:
        registry.close()


def _status(settings: Settings, metrics: Metrics, worker: Worker) -> StatusServer | None:
    if settings.ingest.metrics_port is None:
        return None
    status = StatusServer(
        host=settings.ingest.metrics_host,
        port=settings.ingest.metrics_port,
        metrics=metrics,
        healthy=lambda: {
            "ok": worker.connected,
            "pending": worker.pending,
            **({"archive": worker.archive_outage} if worker.archive_outage else {}),
        },
        variable="PASSERELLE_INGEST__METRICS_PORT",
    )
    status.start()
    return status


def main() -> int:
    """Run a worker with the settings of the environment; return the exit code."""
    return run_program("ingest", lambda settings, stopping: run(settings, stopping=stopping))


if __name__ == "__main__":
    sys.exit(main())
