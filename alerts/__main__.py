"""`python -m alerts`: judge rules and have people told, until SIGTERM or SIGINT.

Several may run: one judges, the others wait for it to end.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from alerts.live.service import AlertService
from core.clock import Clock, SystemClock
from core.collector import freeze_startup
from core.logs import Outage, logger
from core.metrics import Metrics
from core.program import run_program
from core.settings import Settings
from core.status_server import StatusServer
from core.turns import take_short_turns
from core.waiting import until_it_answers, until_set
from devices.registry import Registry, RegistryUnavailableError
from storage.factory import open_store

_log = logger("alerts")


def run(
    settings: Settings,
    *,
    stopping: threading.Event,
    checkpoint: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
) -> None:
    """Judge until `stopping` is set.

    Args:
        settings: all of them.
        stopping: set to end it.
        checkpoint: called with a name as the loop passes certain places.
        clock: the time; None: the machine's.

    Raises:
        ConfigurationError: a setting or the policy is wrong.
    """
    clock = clock or SystemClock()
    metrics = Metrics()
    registry = Registry.open(settings.registry_url, clock=clock)
    try:
        outage = Outage(_log, "registry")
        away = (RegistryUnavailableError,)
        if not until_it_answers(registry.migrate, away=away, outage=outage, stopping=stopping):
            return
        store = open_store(settings)
        try:
            service = AlertService(
                settings=settings,
                registry=registry,
                store=store,
                clock=clock,
                metrics=metrics,
                checkpoint=checkpoint,
            )
            status = _status(settings, metrics, service)
            service.start()
            freeze_startup()
            take_short_turns()
            until_set(stopping)
            service.stop()
            if status is not None:
                status.stop()
            _log.info("alerts_stopped")
        finally:
            store.close()
    finally:
        registry.close()


def _status(settings: Settings, metrics: Metrics, service: AlertService) -> StatusServer | None:
    if settings.alerts.metrics_port is None:
        return None
    status = StatusServer(
        host=settings.alerts.metrics_host,
        port=settings.alerts.metrics_port,
        metrics=metrics,
        healthy=lambda: {"ok": True, "active": service.active, "judging": service.judging},
        variable="PASSERELLE_ALERTS__METRICS_PORT",
    )
    status.start()
    return status


def main() -> int:
    """Run with the settings of the environment; return the exit code."""
    return run_program("alerts", lambda settings, stopping: run(settings, stopping=stopping))


if __name__ == "__main__":
    sys.exit(main())
