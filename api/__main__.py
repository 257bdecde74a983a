"""`python -m api`: serve the API until SIGTERM or SIGINT."""

from __future__ import annotations

import sys
from threading import Event

from api.app import create_app
from api.server import ApiServer
from core.clock import SystemClock
from core.collector import freeze_startup
from core.errors import StoreUnavailableError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.program import run_program
from core.settings import Settings
from core.turns import take_short_turns
from core.waiting import until_it_answers, until_set
from devices.registry import Registry
from devices.registry.errors import RegistryUnavailableError
from storage.factory import open_store

_AWAY = (RegistryUnavailableError, StoreUnavailableError)


def main() -> int:
    """Run the API; return the exit code."""
    return run_program("api", _serve)


def _serve(settings: Settings, stop: Event) -> None:
    log = logger("api")
    clock = SystemClock()
    registry = Registry.open(settings.registry_url, clock=clock)
    try:
        if not until_it_answers(
            registry.migrate, away=_AWAY, outage=Outage(log, "registry"), stopping=stop
        ):
            return
        store = open_store(settings)
        try:
            if not until_it_answers(
                store.ping, away=_AWAY, outage=Outage(log, "store"), stopping=stop
            ):
                return
            app = create_app(
                settings=settings, registry=registry, store=store, metrics=Metrics(), clock=clock
            )
            server = ApiServer(
                app,
                settings.api.host,
                settings.api.port,
                trusted_proxies=settings.api.trusted_proxies,
            )
            log.info("api_listening", url=server.start())
            freeze_startup()
            take_short_turns()
            until_set(stop)
            server.stop()
            log.info("api_stopped")
        finally:
            store.close()
    finally:
        registry.close()


if __name__ == "__main__":
    sys.exit(main())
