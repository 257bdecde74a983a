"""Hears the workers' streams, and keeps what was heard until it is judged, within a bound.

Threads: paho's thread puts payloads in; the judging thread takes them out. Beyond the bound the
oldest are let go: their numbers are missing, so a hole is noted and read from the store.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from core.logs import Outage, logger
from core.mqtt import passing_client
from core.settings import MqttSettings
from core.stream import TOPIC

_TOPIC = f"{TOPIC}/+"


class Listener:
    """One connection to the broker for the streams of all workers.

    Args:
        settings: the broker.
        most_bytes: how much may wait to be judged.
    """

    def __init__(self, *, settings: MqttSettings, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._outage = Outage(logger("alerts.listener"), "live_stream")
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._more = threading.Condition()
        client = passing_client(settings)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client = client

    @property
    def waiting_bytes(self) -> int:
        """How much was heard and not taken yet."""
        return self._bytes

    def start(self) -> None:
        """Listen, now or as soon as the broker answers."""
        self._client.loop_start()

    def stop(self) -> None:
        """Stop listening. Blocks for a moment."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, *, timeout_s: float, most: int) -> list[tuple[str, bytes]]:
        """Return what was heard, the oldest first: (worker, payload).

        Args:
            timeout_s: how long to wait for the first one, seconds.
            most: how many at most.
        """
        with self._more:
            if not self._waiting:
                self._more.wait(timeout_s)
            found = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(len(payload) for _, payload in found)
        return found

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        worker = message.topic[len(TOPIC) + 1 :]
        with self._more:
            self._waiting.append((worker, bytes(message.payload)))
            self._bytes += len(message.payload)
            while self._bytes > self._most_bytes and len(self._waiting) > 1:
                self._bytes -= len(self._waiting.popleft()[1])
            self._more.notify()

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._outage.down(f"the broker refuses the connection: {code}")
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
