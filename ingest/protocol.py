"""Finding out which MQTT version a broker speaks: 5, else 3.1.1.

A broker that does not know MQTT 5 may refuse it (CONNACK code 1), or close the connection without
a word, or not answer. A short connection under a name of its own finds out, so that the worker's
session is not touched.
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Literal

from core.broker import BrokerAddress
from core.errors import PasserelleError

Protocol = Literal["5", "3.1.1"]
_CONNACK = 0x20
_REFUSED_VERSION = {0x01, 0x84}  # MQTT 3.1.1 table 3.1; MQTT 5 "Unsupported Protocol Version"
_CONNACK_HEAD = 4


class BrokerUnreachableError(PasserelleError):
    """Nothing at the broker's address answers MQTT."""

    code = "broker_unreachable"


def probe(
    address: BrokerAddress, *, tls: ssl.SSLContext | None, timeout_s: float = 5.0
) -> Protocol:
    """Return the highest version that the broker at `address` speaks.

    Raises:
        BrokerUnreachableError: no broker answers there.
    """
    if _connack_code(address, tls=tls, timeout_s=timeout_s, level=5) is not None:
        return "5"
    if _connack_code(address, tls=tls, timeout_s=timeout_s, level=4) is not None:
        return "3.1.1"
    raise BrokerUnreachableError(f"{address} accepts connections but does not answer MQTT")


def _connack_code(
    address: BrokerAddress, *, tls: ssl.SSLContext | None, timeout_s: float, level: int
) -> int | None:
    """Connect as a nameless, clean client; return the code of the answer, None if refused."""
    try:
        with socket.create_connection((address.host, address.port), timeout=timeout_s) as plain:
            link = tls.wrap_socket(plain, server_hostname=address.host) if tls else plain
            with link:
                link.settimeout(timeout_s)
                link.sendall(_connect_packet(address, level))
                head = _read(link, _CONNACK_HEAD)
                if head is None or head[0] != _CONNACK or head[3] in _REFUSED_VERSION:
                    return None
                link.sendall(b"\xe0\x00")
                return head[3]
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        raise BrokerUnreachableError(f"TLS with {address} failed: {error}") from None
    except ConnectionRefusedError:
        raise BrokerUnreachableError(f"nothing listens at {address}") from None
    except (ConnectionResetError, BrokenPipeError):
        return None
    except OSError as error:
        raise BrokerUnreachableError(f"{address} cannot be reached: {error}") from None


def _read(link: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            return None
        data += piece
    return data


def _connect_packet(address: BrokerAddress, level: int) -> bytes:
    flags = 0x02
    payload = _text(f"passerelle-probe-{id(address):x}"[:23])
    if address.username is not None:
        flags |= 0x80
        payload += _text(address.username)
        if address.password is not None:
            flags |= 0x40
            payload += _text(address.password)
    properties = b"\x00" if level == 5 else b""  # noqa: PLR2004 - the protocol's own number
    body = _text("MQTT") + bytes((level, flags)) + b"\x00\x0a" + properties + payload
    return b"\x10" + _variable_length(len(body)) + body


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def _variable_length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)
