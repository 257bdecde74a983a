"""One listener to the live stream for all readers of this process.

Threads: paho's thread hands payloads to the event loop; everything else is the loop's own.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from api.live.ring import Event, Ring, Texts
from api.live.shown import Shown
from api.live.told import NS_PER_MS, Told
from core.clock import Clock
from core.errors import ConfigurationError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.mqtt import passing_client
from core.settings import LiveSettings, MqttSettings
from core.stream import TOPIC, FrameError, decode
from storage.line_protocol import points_of

LOST = "lost_on_the_way"
"""The broker or a worker dropped something."""
SLOW = "too_slow"
"""The reader did not take it in time."""
RESTARTED = "restarted"
"""The API was started anew since, or it is another process."""
TOO_LONG_AGO = "too_long_ago"
"""It is not kept for so long."""
_STREAMS = 10_000
_LOOK_S = 0.1
_TOPIC = f"{TOPIC}/+"


class _Wait(msgspec.Struct, frozen=True):
    """Somebody who waits: until when on the loop's clock, and what takes events meanwhile."""

    until_s: float
    push: Callable[[Event], bool] | None

    def offered(self, event: Event) -> bool:
        """Offer an event; return whether it was taken."""
        return self.push is not None and self.push(event)


class Hub:
    """What arrives, kept for a while, and who waits for it.

    Args:
        mqtt_settings: the broker.
        settings: bounds.
        clock: the time.
        metrics: `live`.

    Attributes:
        readers: how many look on.
        sockets: how many WebSockets are open, also of who is not let in yet.
    """

    def __init__(
        self, *, mqtt_settings: MqttSettings, settings: LiveSettings, clock: Clock, metrics: Metrics
    ) -> None:
        self.epoch = secrets.token_hex(6)
        self.settings = settings
        self.metrics = metrics.live
        self._clock = clock
        self._log = logger("api.live")
        self._outage = Outage(self._log, "live_stream")
        self._bad = Outage(self._log, "live_frames")
        keep_bytes = settings.keep_mb * 1_000_000  # and as much again of what is written out of it
        self._ring = Ring(keep_s=settings.keep_s, keep_bytes=keep_bytes, text_bytes=keep_bytes // 2)
        self._told: Texts[Told] = Texts(most_bytes=keep_bytes // 2, size=attrgetter("size"))
        self._numbers: dict[int, int] = {}
        self._waiting: dict[asyncio.Future[bool], _Wait] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: mqtt.Client | None = None
        self._mqtt = mqtt_settings
        self.readers = 0
        self.sockets = 0
        self.stopping = False

    @property
    def newest(self) -> int:
        """The number of the newest event."""
        return self._ring.newest

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is kept."""
        return self._ring.oldest

    def start(self) -> None:
        """Listen, now or as soon as the broker answers. Called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._timer = None
        self.stopping = False
        if not self.settings.enabled:
            return
        try:
            client = passing_client(self._mqtt)
        except ConfigurationError as error:
            self._log.warning("live_stream_unavailable", reason=error.detail)
            return
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client = client
        client.loop_start()

    def end_readers(self) -> None:
        """Have every reader told that this process stops. Any thread may call."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def stop(self) -> None:
        """Stop listening. Blocks for a moment."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def after(self, number: int, *, most: int) -> list[Event]:
        """Return events after a number, the oldest first."""
        return self._ring.after(number, most=most)

    async def wait(
        self, number: int, *, timeout_s: float, push: Callable[[Event], bool] | None = None
    ) -> bool:
        """Wait for an event after a number; return whether there is one, or the end.

        Args:
            number: of the last event that is known.
            timeout_s: after how long it is False, a tenth of a second sooner or later, seconds.
            push: is offered each event, and returns whether that was all: then the wait goes on.
        """
        if self.stopping or self._ring.newest > number:
            return True
        if timeout_s <= 0:
            return False
        # A hundred readers wait anew at every batch: they share one timer.
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[bool] = loop.create_future()
        self._waiting[waiting] = _Wait(loop.time() + timeout_s, push)
        if self._timer is None:
            self._timer = loop.call_later(_LOOK_S, self._look, loop)
        try:
            return await waiting
        finally:
            self._waiting.pop(waiting, None)

    def points(self, events: Sequence[Event], shown: Shown) -> Told | None:
        """Return the points of some events as a reader is told them; None where it gets none.

        Readers that ask for the same and have read as far are told the same object.

        Args:
            events: in order.
            shown: what the reader gets.
        """

        def write() -> Told:
            texts = [text[1:-1] for event in events if (text := shown.text(event))]
            last = events[-1]
            body = b'{"points":[' + b",".join(texts) + b"]}" if texts else b""
            return Told("points", self.id_of(last.number, last.told_ns), body)

        told = self._told.of((events[0].number, events[-1].number, shown.key), write)
        return told if told.body else None

    def id_of(self, number: int, told_ns: int) -> str:
        """Return the identifier of an event: where a reader goes on after it."""
        return f"{self.epoch}-{number}-{told_ns // NS_PER_MS}"

    def take(self, payload: bytes) -> None:
        """Take a frame. On the event loop."""
        try:
            frame = decode(payload)
            points = points_of(frame.lines)
        except (FrameError, ValueError) as error:
            self._bad.down(str(error))
            return
        self._bad.up()
        before = self._numbers.pop(frame.stream, None)
        self._numbers[frame.stream] = frame.number
        while len(self._numbers) > _STREAMS:
            del self._numbers[next(iter(self._numbers))]
        lost = 0
        if before is not None:  # an empty frame repeats the number of the last one
            lost = frame.number - before - (1 if frame.lines else 0)
        if lost > 0:
            self._put([], frame.told_ns, missed=LOST, batches=lost)
        if points:
            self._put(points, frame.told_ns)

    def _put(self, points: list[Any], told_ns: int, *, missed: str = "", batches: int = 0) -> None:
        facts = {"batches": batches} if batches else {}
        now_s = self._clock.monotonic_s()
        event = self._ring.put(points, told_ns=told_ns, now_s=now_s, missed=missed, facts=facts)
        # Most readers have taken all that came before, and their connections take this at once:
        # they are not woken for it, which costs as much again as telling them.
        self._wake({one for one, wait in self._waiting.items() if not wait.offered(event)})

    def _end(self) -> None:
        self.stopping = True
        self._wake(set(self._waiting))

    def _wake(self, waiting: Iterable[asyncio.Future[bool]]) -> None:
        for one in waiting:
            del self._waiting[one]
            if not one.done():
                one.set_result(True)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the waits whose time is over; look again as long as anybody waits."""
        now_s = loop.time()
        for one, wait in self._waiting.items():
            if now_s >= wait.until_s and not one.done():
                one.set_result(False)
        self._timer = loop.call_later(_LOOK_S, self._look, loop) if self._waiting else None

    def _called(self, payload: bytes) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.take, payload)

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._called(bytes(message.payload))

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._outage.down(f"the broker refuses the API: {code}")
            return
        self._outage.up()
        client.subscribe(_TOPIC, qos=0)

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: Any) -> None:
        self._outage.down("the broker does not answer")

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._outage.down(f"the connection to the broker was lost: {code}")
