"""`python -m api`: serve the API until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
from threading import Event

from api.app import create_app
from api.server import ApiServer
from core.clock import SystemClock
from core.collector import freeze_startup
from core.errors import ConfigurationError, StoreUnavailableError
from core.logs import Outage, configure_logging, logger
from core.metrics import Metrics
from core.settings import load_settings
from core.turns import take_short_turns
from core.waiting import until_it_answers
from devices.registry import Registry
from devices.registry.errors import RegistryUnavailableError
from storage.factory import open_store

_AWAY = (RegistryUnavailableError, StoreUnavailableError)


def main() -> int:
    """Run the API; return the exit status."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _serve(stop)
    except ConfigurationError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 2
    return 0


def _serve(stop: Event) -> None:
    settings = load_settings()
    configure_logging(settings.logging)
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
            stop.wait()
            server.stop()
            log.info("api_stopped")
        finally:
            store.close()
    finally:
        registry.close()


if __name__ == "__main__":
    sys.exit(main())
