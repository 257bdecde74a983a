"""A paho client on the broker of the settings, for what may be lost: QoS 0, a session of its own.

The workers' durable session is `ingest.session`.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.broker import BrokerAddress
from core.errors import ConfigurationError
from core.settings import MqttSettings


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


def new_client(settings: MqttSettings) -> tuple[mqtt.Client, BrokerAddress]:
    """Return a client that may enter the broker, not connected, and where that is.

    Raises:
        ConfigurationError: the address or a certificate is wrong.
    """
    address = BrokerAddress.parse(settings.url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311, clean_session=True)
    password = address.password
    if settings.password is not None:
        password = settings.password.get_secret_value()
    client.username_pw_set(address.username, password)
    if address.tls:
        client.tls_set_context(tls_context(settings))
    return client, address


def passing_client(settings: MqttSettings) -> mqtt.Client:
    """Return a client that `loop_start` connects, and connects again by itself.

    Its session ends with the connection, and the broker chooses its name.

    Raises:
        ConfigurationError: the address or a certificate is wrong.
    """
    client, address = new_client(settings)
    client.reconnect_delay_set(min_delay=1, max_delay=max(1, round(settings.reconnect_max_s)))
    client.on_socket_open = _send_at_once
    client.connect_async(address.host, address.port, keepalive=settings.keepalive_s)
    return client


def _send_at_once(_client: mqtt.Client, _userdata: Any, link: Any) -> None:
    """Have no message wait for the acknowledgement of the one before it (Nagle's algorithm)."""
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
