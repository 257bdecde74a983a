"""Publishing to a real broker and waiting until it has acknowledged."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

from core.broker import BrokerAddress
from tests.servers.waiting import wait_until
from tests.support.bench import TOPIC


def publish(
    url: str,
    payloads: Iterable[bytes],
    *,
    topic: str = TOPIC,
    qos: int = 1,
    ca_file: Path | None = None,
    properties: Properties | None = None,
) -> None:
    """Publish in order; return when the broker has acknowledged the last one.

    Args:
        url: the broker's address.
        payloads: one message each.
        topic: where to.
        qos: 0 or 1.
        ca_file: the authority of a broker that speaks TLS.
        properties: of every message; they need MQTT 5.
    """
    address = BrokerAddress.parse(url)
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        protocol=mqtt.MQTTv311 if properties is None else mqtt.MQTTv5,
    )
    client.max_inflight_messages_set(0)
    client.username_pw_set(address.username, address.password)
    if address.tls:
        client.tls_set_context(ssl.create_default_context(cafile=ca_file))
    client.connect(address.host, address.port)
    client.loop_start()
    # What is sent at QoS 0 before the broker has accepted the connection is not sent again.
    wait_until(client.is_connected, what="the publisher is connected", seconds=20)
    for info in [client.publish(topic, one, qos, properties=properties) for one in payloads]:
        info.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()
