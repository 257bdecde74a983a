"""How to reach an InfluxDB, and the HTTP client for it."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from core.errors import ConfigurationError
from core.settings import Settings
from storage.backends.influxdb.http import HttpClient

_VARIABLE = "store.url (PASSERELLE_STORE__URL)"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket of one server.

    Attributes:
        url: address, `http://host:port`.
        bucket: bucket (2.x) or database (1.x).
        org: organisation (2.x); 1.x ignores it.
        authorization: value of the `Authorization` header, a secret, or None.
        timeout_s: longest wait for an answer, seconds.
        compress: write with gzip.
    """

    url: str
    bucket: str
    org: str
    authorization: str | None = None
    timeout_s: float = 30.0
    compress: bool = True


def access_of(settings: Settings) -> Access:
    """Return how the settings say to reach the server.

    Raises:
        ConfigurationError: the address has no host, or holds credentials or a query.
    """
    url = settings.store_url.partition("+")[2].rstrip("/")
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise ConfigurationError(f"{_VARIABLE} must look like influxdb+http://host:8086")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{_VARIABLE} holds credentials; put them in PASSERELLE_STORE__TOKEN, or in "
            "PASSERELLE_STORE__USERNAME and PASSERELLE_STORE__PASSWORD"
        )
    return Access(
        url=url,
        bucket=settings.store.bucket,
        org=settings.store.org,
        authorization=_authorization(settings),
        timeout_s=settings.store.timeout_s,
        compress=_compresses(settings.store.compression, parts.hostname or ""),
    )


def new_client(access: Access) -> HttpClient:
    """Return a client of the server."""
    headers = {"User-Agent": "passerelle"}
    if access.authorization is not None:
        headers["Authorization"] = access.authorization
    return HttpClient(url=access.url, headers=headers, timeout_s=access.timeout_s)


def _compresses(setting: str, host: str) -> bool:
    """Between programs of one machine, compressing costs more time than it saves."""
    if setting != "auto":
        return setting == "gzip"
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _authorization(settings: Settings) -> str | None:
    """Return a token as 2.x takes it, or a user and password as 1.x does on both of its APIs."""
    store = settings.store
    token = "" if store.token is None else store.token.get_secret_value().strip()
    if token:
        if not (token.isascii() and token.isprintable()):
            raise ConfigurationError(
                "PASSERELLE_STORE__TOKEN holds characters that an HTTP header cannot carry"
            )
        return f"Token {token}"
    if store.username:
        password = "" if store.password is None else store.password.get_secret_value()
        login = f"{store.username}:{password}".encode()
        return f"Basic {base64.b64encode(login).decode()}"
    return None
