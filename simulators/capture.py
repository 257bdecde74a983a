"""Recording MQTT traffic to a file that `replay` can publish again."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from core.clock import Clock, SystemClock
from core.errors import ConfigurationError
from simulators.login import BrokerLogin, BrokerUnavailableError, MqttVersion
from simulators.recording import Recorded, write_recorded


def capture(
    target: Path,
    *,
    broker_url: str,
    topics: tuple[str, ...],
    stop: threading.Event,
    limit: int | None = None,
    clock: Clock | None = None,
    on_message: Callable[[int], None] | None = None,
    ca_file: Path | None = None,
    version: MqttVersion = "3.1.1",
    timeout_s: float = 10.0,
) -> int:
    """Write what is published on `topics` to `target` until `stop` is set; return how many.

    A recording is a sample, not an account: what is published while the connection is down is not
    in it. Messages that the broker replays because they are retained are recorded as retained.
    Those whose topic is not UTF-8 are left out.

    Args:
        target: the file; written anew.
        broker_url: `mqtt://` or `mqtts://`.
        topics: MQTT topic filters.
        stop: set it to end.
        limit: stop by itself after so many messages.
        clock: the wall clock; default: the machine's.
        on_message: told the number of messages after each.
        ca_file: certificate authority for mqtts (PEM).
        version: MQTT version.
        timeout_s: how long the broker may take to accept the subscription.

    Raises:
        ConfigurationError: the address or the file cannot be used.
        BrokerUnavailableError: the broker cannot be reached, or refuses, or the connection broke.
    """
    clock = clock or SystemClock()
    login = BrokerLogin.parse(broker_url, ca_file=ca_file, version=version)
    try:
        file = target.open("wb")
    except OSError as error:
        raise ConfigurationError(f"recording {str(target)!r}: {error.strerror}") from None
    with file:
        recorder = _Recorder(
            file=file, login=login, topics=topics, clock=clock, limit=limit, on_message=on_message
        )
        return recorder.run(stop=stop, timeout_s=timeout_s)


class _Recorder:
    """One connection; paho runs in the caller's thread."""

    def __init__(
        self,
        *,
        file: IO[bytes],
        login: BrokerLogin,
        topics: tuple[str, ...],
        clock: Clock,
        limit: int | None,
        on_message: Callable[[int], None] | None,
    ) -> None:
        self._file = file
        self._login = login
        self._clock = clock
        self._limit = limit
        self._tell = on_message
        self._problem = ""
        self._subscribed = False
        self.count = 0
        self._client = login.client(f"passerelle-capture-{secrets.token_hex(4)}")
        self._client.on_connect = self._connected(topics)
        self._client.on_subscribe = self._confirmed
        self._client.on_message = self._received

    def run(self, *, stop: threading.Event, timeout_s: float) -> int:
        address = self._login.address
        self._login.greet()
        try:
            self._client.connect(address.host, address.port)
        except OSError as error:
            raise BrokerUnavailableError(f"{address} cannot be reached: {error}") from None
        deadline = time.monotonic() + timeout_s
        try:
            while not stop.is_set() and (self._limit is None or self.count < self._limit):
                code = self._client.loop(0.1)
                if self._problem:
                    raise BrokerUnavailableError(f"{address}: {self._problem}")
                if code:
                    raise BrokerUnavailableError(f"{address}: the connection broke ({code.name})")
                if not self._subscribed and time.monotonic() > deadline:
                    raise BrokerUnavailableError(f"{address} does not answer within {timeout_s:g}s")
        finally:
            self._client.disconnect()
            sock = self._client.socket()
            if sock is not None:
                sock.close()
        return self.count

    def _connected(self, topics: tuple[str, ...]) -> Any:
        def on_connect(
            client: Any, _data: object, _flags: object, code: Any, _more: object
        ) -> None:
            if code.is_failure:
                self._problem = f"it refuses us: {code}"
            else:
                client.subscribe([(topic, 1) for topic in topics])

        return on_connect

    def _confirmed(
        self, _client: object, _data: object, _mid: int, codes: Any, _more: object
    ) -> None:
        if any(code.is_failure for code in codes):
            self._problem = "it refuses the subscription"
        self._subscribed = True

    def _received(self, _client: object, _data: object, message: Any) -> None:
        if self._limit is not None and self.count >= self._limit:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        write_recorded(
            self._file,
            Recorded(
                line=0,
                time_ns=self._clock.now_ns(),
                topic=topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=bool(message.retain),
            ),
        )
        self.count += 1
        if self._tell is not None:
            self._tell(self.count)
