"""The way of notices to one channel: begin, deliver, finish; wait, and again.

An attempt is in the registry before anything is sent. What became of it is written down for as long
as it takes: while the registry is away the lane waits with what it knows, and delivers nothing. A
process that ends meanwhile leaves an attempt that is repeated once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random

from alerts.deliver.bodies import notice_of
from alerts.deliver.channel import Channel, DeliveryError, StateChannel
from alerts.deliver.channels import told
from alerts.deliver.circuit import Circuit, backoff_s
from alerts.deliver.spec import ChannelSpec
from alerts.model import Notice
from core.alert_metrics import DeliveryMetrics
from core.clock import NS_PER_HOUR, NS_PER_S, Clock
from core.errors import ConfigurationError, ConflictError
from core.logs import Outage, logger
from devices.registry import Registry
from devices.registry.alert_records import Attempt, AttemptOutcome, NoticeRecord
from devices.registry.errors import RegistryUnavailableError

BATCH = 20
"""Notices that are looked up at a time."""
_AGAIN_S = 1.0
_log = logger("alerts.deliver")

OnChannel = Callable[[str, bool, str], None]
"""Told when a channel goes down and when it works again: its name, whether it is down, why."""


class Lane:
    """What one channel has to deliver. One thread uses it at a time.

    Args:
        spec: of the channel.
        make: makes the channel; it may fail until somebody corrects the policy.
        registry: where notices wait.
        clock: the present.
        random: spreads attempts.
        metrics: of delivery.
        on_channel: told when it goes down and when it works again.
        holder: of the lease `alerts`; None: nobody is fenced.
        stop: set when it has to end.
    """

    def __init__(
        self,
        spec: ChannelSpec,
        *,
        make: Callable[[ChannelSpec], Channel],
        registry: Registry,
        clock: Clock,
        random: Random,
        metrics: DeliveryMetrics,
        on_channel: OnChannel,
        holder: str | None,
        stop: threading.Event,
    ) -> None:
        self.spec = spec
        self._make = make
        self._registry = registry
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._on_channel = on_channel
        self._holder = holder
        self._stop = stop
        self._channel: Channel | None = None
        self._circuit = Circuit(random)
        self._told_down: bool | None = None  # not known: it may have been down before a restart
        self._held: set[str] = set()
        self._outage = Outage(_log, f"channel_{spec.name}")
        self._state_outage = Outage(_log, f"state_on_{spec.name}")
        metrics.channel_up.labels(spec.name).set(1)

    def deliver_due(self) -> int:
        """Try what is due; return how many attempts were made.

        Raises:
            RegistryUnavailableError: the registry is away; nothing is lost.
            LeaseLostError: another process delivers by now.
        """
        made = 0
        if self._told_down is not None and self._told_down != self._circuit.down:
            self._tell()
        while not self._stop.is_set():
            room = self._circuit.allowed(self._clock.now_ns(), most=BATCH)
            due = self._registry.notices.due(
                self._clock.now_ns(), max(room, 1), channel=self.spec.name
            )
            due = due[: self._unlimited(due)][:room]
            tried = sum([self._try(record) for record in due if not self._stop.is_set()])
            made += tried
            if not tried:
                return made
        return made

    def send(self, notice: Notice) -> str:
        """Deliver a notice without any record of it; return what the receiver answered.

        Raises:
            DeliveryError: it was not delivered.
            ConfigurationError: the channel cannot be made.
        """
        return self._ready().deliver(told(self.spec, notice))

    def show_state(self) -> None:
        """Bring up to date what the channel shows, where it shows a state."""
        try:
            channel = self._ready()
            if isinstance(channel, StateChannel):
                channel.show_state()
                self._state_outage.up()
        except DeliveryError as error:
            self._state_outage.down(error.detail)
        except ConfigurationError:
            return  # said when a notice is tried

    def close(self) -> None:
        """Let go of the channel's connections."""
        if self._channel is not None:
            self._channel.close()

    def _ready(self) -> Channel:
        if self._channel is None:
            self._channel = self._make(self.spec)
        return self._channel

    def _try(self, record: NoticeRecord) -> bool:
        """Make one attempt; return whether there was one to make."""
        if not self._circuit.allowed(self._clock.now_ns(), most=1):
            return False
        try:
            attempt = self._registry.notices.begin(
                record.id, self._clock.now_ns(), holder=self._holder
            )
        except ConflictError:
            return False  # somebody else delivers it, or did
        try:
            answer = self.send(notice_of(record))
        except DeliveryError as error:
            self._failed(record, attempt, error)
        except ConfigurationError as error:
            self._failed(record, attempt, DeliveryError(error.detail, retry=True))
        except ValueError as error:
            unreadable = f"the notice cannot be read: {error}"
            self._failed(record, attempt, DeliveryError(unreadable, retry=False))
        except Exception as error:  # noqa: BLE001 - a defect costs an attempt, not the channel
            _log.exception("delivery_defect", channel=self.spec.name, notice=record.id)
            what = f"{type(error).__name__} in Passerelle; please report it"
            self._failed(record, attempt, DeliveryError(what, retry=True))
        else:
            self._delivered(record, attempt, answer)
        return True

    def _delivered(self, record: NoticeRecord, attempt: Attempt, answer: str) -> None:
        now_ns = self._clock.now_ns()
        self._finish(attempt, AttemptOutcome.DELIVERED, answer, None)
        self._metrics.seconds.labels(self.spec.name).observe(
            max(0.0, (now_ns - record.created_ns) / NS_PER_S)
        )
        if self._circuit.down:
            self._registry.notices.hasten(self.spec.name, now_ns, holder=self._holder)
        self._circuit.works()
        self._outage.up()
        if self._told_down is not False:
            self._tell()

    def _failed(self, record: NoticeRecord, attempt: Attempt, error: DeliveryError) -> None:
        now_ns = self._clock.now_ns()
        next_ns = self._next_ns(record, attempt, error, now_ns)
        outcome = AttemptOutcome.RETRY if error.retry else AttemptOutcome.REFUSED
        detail = error.detail
        if error.retry and next_ns is None:
            detail = f"given up after {attempt.number} attempts: {detail}"
        self._finish(attempt, outcome, detail, next_ns)
        if next_ns is None:
            self._metrics.failed.labels(self.spec.name).inc()
            _log.error("notice_failed", channel=self.spec.name, notice=record.id, reason=detail)
        self._circuit.fails(error.detail, now_ns, lost=next_ns is None)
        if self._circuit.down and self._told_down is not True:
            self._tell()

    def _next_ns(
        self, record: NoticeRecord, attempt: Attempt, error: DeliveryError, now_ns: int
    ) -> int | None:
        """Return when it is tried again, or None: never."""
        if not error.retry:
            return None
        wait_s = max(backoff_s(attempt.number, self._random), error.after_s or 0.0)
        next_ns = now_ns + round(wait_s * NS_PER_S)
        return next_ns if now_ns - record.created_ns < self.spec.give_up_ns else None

    def _finish(
        self, attempt: Attempt, outcome: AttemptOutcome, detail: str, next_ns: int | None
    ) -> None:
        """Write down what became of an attempt, as soon as the registry answers."""
        self._metrics.attempts.labels(self.spec.name, outcome.value).inc()
        while True:
            try:
                self._registry.notices.finish(
                    attempt,
                    outcome,
                    detail=detail,
                    next_ns=next_ns,
                    now_ns=self._clock.now_ns(),
                    holder=self._holder,
                )
            except RegistryUnavailableError:
                if self._stop.wait(_AGAIN_S):
                    raise
            except ConflictError as error:
                # It was taken for dead while it went on, and is repeated: too late to say more.
                _log.warning("attempt_overtaken", channel=self.spec.name, reason=error.detail)
                return
            else:
                return

    def _unlimited(self, due: list[NoticeRecord]) -> int:
        """Return how many of these may be delivered within the channel's limit an hour."""
        if self.spec.per_hour is None or not due:
            return len(due)
        since_ns = self._clock.now_ns() - NS_PER_HOUR
        delivered = len(self._registry.notices.delivered_since(self.spec.name, since_ns))
        room = max(0, self.spec.per_hour - delivered)
        held = {record.id for record in due[room:]}
        if held and not self._held:
            _log.warning("channel_limited", channel=self.spec.name, limit=self.spec.per_hour)
        self._metrics.held.labels(self.spec.name).inc(len(held - self._held))
        self._held = self._held | held if held else set()
        return room

    def _tell(self) -> None:
        """Say that the channel is down, or works; the log says so once."""
        down = self._circuit.down
        self._metrics.channel_up.labels(self.spec.name).set(not down)
        if down:
            self._outage.down(self._circuit.error)
        self._on_channel(self.spec.name, down, self._circuit.error)
        self._told_down = down
