"""Alerting, live: one process of all judges rules as values come, and has people told.

The loop: hear the workers' streams, judge, let device time pass, write verdicts, look after holes,
rules and devices that changed, and keep what the evaluator remembers. What it is told to tell is
delivered by `alerts.deliver.outbox`.

Threads: one judges (this module's); paho's hears, the reader's reads the store, the lease keeper's
prolongs the lease, the outbox's deliver.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from alerts.deliver.outbox import Outbox
from alerts.lifecycle import Lifecycle
from alerts.live.history import Reader
from alerts.live.lease import LeaseKeeper, holder_name
from alerts.live.listener import Listener
from alerts.live.turn import Turn
from alerts.policy import load_policy
from core.clock import Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import Registry, RegistryUnavailableError
from devices.registry.errors import LeaseLostError
from storage.ports import PointReader

_log = logger("alerts")
_WAIT_BYTES = 128 * 1024 * 1024
_STANDBY_S = 0.5
_AGAIN_S = 1.0


class AlertService:
    """Alerting of one installation; several processes may run it, one of them judges.

    Args:
        settings: all of them.
        registry: rules, devices, alerts, leases.
        store: stored values.
        clock: the time.
        metrics: `alerts`.
        checkpoint: called with a name as the loop passes certain places (tests kill it there).

    Raises:
        ConfigurationError: the policy, the broker's address or a certificate is wrong.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        store: PointReader,
        clock: Clock,
        metrics: Metrics,
        checkpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._pass = checkpoint
        self._policy = load_policy(settings.alerts.policy)
        Listener(settings=settings.mqtt, most_bytes=_WAIT_BYTES)  # wrong settings are said now
        self._keeper = LeaseKeeper(
            registry=registry, holder=holder_name(), for_s=settings.alerts.lease_s
        )
        self._stopping = threading.Event()
        self._judging = threading.Event()
        self._outage = Outage(_log, "registry")
        self._thread = threading.Thread(target=self._run, name="alerts-judge", daemon=True)

    @property
    def active(self) -> bool:
        """Whether this process judges rules."""
        return self._keeper.held

    @property
    def judging(self) -> bool:
        """Whether it has taken up everything and says what it finds."""
        return self._judging.is_set()

    def wait_judging(self, timeout_s: float) -> bool:
        """Wait until it judges; return whether it does."""
        return self._judging.wait(timeout_s)

    def start(self) -> None:
        """Begin: judge as soon as no other process does."""
        self._keeper.start()
        self._thread.start()

    def stop(self) -> None:
        """Keep what the evaluator remembers, and let another process take over at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._keeper.stop()
        self._metrics.alerts.evaluator.active.set(0)

    def _run(self) -> None:
        waiting = False
        while not self._stopping.is_set():
            if not self._keeper.wait(_STANDBY_S):
                if self._keeper.refused and not waiting:
                    _log.info("alerts_standby", holder=self._keeper.holder)
                    waiting = True
                continue
            waiting = False
            try:
                self._take_turn()
            except LeaseLostError as error:
                self._keeper.lost()
                _log.warning("alerts_lease_lost", reason=error.detail)
            except RegistryUnavailableError as error:
                self._outage.down(error.detail)
                self._stopping.wait(_AGAIN_S)
            finally:
                self._judging.clear()
                self._metrics.alerts.evaluator.active.set(0)

    def _take_turn(self) -> None:
        """Judge until told to stop, or until the lease is lost.

        Raises:
            LeaseLostError: another process judges rules by now.
            RegistryUnavailableError: it could not begin.
        """
        holder = self._keeper.holder
        lifecycle = Lifecycle(
            registry=self._registry,
            policy=self._policy,
            clock=self._clock,
            metrics=self._metrics,
            holder=holder,
        )
        outbox = Outbox(
            registry=self._registry,
            policy=self._policy,
            mqtt=self._settings.mqtt,
            public_url=self._settings.alerts.public_url,
            clock=self._clock,
            metrics=self._metrics.alerts,
            holder=holder,
            on_channel=_channel_alarm(lifecycle),
        )
        listener = Listener(settings=self._settings.mqtt, most_bytes=_WAIT_BYTES)
        reader, past = Reader(self._store), Reader(self._store)
        turn = Turn(
            settings=self._settings.alerts,
            registry=self._registry,
            lifecycle=lifecycle,
            listener=listener,
            reader=reader,
            past=past,
            clock=self._clock,
            metrics=self._metrics,
            holder=holder,
            written=outbox.wake,
            checkpoint=self._pass,
        )
        listener.start()
        try:
            turn.begin()
            self._outage.up()
            outbox.start()
            self._metrics.alerts.evaluator.active.set(1)
            _log.info("alerts_judging", holder=holder, rules=len(turn.rules))
            while not self._stopping.is_set():
                if not self._keeper.held:
                    raise LeaseLostError("another process holds the lease")
                turn.step()
                if turn.speaking:
                    self._judging.set()
            turn.end()
        finally:
            outbox.stop()
            listener.stop()
            reader.close()
            past.close()
            self._metrics.alerts.evaluator.looking_back.set(0)


def _channel_alarm(lifecycle: Lifecycle) -> Callable[[str, bool, str], None]:
    """Return what makes an alarm of a channel that cannot be reached."""

    def told(channel: str, down: bool, error: str) -> None:  # noqa: FBT001 - the outbox's call
        facts = {"channel": channel, "error": error}
        lifecycle.platform("channel_down", channel, active=down, facts=facts)

    return told
