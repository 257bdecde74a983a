"""Hearing what a broker really has: a subscriber that keeps every message, and a link to cut."""

from __future__ import annotations

import secrets
import socket
import threading
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.broker import BrokerAddress
from tests.servers.waiting import wait_until


class Listener:
    """A QoS 1 subscriber to everything; keeps (topic, payload) in the order of arrival.

    Args:
        url: the broker's address.
    """

    def __init__(self, url: str) -> None:
        self._address = BrokerAddress.parse(url)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"listener-{secrets.token_hex(4)}"
        )
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._confirmed
        self._client.on_message = self._keep
        self._ready = threading.Event()
        self.heard: list[tuple[str, bytes]] = []

    def __enter__(self) -> Self:
        self._client.connect(self._address.host, self._address.port)
        self._client.loop_start()
        assert self._ready.wait(10), "the broker did not confirm the subscription"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, count: int, *, seconds: float = 30) -> None:
        """Wait until `count` messages were heard."""
        wait_until(lambda: len(self.heard) >= count, seconds=seconds, what=f"{count} were heard")

    def wait_for_last(self, topic: str, *, seconds: float = 30) -> None:
        """Publish a last message and wait until it was heard: everything before it was, then."""
        self._client.publish(topic, b"the end", qos=1)
        wait_until(
            lambda: self.heard and self.heard[-1][0] == topic, seconds=seconds, what="the end"
        )
        self.heard.pop()

    def by_topic(self) -> Counter[str]:
        """Return how many messages were heard on each topic."""
        return Counter(topic for topic, _ in self.heard)

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe("#", qos=1)

    def _confirmed(self, *_: Any) -> None:
        self._ready.set()

    def _keep(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))


class Link:
    """A TCP link to a broker that can be cut, so that client and broker disagree on what arrived.

    Args:
        url: the broker's address.
    """

    def __init__(self, url: str) -> None:
        address = BrokerAddress.parse(url)
        self._target = (address.host, address.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._door.getsockname()[1]}"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._serve)]
        self._deaf = False
        self._closed = False
        self.carried = 0

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def deafen(self) -> None:
        """From now on, until the next `cut`, keep what the broker says from the client."""
        self._deaf = True

    def cut(self) -> None:
        """Cut every connection; new ones are let through."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._deaf = False

    def _serve(self) -> None:
        while not self._closed:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            broker = socket.create_connection(self._target)
            self._pairs.append((client, broker))
            done = threading.Barrier(2)
            for source, sink, upward in ((client, broker, True), (broker, client, False)):
                thread = threading.Thread(target=self._carry, args=(source, sink, upward, done))
                self._threads.append(thread)
                thread.start()

    def _carry(
        self,
        source: socket.socket,
        sink: socket.socket,
        upward: bool,  # noqa: FBT001 - a thread's argument
        done: threading.Barrier,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if upward:
                    self.carried += len(data)
                elif self._deaf:
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with suppress(threading.BrokenBarrierError):
            if done.wait(10) == 0:
                source.close()
                sink.close()
