"""Bringing messages to a broker and knowing which ones it has.

One thread, the caller's, does everything: it publishes, reads acknowledgements, keeps connections
alive and builds them up again. paho runs without a thread of its own (its "external event loop"),
so that no message is acknowledged before it is entered here, and counts need no lock.

At QoS 1 a message is delivered when its PUBACK has come. When a connection breaks, paho sends what
was not acknowledged again on the next one, as MQTT 3.1.1 section 4.4 wants; the broker may have
had it already, which is why every such message is reported as resent.
"""

from __future__ import annotations

import secrets
import selectors
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

from simulators.formats.wire import Packet
from simulators.login import BrokerLogin, BrokerUnavailableError

Token = TypeVar("Token")

_WINDOW = 400  # messages in flight on one connection
_READ_EVERY = 32  # messages published between two looks at the socket
_ALIVE_EVERY_S = 1.0
_BACKOFF_S = (0.1, 5.0)
_KEEPALIVE_S = 30
_FIRST_REFUSAL = 0x80  # MQTT 5, 2.4: reason codes from here on say no


class _Line(Generic[Token]):
    """One connection."""

    def __init__(self, client: mqtt.Client) -> None:
        self.client = client
        self.waiting: dict[int, tuple[Token, int]] = {}  # packet identifier -> token, QoS
        self.early: set[int] = set()
        self.window = _WINDOW
        self.up = False
        self.ever_up = False
        self.refused = ""
        self.socket: Any = None
        self.writing = False
        self.retry_at = 0.0
        self.backoff_s = _BACKOFF_S[0]


