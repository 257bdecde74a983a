"""How to reach a broker, and what to say when it cannot be reached."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Literal

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.broker import BrokerAddress
from core.errors import ConfigurationError, PasserelleError

MqttVersion = Literal["3.1.1", "5"]

_CONNECT_S = 5.0


class BrokerUnavailableError(PasserelleError):
    """No broker answers, or it does not let us in."""

    code = "broker_unavailable"


class BrokerLogin(msgspec.Struct, frozen=True):
    """How to reach a broker.

    Attributes:
        address: where it is.
        ca_file: certificate authority for mqtts (PEM); None: the system's.
        version: MQTT version; 5 lets the broker say why it refuses a message.
    """

    address: BrokerAddress
    ca_file: Path | None = None
    version: MqttVersion = "3.1.1"

    @classmethod
    def parse(
        cls, url: str, *, ca_file: Path | None = None, version: MqttVersion = "3.1.1"
    ) -> BrokerLogin:
        """Take `url` apart.

        Raises:
            ConfigurationError: it is not a broker's address, or `ca_file` cannot be read.
        """
        if ca_file is not None and not ca_file.is_file():
            raise ConfigurationError(f"certificate authority {str(ca_file)!r}: no such file")
        return cls(address=BrokerAddress.parse(url), ca_file=ca_file, version=version)

    def client(self, name: str) -> mqtt.Client:
        """Return a client called `name`, not connected yet.

        Raises:
            ConfigurationError: the certificate authority is none.
        """
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=mqtt.MQTTv5 if self.version == "5" else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        if self.address.username is not None:
            client.username_pw_set(self.address.username, self.address.password)
        if self.address.tls:
            client.tls_set_context(self._tls())
        return client

    def greet(self) -> None:
        """Find out whether the broker can be reached, and whether TLS with it is possible.

        Raises:
            BrokerUnavailableError: it cannot; says why.
        """
        place = (self.address.host, self.address.port)
        try:
            with socket.create_connection(place, timeout=_CONNECT_S) as link:
                if self.address.tls:
                    self._tls().wrap_socket(link, server_hostname=self.address.host).close()
        except ssl.SSLError as error:
            raise BrokerUnavailableError(f"TLS with {self.address} failed: {error}") from None
        except OSError as error:
            raise BrokerUnavailableError(f"{self.address} cannot be reached: {error}") from None

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"certificate authority {str(self.ca_file)!r}: {error}"
            ) from None
