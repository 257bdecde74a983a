"""Tells of each batch that is safe on the live stream (`core.stream`), and holds nobody up.

Threads: the accept stage offers; a thread of the announcer hands frames to paho one at a time, so
that a broker that does not take them leaves them waiting here, within a bound: then the oldest are
dropped. Their numbers are missing from the stream, which is how a listener knows.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque

import paho.mqtt.client as mqtt

from core.clock import Clock
from core.errors import ConfigurationError
from core.logs import logger
from core.metrics import Metrics
from core.mqtt import passing_client
from core.settings import LiveSettings, MqttSettings
from core.stream import TOPIC, Frame, encode, parts

_BEAT_S = 1.0
_SENT_S = 5.0
_log = logger("ingest.announcer")


class Announcer:
    """The live stream of one worker.

    Args:
        mqtt_settings: the broker.
        settings: bounds.
        worker: whose batches these are.
        clock: the time.
        metrics: `live`.
    """

    def __init__(
        self,
        *,
        mqtt_settings: MqttSettings,
        settings: LiveSettings,
        worker: str,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._topic = f"{TOPIC}/{worker}"
        self._clock = clock
        self._metrics = metrics.live
        self._most_bytes = settings.queue_mb * 1_000_000
        self._client = passing_client(mqtt_settings)
        self._stream = secrets.randbits(63)
        self._number = 0
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._more = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ingest-announcer", daemon=True)

    def start(self) -> None:
        """Connect, now or as soon as the broker answers."""
        self._client.loop_start()
        self._thread.start()

    def offer(self, lines: bytes) -> None:
        """Tell of a batch that was committed. Does not wait for anything.

        Args:
            lines: line protocol, a line a point, joined by line feeds; may be none.
        """
        now_ns = self._clock.now_ns()
        with self._more:
            for part in parts(lines):
                self._number += 1
                self._waiting.append(Frame(self._stream, self._number, now_ns, part))
                self._bytes += len(part)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._waiting.popleft().lines)
                self._metrics.dropped.inc()
            self._more.notify()

    def stop(self) -> None:
        """Disconnect; what waits is dropped."""
        with self._more:
            self._stopping = True
            self._more.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        while (frame := self._next()) is not None:
            self._send(frame)

    def _next(self) -> Frame | None:
        """Return what to tell now: the next batch, or that there was none for a while."""
        with self._more:
            if not self._waiting and not self._stopping:
                self._more.wait(_BEAT_S)
            if self._stopping:
                return None
            if self._waiting:
                frame = self._waiting.popleft()
                self._bytes -= len(frame.lines)
                return frame
            return Frame(self._stream, self._number, self._clock.now_ns())

    def _send(self, frame: Frame) -> None:
        sent = self._client.is_connected() and self._published(frame)
        if frame.lines:
            (self._metrics.frames if sent else self._metrics.dropped).inc()

    def _published(self, frame: Frame) -> bool:
        try:
            told = self._client.publish(self._topic, encode(frame), qos=0)
            if told.rc == mqtt.MQTT_ERR_SUCCESS:
                told.wait_for_publish(_SENT_S)
            return told.is_published()
        except (RuntimeError, ValueError):  # the connection was lost meanwhile
            return False


def announcer_of(
    *,
    mqtt_settings: MqttSettings,
    settings: LiveSettings,
    worker: str,
    clock: Clock,
    metrics: Metrics,
) -> Announcer | None:
    """Return the live stream of a worker, or None where it is off or cannot be had.

    Live views are worth less than ingest: whatever is wrong with them, the worker works.
    """
    if not settings.enabled:
        return None
    try:
        return Announcer(
            mqtt_settings=mqtt_settings,
            settings=settings,
            worker=worker,
            clock=clock,
            metrics=metrics,
        )
    except ConfigurationError as error:
        _log.warning("live_stream_unavailable", reason=error.detail)
        return None