class Courier(Generic[Token]):
    """A set of connections to one broker. Belongs to one thread.

    Args:
        login: how to reach the broker.
        name: first part of the client names; the rest is random, so that two runs do not throw
            each other out.
        wills: one for each connection: the packet that the broker publishes when the connection
            breaks, or None.
        qos: of every message.
        on_delivered: called with the token of each message that the broker has.
        on_resent: called with the token of each message in flight when a connection broke.
        on_refused: called with the token of each message that the broker refused.
    """

    def __init__(
        self,
        *,
        login: BrokerLogin,
        name: str,
        wills: list[Packet | None],
        qos: int,
        on_delivered: Callable[[Token], None],
        on_resent: Callable[[Token], None],
        on_refused: Callable[[Token], None],
    ) -> None:
        self._login = login
        self._qos = qos
        self._on_delivered = on_delivered
        self._on_resent = on_resent
        self._on_refused = on_refused
        self._selector = selectors.DefaultSelector()
        self._alive_at = 0.0
        self._since_read = 0
        self._closing = False
        self._given_up: list[Token] = []
        self.connections_lost = 0
        self._down = len(wills)  # lines without a socket
        self._lines: list[_Line[Token]] = []
        for number, will in enumerate(wills):
            client = login.client(f"{name}-{number}-{secrets.token_hex(4)}")
            line: _Line[Token] = _Line(client)
            if will is not None:
                client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
            self._wire(line)
            self._lines.append(line)

    def connect(self, *, timeout_s: float = 10.0) -> None:
        """Connect every line.

        Raises:
            BrokerUnavailableError: not all of them could within `timeout_s`; says why.
        """
        deadline = time.monotonic() + timeout_s
        try:
            # paho leaves a socket open when TLS fails: so that is tried without it first
            self._login.greet()
        except BrokerUnavailableError:
            self.close()
            raise
        for line in self._lines:
            self._dial(line, first=True)
        while not all(line.up for line in self._lines):
            refused = next((line.refused for line in self._lines if line.refused), "")
            if refused:
                self.close()
                raise BrokerUnavailableError(f"{self._login.address} refuses us: {refused}")
            if time.monotonic() > deadline:
                self.close()
                raise BrokerUnavailableError(
                    f"{self._login.address} accepts connections but does not answer MQTT "
                    f"{self._login.version} within {timeout_s:g} s"
                )
            self.pump(0.05)

    def publish(
        self,
        number: int,
        packet: Packet,
        token: Token,
        *,
        stopped: Callable[[], bool],
        qos: int | None = None,
    ) -> bool:
        """Send `packet` on line `number`; wait while the line is down or has enough in flight.

        Args:
            number: of the line.
            packet: the message.
            token: handed back when it is delivered.
            stopped: asked while waiting.
            qos: in place of the usual one.

        Returns:
            False when `stopped()` became true while waiting: the packet was not sent.
        """
        line = self._lines[number]
        while not line.up or len(line.waiting) >= line.window:
            if stopped():
                return False
            self.pump(0.05)
        level = self._qos if qos is None else qos
        info = line.client.publish(packet.topic, packet.payload, qos=level, retain=packet.retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # pragma: no cover - we bound it first
            raise BrokerUnavailableError("paho refused a message: its queue is full")
        if info.mid in line.early:
            line.early.discard(info.mid)
            self._on_delivered(token)
        else:
            line.waiting[info.mid] = token, level
        self._watch(line)
        self._since_read += 1
        if self._since_read >= _READ_EVERY:
            self.pump(0)
        return True

    def pump(self, timeout_s: float) -> None:
        """Read and write what can be; wait at most `timeout_s` for something to do."""
        self._since_read = 0
        self._keep_up()
        if not self._selector.get_map():
            time.sleep(min(timeout_s, 0.05))
            return
        for key, mask in self._selector.select(timeout_s):
            line = key.data
            if mask & selectors.EVENT_WRITE:
                line.client.loop_write()
            if mask & selectors.EVENT_READ:
                self._read(line)
            self._watch(line)

    def drain(self, *, timeout_s: float) -> bool:
        """Wait until everything sent is delivered; return whether it was within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.in_flight:
            if time.monotonic() > deadline:
                return False
            self.pump(0.05)
        return True

    def close(self) -> list[Token]:
        """Say good-bye on every line; return the tokens of what was never acknowledged."""
        self._closing = True
        left = [token for line in self._lines for token, _ in line.waiting.values()]
        left += self._given_up
        for line in self._lines:
            line.waiting.clear()
            if line.up:
                line.client.disconnect()
                line.client.loop_write()
            if line.socket is not None:
                line.socket.close()
        self._selector.close()
        return left

    @property
    def in_flight(self) -> int:
        """Messages sent and not acknowledged."""
        return sum(len(line.waiting) for line in self._lines)

    @property
    def all_up(self) -> bool:
        """Whether every line is connected."""
        return all(line.up for line in self._lines)

    @property
    def connections(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def _keep_up(self) -> None:
        """Send keep-alives, and dial lines that are down, when it is time."""
        now = time.monotonic()
        if now >= self._alive_at:
            self._alive_at = now + _ALIVE_EVERY_S
            for line in self._lines:
                if line.socket is not None:
                    line.client.loop_misc()
        if self._down and not self._closing:
            for line in self._lines:
                if line.socket is None and now >= line.retry_at:
                    self._dial(line, first=False)

    def _wire(self, line: _Line[Token]) -> None:
        def on_connect(
            _client: object, _data: object, _flags: object, code: Any, properties: Any
        ) -> None:
            if code.is_failure:
                line.refused = str(code)
                return
            line.up = line.ever_up = True
            line.backoff_s = _BACKOFF_S[0]
            line.window = min(_WINDOW, getattr(properties, "ReceiveMaximum", _WINDOW))

        def on_publish(
            _client: object, _data: object, mid: int, code: Any, _properties: object
        ) -> None:
            waited = line.waiting.pop(mid, None)
            if waited is None:
                line.early.add(mid)  # QoS 0: written before publish() returned
            elif code.value >= _FIRST_REFUSAL:
                self._on_refused(waited[0])
            else:
                self._on_delivered(waited[0])

        def on_open(_client: object, _data: object, sock: Any) -> None:
            line.socket, line.writing = sock, False
            self._down -= 1
            self._selector.register(sock, selectors.EVENT_READ, line)

        def on_close(_client: object, _data: object, sock: Any) -> None:
            line.socket = None
            self._down += 1
            if not self._closing:
                self._selector.unregister(sock)
            self._lost(line)

        line.client.on_connect = on_connect
        line.client.on_publish = on_publish
        line.client.on_socket_open = on_open
        line.client.on_socket_close = on_close
        line.client.max_inflight_messages_set(0)

    def _lost(self, line: _Line[Token]) -> None:
        line.retry_at = time.monotonic() + line.backoff_s
        line.backoff_s = min(line.backoff_s * 2, _BACKOFF_S[1])
        if not line.up or self._closing:
            return
        line.up = False
        self.connections_lost += 1
        kept = {}
        for mid, (token, qos) in line.waiting.items():
            if qos:
                kept[mid] = token, qos
                self._on_resent(token)
            else:  # nobody sends it again
                self._given_up.append(token)
        line.waiting = kept

    def _dial(self, line: _Line[Token], *, first: bool) -> None:
        address = self._login.address
        try:
            if first:
                line.client.connect(address.host, address.port, keepalive=_KEEPALIVE_S)
            else:
                line.client.reconnect()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            if first:
                self.close()
                raise BrokerUnavailableError(f"{address} cannot be reached: {error}") from None
            line.retry_at = time.monotonic() + line.backoff_s
            line.backoff_s = min(line.backoff_s * 2, _BACKOFF_S[1])

    def _read(self, line: _Line[Token]) -> None:
        while True:
            line.client.loop_read()
            sock = line.socket
            # decrypted bytes that wait inside the TLS layer wake no selector
            if sock is None or not getattr(sock, "pending", int)():
                return

    def _watch(self, line: _Line[Token]) -> None:
        """Ask to be woken for writing only while something waits to be written."""
        if line.socket is None:
            return
        wanted = line.client.want_write()
        if wanted != line.writing:
            line.writing = wanted
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
            self._selector.modify(line.socket, events, line)
