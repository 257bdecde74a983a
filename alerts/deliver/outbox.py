"""The outbox: what the registry holds for people and machines is delivered, channel by channel.

Threads: one looks what waits and wakes the others; each channel has one of its own, begun when it
first has something to deliver, so that a slow receiver slows nobody else. Of a channel no two
notices are under way at once.

Only the process that holds the lease `alerts` runs one. It begins by having repeated what a process
before it had not finished. When it finds that the lease is somebody else's it stops by itself.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from random import Random, SystemRandom
from typing import Protocol

from alerts.deliver.channel import Channel
from alerts.deliver.channels import channel_of
from alerts.deliver.lane import BATCH, Lane, OnChannel
from alerts.deliver.lane_thread import AWAY_S, LaneThread
from alerts.deliver.site_states import SiteState, site_states
from alerts.deliver.spec import ChannelKind, ChannelSpec
from alerts.model import Notice, Occasion
from core.alert_metrics import AlertMetrics
from core.clock import Clock
from core.errors import NotFoundError
from core.logs import Outage, logger
from core.settings import MqttSettings
from devices.registry import Registry
from devices.registry.errors import LeaseLostError, RegistryUnavailableError

POLL_S = 0.5
"""How often it looks for notices that nobody told it of, seconds."""
STOP_S = 5.0
"""How long `stop` waits for deliveries that are under way, seconds."""
_log = logger("alerts.deliver")


class HasChannels(Protocol):
    """What is needed of the policy."""

    @property
    def channels(self) -> Mapping[str, ChannelSpec]:
        """Name -> channel."""
        ...


class Outbox:
    """Delivers notices.

    Args:
        registry: where they wait.
        policy: which channels there are.
        clock: the present.
        metrics: of alerting.
        on_channel: told when a channel goes down and when it works again, from its thread; when
            it raises RegistryUnavailableError it is told again.
        mqtt: the broker, for channels on MQTT.
        public_url: address of the dashboard, or "": no links.
        holder: of the lease `alerts`; None: nobody is fenced (a test).
        random: spreads attempts.
        make: makes a channel of a spec; a test gives its own.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        policy: HasChannels,
        clock: Clock,
        metrics: AlertMetrics,
        on_channel: OnChannel,
        mqtt: MqttSettings,
        public_url: str = "",
        holder: str | None = None,
        random: Random | None = None,
        make: Callable[[ChannelSpec], Channel] | None = None,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._metrics = metrics.delivery
        self._mqtt = mqtt
        self._public_url = public_url
        self._holder = holder
        self._stop = threading.Event()
        self._news = threading.Event()
        self._outage = Outage(_log, "outbox_registry")
        self._threads: dict[str, LaneThread] = {}
        self._thread: threading.Thread | None = None
        self.lease_lost = False
        """True once another process was found to deliver; nothing more is done."""
        self._lanes = {
            name: Lane(
                spec,
                make=make or self._channel,
                registry=registry,
                clock=clock,
                random=random or SystemRandom(),
                metrics=self._metrics,
                on_channel=on_channel,
                holder=holder,
                stop=self._stop,
            )
            for name, spec in policy.channels.items()
        }

    def start(self) -> None:
        """Begin to deliver, in threads of its own."""
        self._thread = threading.Thread(target=self._run, name="alerts-outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End within `STOP_S` seconds.

        A delivery that takes longer is left alone: its attempt is repeated after the next start.
        """
        self._stop.set()
        self._news.set()
        deadline_s = time.monotonic() + STOP_S
        threads = [self._thread, *self._threads.values()]
        for thread in threads:
            if isinstance(thread, LaneThread):
                thread.wake()
        for thread in threads:
            if thread is not None:
                thread.join(max(0.0, deadline_s - time.monotonic()))
        for name, lane in self._lanes.items():
            running = self._threads.get(name)
            if running is None or not running.is_alive():
                lane.close()

    def wake(self) -> None:
        """Say that notices were ordered; it looks at once."""
        self._news.set()

    def deliver_due(self) -> int:
        """Try all that is due, in this thread; return how many attempts were made.

        Raises:
            RegistryUnavailableError: the registry is away.
            LeaseLostError: another process delivers by now.
        """
        self._look()
        return sum([lane.deliver_due() for lane in self._lanes.values()])

    def recover(self) -> int:
        """Have repeated what a process before this one had not finished; return how many.

        Raises:
            RegistryUnavailableError: the registry is away.
            LeaseLostError: another process delivers by now.
        """
        found = self._registry.notices.recover(self._clock.now_ns(), holder=self._holder)
        if found:
            _log.warning("notices_repeated", notices=found)
            self._metrics.recovered.inc(found)
        return found

    def test(self, channel: str) -> str:
        """Send a test through a channel, now; return what the receiver answered.

        Not while it runs, as only one thread may use a channel: order a `test_notice` then.

        Raises:
            NotFoundError: the policy has no such channel.
            DeliveryError: it was not delivered.
            ConfigurationError: the channel's address cannot be used.
        """
        if channel not in self._lanes:
            known = ", ".join(sorted(self._lanes)) or "none"
            raise NotFoundError(f"the policy has no channel {channel[:80]!r}; it has {known}")
        return self._lanes[channel].send(test_notice(channel, now_ns=self._clock.now_ns()))

    def _channel(self, spec: ChannelSpec) -> Channel:
        return channel_of(
            spec,
            mqtt=self._mqtt,
            public_url=self._public_url,
            clock=self._clock,
            states=self._states,
        )

    def _states(self) -> Mapping[str, SiteState]:
        sites = [site.id for site in self._registry.sites.list()]
        return site_states(sites, self._registry.alerts.open_alerts())

    def _run(self) -> None:
        recovered = False
        while not self._stop.is_set():
            self._news.clear()
            wait_s = POLL_S
            try:
                if not recovered:
                    self.recover()
                    recovered = True
                self._wake_lanes(self._look())
                self._outage.up()
            except RegistryUnavailableError as error:
                self._outage.down(error.detail)
                wait_s = AWAY_S
            except LeaseLostError as error:
                self._lose(error)
            except Exception:  # noqa: BLE001 - a defect must not silence every channel
                _log.exception("outbox_defect")
                wait_s = AWAY_S
            self._news.wait(wait_s)

    def _look(self) -> set[str]:
        """Return which channels something waits for; what has no channel fails."""
        waiting = self._registry.notices.waiting()
        for name in self._lanes:
            there = waiting.get(name)
            self._metrics.waiting.labels(name).set(there.count if there else 0)
        for name in sorted(set(waiting) - set(self._lanes)):
            self._give_up(name)
        now_ns = self._clock.now_ns()
        return {
            name for name, one in waiting.items() if name in self._lanes and one.next_ns <= now_ns
        }

    def _give_up(self, channel: str) -> None:
        why = f"the policy has no channel {channel!r} any more"
        while found := self._registry.notices.due(_EVER_NS, BATCH, channel=channel):
            names = [one.id for one in found]
            now_ns = self._clock.now_ns()
            failed = self._registry.notices.give_up(names, why, now_ns, holder=self._holder)
            _log.error("notices_failed", channel=channel, notices=failed, reason=why)
            self._metrics.failed.labels(channel).inc(failed)

    def _wake_lanes(self, due: set[str]) -> None:
        for name, lane in self._lanes.items():
            shows = lane.spec.kind is ChannelKind.MQTT
            if name in self._threads:
                if name in due:
                    self._threads[name].wake()
            elif name in due or shows:
                thread = LaneThread(lane, stop=self._stop, shows=shows, on_lost=self._lose)
                self._threads[name] = thread
                thread.start()

    def _lose(self, error: LeaseLostError) -> None:
        if not self.lease_lost:
            _log.error("outbox_stopped", reason=error.detail)
        self.lease_lost = True
        self._stop.set()
        self._news.set()


_EVER_NS = 2**63 - 1


def test_notice(channel: str, *, now_ns: int) -> Notice:
    """Return a notice that tries a channel."""
    return Notice(
        id=f"test-{secrets.token_hex(8)}",
        occasion=Occasion.TEST,
        channel=channel,
        created_ns=now_ns,
        facts={"channel": channel},
    )
