"""The plain source: paho-mqtt reads every packet; its callback only enqueues.

Threads: paho's network thread calls the callbacks; a keeper thread chooses the protocol, starts
paho and starts it again should it ever die; `acknowledge` is called by the accept stage's thread.
paho empties its outgoing queue before it connects again, so an ack that waits in it for a lost
connection is not sent either.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from core.clock import Clock
from core.metrics import Metrics
from core.settings import MqttSettings
from ingest.arrival import Arrival, Deliver
from ingest.packet_properties import CONTENT_TYPE, FACTS_ID
from ingest.protocol import Protocol
from ingest.session import BrokerSession

_WATCH_S = 1.0


class PahoSource(BrokerSession):
    """A worker's session on a broker, a packet at a time.

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
        super().__init__(
            settings=settings,
            client_id=client_id,
            filters=filters,
            fact_filters=fact_filters,
            clock=clock,
            metrics=metrics,
        )
        self._client: mqtt.Client | None = None
        self._deliver: Deliver | None = None
        self._keeper = threading.Thread(target=self._keep, name="ingest-source", daemon=True)

    def start(self, deliver: Deliver) -> None:
        """Connect, now or as soon as the broker answers, and call `deliver` for each PUBLISH."""
        self._deliver = deliver
        self._keeper.start()

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
        self._lost()

    def _keep(self) -> None:
        protocol = self._choose_protocol()
        if protocol is None:
            return
        client = self._new_client(protocol)
        self._client = client
        while not self._stopping.is_set():
            thread = client._thread  # noqa: SLF001 - paho has no public way to see it die
            if thread is None or not thread.is_alive():
                self._lost()
                client.loop_stop()
                self._aim(client)
                client.loop_start()
            self._stopping.wait(_WATCH_S)

    def _new_client(self, protocol: Protocol) -> mqtt.Client:
        five = protocol == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            clean_session=None if five else False,
            manual_ack=True,
        )
        client.reconnect_delay_set(
            min_delay=max(1, round(self._settings.reconnect_min_s)),
            max_delay=max(1, round(self._settings.reconnect_max_s)),
        )
        client.on_message = self._on_message
        self._prepare(client)
        return client

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
        kept[CONTENT_TYPE] = str(content_type)
    for name, value in getattr(properties, "UserProperty", ()):
        kept[str(name)] = str(value)
    identifiers = getattr(properties, "SubscriptionIdentifier", ())
    return kept, list(identifiers) == [FACTS_ID]
