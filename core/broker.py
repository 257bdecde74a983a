"""Where a broker is: `mqtt://user:password@host:port` or `mqtts://...`, taken apart and checked."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec

from core.errors import ConfigurationError

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerAddress(msgspec.Struct, frozen=True):
    """A broker's address.

    Attributes:
        host: name or IP address.
        port: TCP port.
        tls: True for mqtts.
        username: or None.
        password: or None.
    """

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> BrokerAddress:
        """Take `url` apart.

        Raises:
            ConfigurationError: it is not an address of a broker.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
            shown = url.rpartition("@")[2]
            raise ConfigurationError(
                f"broker address {shown!r} must look like mqtt://host:1883 or "
                "mqtts://user:password@host:8883"
            )
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    def __str__(self) -> str:
        scheme = "mqtts" if self.tls else "mqtt"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"
