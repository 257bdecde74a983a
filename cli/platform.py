"""The whole platform in one process, as `passerelle up` runs it.

Threads: each part starts its own (see their modules); this module starts and stops the parts in the
order in which they need each other. The DuckDB file belongs to this one process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec

from alerts.live.service import AlertService
from api.app import create_app
from api.server import ApiServer
from cli.data_directory import LOCAL_KEY_FILE
from cli.embedded_broker import BrokerKind, EmbeddedBroker, embedded_broker
from cli.ports import any_free, is_free, require_free
from core.access import EVERYTHING
from core.clock import SystemClock
from core.errors import ConfigurationError
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import Registry
from devices.registry.csv_import import parse_devices_csv
from devices.seeding import prepare
from ingest.directory import take_snapshot
from ingest.worker import Worker, limits_of
from simulators.fleet import Fleet
from simulators.runner import simulate
from simulators.scenario import load_scenario
from storage.factory import open_store

_DEFAULT_MQTT_PORT = 1883
_QUIET_S = 0.5
_OWN_S, _EXTERNAL_S = 30.0, 5.0


class Counts(msgspec.Struct, frozen=True):
    """The platform's account at one moment, in messages."""

    received: int
    stored: int
    duplicate: int
    dead_lettered: int
    pending: int


class Platform:
    """Everything that `passerelle up` starts.

    Args:
        settings: all of them; `mqtt.url` is used only when `external_broker` is set.
        simulators: name of the scenario to publish, or None.
        external_broker: use the broker of the settings instead of an embedded one.
        mqtt_port: where the embedded broker listens; None for 1883, or any free port when that is
            taken.
        broker: which embedded broker.
        progress: called with one line before each step.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        simulators: str | None,
        external_broker: bool,
        mqtt_port: int | None,
        broker: BrokerKind,
        progress: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._scenario = simulators
        self._external = external_broker
        self._mqtt_port = mqtt_port
        self._broker = broker
        self._progress = progress
        self._clock = SystemClock()
        self._metrics = Metrics()
        self._parts = ExitStack()
        self._worker: Worker | None = None
        self._ending = threading.Event()
        self.api_url = ""
        self.key = ""
        self.broker_url = ""
        self.broker_kind = "external"
        self.key_file = settings.data_dir.absolute() / LOCAL_KEY_FILE
        self.devices = 0

    def start(self) -> None:
        """Start every part; when one fails, stop those that were started.

        Raises:
            ConfigurationError: one sentence on what a person has to change.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def counts(self) -> Counts:
        """Return the account of the worker's spool."""
        assert self._worker is not None  # noqa: S101 - start() came first
        return msgspec.convert(self._worker.totals(), Counts)

    def stop(self) -> None:
        """Stop in reverse: first who publishes, then ingest, then who reads."""
        self._ending.set()
        self._parts.close()

    def _start(self) -> None:
        settings = self._settings
        require_free(settings.api.port, what="the API", option="--port", host=settings.api.host)
        self._progress("opening the registry")
        registry = Registry.open(settings.registry_url, clock=self._clock)
        self._parts.callback(registry.close)
        prepare(registry, settings)
        self._progress("opening the store")
        store = open_store(settings)
        self._parts.callback(store.close)
        settings = self._start_broker(settings)
        fleet = self._fleet(registry)
        self._progress("starting the API")
        app = create_app(
            settings=settings,
            registry=registry,
            store=store,
            metrics=self._metrics,
            clock=self._clock,
        )
        server = ApiServer(
            app,
            host=settings.api.host,
            port=settings.api.port,
            trusted_proxies=settings.api.trusted_proxies,
        )
        self.api_url = server.start()
        self._parts.callback(server.stop)
        self.key = ensure_local_key(registry, self.key_file)
        self._progress("starting the ingest worker")
        worker = Worker(
            settings=settings,
            registry=registry,
            store=store,
            snapshot=take_snapshot(registry, limits=limits_of(settings)),
            clock=self._clock,
            metrics=self._metrics,
        )
        self._worker = worker
        worker.start()
        self._parts.callback(worker.stop)
        self._wait_connected(worker)
        if settings.alerts.enabled:
            self._progress("starting the judging of alert rules")
            alerts = AlertService(
                settings=settings,
                registry=registry,
                store=store,
                clock=self._clock,
                metrics=self._metrics,
            )
            alerts.start()
            self._parts.callback(alerts.stop)
        if fleet is not None:
            self._start_simulators(fleet, worker)

    def _start_broker(self, settings: Settings) -> Settings:
        if self._external:
            self.broker_url = settings.mqtt.url
            return settings
        port = self._mqtt_port
        if port is None:
            port = _DEFAULT_MQTT_PORT if is_free(_DEFAULT_MQTT_PORT) else any_free()
        else:
            require_free(port, what="the broker", option="--mqtt-port")
        broker: EmbeddedBroker = embedded_broker(
            directory=settings.data_dir / "broker", port=port, kind=self._broker
        )
        self._progress(f"starting the broker ({broker.kind})")
        broker.start()
        self._parts.callback(broker.stop)
        self.broker_url, self.broker_kind = broker.url, broker.kind
        mqtt = settings.mqtt.model_copy(
            update={"url": broker.url, "password": None, "reconnect_min_s": 0.1}
        )
        return settings.model_copy(update={"mqtt": mqtt})

    def _fleet(self, registry: Registry) -> Fleet | None:
        if self._scenario is None:
            return None
        self._progress("registering the simulated devices")
        fleet = Fleet(load_scenario(self._scenario))
        devices = parse_devices_csv(fleet.registry_csv(), name=self._scenario)
        registry.devices.add_many(devices)
        self.devices = len(devices)
        return fleet

    def _wait_connected(self, worker: Worker) -> None:
        """Wait until what is published is received; not for long for a broker of somebody else."""
        patience_s = _EXTERNAL_S if self._external else _OWN_S
        deadline_s = self._clock.monotonic_s() + patience_s
        pause = threading.Event()
        while not worker.ready:
            if self._clock.monotonic_s() > deadline_s:
                self._progress("the broker does not answer yet; trying on")
                return
            pause.wait(0.05)

    def _start_simulators(self, fleet: Fleet, worker: Worker) -> None:
        self._progress("starting the simulated devices")

        def publish() -> None:
            simulate(
                fleet,
                broker_url=self.broker_url,
                speed=1.0,
                duration_s=None,
                stop=self._ending,
            )

        thread = threading.Thread(target=publish, name="simulators", daemon=True)
        thread.start()

        def finish() -> None:
            self._ending.set()
            thread.join()
            worker.settle(timeout_s=5.0, quiet_s=_QUIET_S)

        self._parts.callback(finish)


def ensure_local_key(registry: Registry, path: Path) -> str:
    """Return the API key of this data directory, made and written to `path` when it is missing.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    try:
        if path.exists():
            plain = path.read_text(encoding="utf-8").strip()
            if registry.keys.verify(plain) is not None:
                return plain
        plain, _ = registry.keys.create("local", grants=EVERYTHING)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{plain}\n")
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be used: {error}") from None
    return plain
