"""The source: paho-mqtt holds the session; its callback only enqueues.

QoS 1, a session that outlives the connection, manual acknowledgement. MQTT 5 with a shared
subscription and Receive Maximum where the broker has it, 3.1.1 with a plain subscription where not.

Threads: paho's network thread calls the callbacks; a keeper thread chooses the protocol, starts
paho and starts it again should it ever die; `acknowledge` is called by the accept stage's thread.
`_lock` guards the connection generation: it changes the moment a connection is lost, so an ack for
an older connection is never sent (paho empties its outgoing queue before it connects again).
"""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.broker import BrokerAddress
from core.clock import Clock
from core.errors import ConfigurationError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import MqttSettings
from ingest.arrival import Arrival, Deliver
from ingest.protocol import BrokerUnreachableError, Protocol, probe

_FACTS_ID = 2
_WATCH_S = 1.0
_REFUSED = 0x80

_log = logger("ingest.source")


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Return the TLS settings for `mqtts` addresses.

    Raises:
        ConfigurationError: a certificate file is missing or wrong.
    """
    try:
        context = ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None
        )
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"settings mqtt.ca_file, mqtt.cert_file, mqtt.key_file: {error}"
        ) from None
    return context


class PahoSource:
    """A worker's session on a broker.

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
        self._lock = threading.Lock()
        self._generation = 0
        self._connected = False
        self._resumed = False
        self._unconfirmed: set[int] = set()
        self._stopping = threading.Event()
        self._client: mqtt.Client | None = None
        self._deliver: Deliver | None = None
        self._keeper = threading.Thread(target=self._keep, name="ingest-source", daemon=True)

    def start(self, deliver: Deliver) -> None:
        """Connect, now or as soon as the broker answers, and call `deliver` for each PUBLISH."""
        self._deliver = deliver
        self._keeper.start()

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
            client = self._client if self._connected else None
        if client is not None:
            if gone:
                client.unsubscribe([self._name(client, topic) for topic in gone])
            self._subscribe(client)

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        """Send PUBACKs for the arrivals of the present connection; return how many."""
        sent = 0
        with self._lock:
            client = self._client
            if client is None or not self._connected:
                return 0
            generation = self._generation
            for arrival in arrivals:
                if arrival.qos and arrival.generation == generation:
                    client.ack(arrival.mid, arrival.qos)
                    sent += 1
        self._metrics.acknowledged.inc(sent)
        return sent

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what was not acknowledged."""
        self._stopping.set()
        client = self._client
        if client is not None:
            client.disconnect()
        if self._keeper.is_alive():
            self._keeper.join()
        if client is not None:
            client.loop_stop()
        self._set_connected(connected=False)

    def _keep(self) -> None:
        protocol = self._choose_protocol()
        if protocol is None:
            return
        client = self._new_client(protocol)
        with self._lock:
            self._client = client
        while not self._stopping.is_set():
            thread = client._thread  # noqa: SLF001 - paho has no public way to see it die
            if thread is None or not thread.is_alive():
                self._set_connected(connected=False)
                client.loop_stop()
                self._connect(client, protocol)
                client.loop_start()
            self._stopping.wait(_WATCH_S)

    def _choose_protocol(self) -> Protocol | None:
        if self._settings.protocol != "auto":
            return self._settings.protocol
        wait_s = self._settings.reconnect_min_s
        while not self._stopping.is_set():
            try:
                return probe(self._address, tls=self._tls)
            except BrokerUnreachableError as error:
                self._outage.down(error.detail)
            self._stopping.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            wait_s = min(2 * wait_s, self._settings.reconnect_max_s)
        return None

    def _new_client(self, protocol: Protocol) -> mqtt.Client:
        five = protocol == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            clean_session=None if five else False,
            manual_ack=True,
        )
        client.username_pw_set(self._address.username, self._address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.reconnect_delay_set(
            min_delay=max(1, round(self._settings.reconnect_min_s)),
            max_delay=max(1, round(self._settings.reconnect_max_s)),
        )
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _connect(self, client: mqtt.Client, protocol: Protocol) -> None:
        if protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = self._settings.session_expiry_s
            properties.ReceiveMaximum = self._settings.receive_maximum
            client.connect_async(
                self._address.host,
                self._address.port,
                keepalive=self._settings.keepalive_s,
                clean_start=False,
                properties=properties,
            )
        else:
            client.connect_async(
                self._address.host, self._address.port, keepalive=self._settings.keepalive_s
            )

    def _name(self, client: mqtt.Client, topic: str) -> str:
        group = self._settings.shared_group
        if client.protocol == mqtt.MQTTv5 and group:
            return f"$share/{group}/{topic}"
        return topic

    def _subscribe(self, client: mqtt.Client) -> None:
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
            marked.SubscriptionIdentifier = _FACTS_ID
            self._sent(
                client.subscribe(
                    [(topic, SubscribeOptions(qos=1)) for topic in self._fact_filters],
                    properties=marked,
                )
            )

    def _sent(self, result: tuple[MQTTErrorCode, int | None]) -> None:
        if result[1] is not None:
            self._unconfirmed.add(result[1])

    def _set_connected(self, *, connected: bool) -> None:
        with self._lock:
            self._generation += 1
            self._connected = connected
        self._metrics.source_connected.set(1 if connected else 0)

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._outage.down(f"{self._address} refused the connection: {reason}")
            return
        self._resumed = bool(flags.session_present)
        self._unconfirmed.clear()
        self._subscribe(client)
        self._set_connected(connected=True)
        self._metrics.reconnects.inc()
        self._outage.up()

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
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
        self._set_connected(connected=False)
        if was_connected and not self._stopping.is_set():
            self._outage.down(f"the connection to {self._address} was lost: {reason}")

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        properties, facts_only = _told(message.properties)
        arrival = Arrival(
            topic=message._topic,  # noqa: SLF001 - .topic raises on bytes that are not UTF-8
            payload=bytes(message.payload),
            received_ns=self._clock.now_ns(),
            mid=message.mid,
            qos=message.qos,
            dup=message.dup,
            retain=message.retain,
            properties=properties,
            generation=self._generation,
            resumed=self._resumed,
            facts_only=facts_only,
        )
        self._metrics.received.inc()
        assert self._deliver is not None  # noqa: S101 - set before paho is started
        self._deliver((arrival,))


def _told(properties: Properties | None) -> tuple[dict[str, str], bool]:
    """Return the properties that are kept, and whether only the facts subscription matched."""
    if properties is None or properties.isEmpty():  # type: ignore[no-untyped-call]
        return {}, False
    kept: dict[str, str] = {}
    content_type = getattr(properties, "ContentType", None)
    if content_type:
        kept["content-type"] = str(content_type)
    for name, value in getattr(properties, "UserProperty", ()):
        kept[str(name)] = str(value)
    identifiers = getattr(properties, "SubscriptionIdentifier", ())
    return kept, list(identifiers) == [_FACTS_ID]
