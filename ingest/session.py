"""A worker's session on a broker, as both sources hold it: who, subscribed to what, and how it is.

QoS 1, a session that outlives the connection, MQTT 5 with a shared subscription and Receive Maximum
where the broker has it, 3.1.1 with a plain subscription where not. paho-mqtt connects, subscribes
and calls back; a source adds how PUBLISH packets are read and acknowledged.

Threads: the source's network thread calls the callbacks; `subscribe_to` and `acknowledge` come from
others. `_lock` guards the connection generation and the subscriptions: the generation changes the
moment a connection is lost, so an ack for an older connection is never sent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.broker import BrokerAddress
from core.clock import Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.mqtt import tls_context
from core.settings import MqttSettings
from ingest.packet_properties import FACTS_ID
from ingest.protocol import BrokerUnreachableError, Protocol, probe

_REFUSED = 0x80

_log = logger("ingest.source")


def waits(settings: MqttSettings) -> Iterator[float]:
    """Yield how long to wait before connecting again: ever longer, with jitter, seconds."""
    wait_s = settings.reconnect_min_s
    while True:
        yield wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        wait_s = min(2 * wait_s, settings.reconnect_max_s)


class BrokerSession:
    """What both sources share.

    Args:
        settings: the broker and the session.
        client_id: stable name of the session.
        filters: topic filters of the messages that are counted.
        fact_filters: topic filters of retained facts, subscribed beside a shared subscription.
        clock: gives the time of reception.
        metrics: `source_*`.
    """

    def __init__(
        self,
        *,
        settings: MqttSettings,
        client_id: str,
        filters: Sequence[str],
        fact_filters: Sequence[str],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._address = BrokerAddress.parse(settings.url)
        if settings.password is not None:
            self._address = BrokerAddress(
                self._address.host,
                self._address.port,
                self._address.tls,
                self._address.username,
                settings.password.get_secret_value(),
            )
        self._tls = tls_context(settings) if self._address.tls else None
        self._client_id = client_id
        self._filters = tuple(filters)
        self._fact_filters = tuple(fact_filters)
        self._clock = clock
        self._metrics = metrics
        self._outage = Outage(_log, "broker")
        self._lock = threading.RLock()
        self._generation = 1
        self._connected = False
        self._resumed = False
        self._unconfirmed: set[int] = set()
        self._stopping = threading.Event()
        self._subscriber: mqtt.Client | None = None

    def connected(self) -> bool:
        """Say whether the broker can be heard."""
        return self._connected

    def subscribed(self) -> bool:
        """Say whether the broker has confirmed every subscription of this connection."""
        return self._connected and not self._unconfirmed

    @property
    def outage(self) -> str | None:
        """Why the broker cannot be heard, or None."""
        return self._outage.reason

    def subscribe_to(self, filters: Sequence[str], fact_filters: Sequence[str]) -> None:
        """Change what is subscribed, now and at each later connection."""
        with self._lock:
            gone = set(self._filters) - set(filters)
            self._filters = tuple(filters)
            self._fact_filters = tuple(fact_filters)
            client = self._subscriber
            if client is None or not self._connected:
                return
            if gone:
                client.unsubscribe([self._name(client, topic) for topic in gone])
            self._subscribe(client)

    def _choose_protocol(self) -> Protocol | None:
        if self._settings.protocol != "auto":
            return self._settings.protocol
        for wait_s in waits(self._settings):
            if self._stopping.is_set():
                break
            try:
                return probe(self._address, tls=self._tls)
            except BrokerUnreachableError as error:
                self._outage.down(error.detail)
            self._stopping.wait(wait_s)
        return None

    def _prepare(self, client: mqtt.Client) -> None:
        """Give a new client who it is and whom to call."""
        client.username_pw_set(self._address.username, self._address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        with self._lock:
            self._subscriber = client

    def _aim(self, client: mqtt.Client) -> None:
        """Tell a client where the broker is and what session is asked for; it connects later."""
        host, port = self._address.host, self._address.port
        keepalive = self._settings.keepalive_s
        if client.protocol == mqtt.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._settings.session_expiry_s
            properties.ReceiveMaximum = self._settings.receive_maximum
            properties.MaximumPacketSize = self._settings.max_packet_bytes
            client.connect_async(
                host, port, keepalive=keepalive, clean_start=False, properties=properties
            )
        else:
            client.connect_async(host, port, keepalive=keepalive)

    def _name(self, client: mqtt.Client, topic: str) -> str:
        group = self._settings.shared_group
        if client.protocol == mqtt.MQTTv5 and group:
            return f"$share/{group}/{topic}"
        return topic

    def _subscribe(self, client: mqtt.Client) -> None:
        """Send the subscriptions; the lock is held, so that no answer comes before its number."""
        shared = client.protocol == mqtt.MQTTv5 and self._settings.shared_group
        if client.protocol != mqtt.MQTTv5:
            self._sent(client.subscribe([(topic, 1) for topic in self._filters]))
            return
        options = SubscribeOptions(qos=1, retainHandling=1)
        self._sent(
            client.subscribe([(self._name(client, topic), options) for topic in self._filters])
        )
        if shared and self._fact_filters:
            marked = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
            marked.SubscriptionIdentifier = FACTS_ID
            self._sent(
                client.subscribe(
                    [(topic, SubscribeOptions(qos=1)) for topic in self._fact_filters],
                    properties=marked,
                )
            )

    def _sent(self, result: tuple[MQTTErrorCode, int | None]) -> None:
        if result[1] is not None:
            self._unconfirmed.add(result[1])

    def _lost(self) -> None:
        """Note that there is no connection: acks for the one there was are not sent any more."""
        with self._lock:
            self._generation += 1
            self._connected = False
        self._metrics.source_connected.set(0)

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            refused = f"{self._address} refused the connection: {reason}"
            if self._outage.reason not in {None, refused}:  # it is away for another reason now
                _log.warning("broker_refuses", reason=refused)
            self._outage.down(refused)
            return
        with self._lock:
            self._resumed = bool(flags.session_present)
            self._unconfirmed.clear()
            self._subscribe(client)
            self._connected = True
        self._metrics.source_connected.set(1)
        self._metrics.reconnects.inc()
        self._welcome()

    def _welcome(self) -> None:
        """Say that the broker is back."""
        self._outage.up()

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        with self._lock:
            self._unconfirmed.discard(mid)
        refused = [str(reason) for reason in reasons if reason.value >= _REFUSED]
        if refused:
            self._outage.down(f"{self._address} refused a subscription: {refused[0]}")

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: Any) -> None:
        self._outage.down(f"{self._address} cannot be reached")

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        was_connected = self._connected
        self._lost()
        if was_connected and not self._stopping.is_set():
            self._outage.down(self._farewell(str(reason)))

    def _farewell(self, reason: str) -> str:
        """Say in words why there is no connection any more."""
        return f"the connection to {self._address} was lost: {reason}"
