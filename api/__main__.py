"""`python -m api`: serve the API until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from threading import Event

from api.app import create_app
from api.server import ApiServer
from core.clock import SystemClock
from core.collector import freeze_startup
from core.errors import ConfigurationError, StoreUnavailableError
from core.logs import Outage, configure_logging, logger
from core.metrics import Metrics
from core.settings import load_settings
from devices.registry import Registry
from devices.registry.errors import RegistryUnavailableError
from storage.factory import open_store

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 10.0


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
        if not _wait_for(registry.migrate, Outage(log, "registry"), stop):
            return
        store = open_store(settings)
        try:
            if not _wait_for(store.ping, Outage(log, "store"), stop):
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
            stop.wait()
            server.stop()
            log.info("api_stopped")
        finally:
            store.close()
    finally:
        registry.close()


def _wait_for(ask: Callable[[], None], outage: Outage, stop: Event) -> bool:
    """Ask until it answers, with back-off; return False when told to stop first."""
    wait_s = _FIRST_WAIT_S
    while not stop.is_set():
        try:
            ask()
        except (RegistryUnavailableError, StoreUnavailableError) as error:
            outage.down(error.detail)
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        else:
            outage.up()
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
