"""Recordings of MQTT traffic: JSON lines, one message a line, as `capture` writes them.

    {"time":"2026-11-23T05:54:00.123Z","topic":"a/b","payload":"21.5","qos":1,"retain":false}

`payload` is text; bytes that are not UTF-8 stand in `payload_base64` instead. `time` is RFC 3339 or
seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from core.clock import NS_PER_S, iso
from core.errors import ConfigurationError
from simulators.bad_row import BadRow


class Recorded(msgspec.Struct, frozen=True):
    """One recorded message.

    Attributes:
        line: number of the line, from 1.
        time_ns: when it was recorded, nanoseconds since the epoch.
        topic: where it was published.
        payload: what.
        qos: quality of service.
        retain: whether it was retained.
    """

    line: int
    time_ns: int
    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    time: str | float
    topic: str
    payload: str | None = None
    payload_base64: str | None = None
    qos: Literal[0, 1, 2] = 1
    retain: bool = False


_decoder = msgspec.json.Decoder(_Line)
_encoder = msgspec.json.Encoder()


def read_recording(path: Path) -> Iterator[Recorded | BadRow]:
    """Yield the messages of `path` one by one; a line that cannot be used as a `BadRow`.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    try:
                        yield _recorded(line, number)
                    except (ValueError, msgspec.DecodeError) as error:
                        yield BadRow(line=number, why=str(error))
    except OSError as error:
        raise ConfigurationError(f"recording {str(path)!r}: {error.strerror}") from None


def write_recorded(file: IO[bytes], message: Recorded) -> None:
    """Append `message` to `file` as one line."""
    line = _Line(
        time=iso(message.time_ns), topic=message.topic, qos=_qos(message.qos), retain=message.retain
    )
    try:
        line.payload = message.payload.decode()
    except UnicodeDecodeError:
        line.payload_base64 = base64.b64encode(message.payload).decode()
    file.write(_encoder.encode(line) + b"\n")


def _recorded(line: bytes, number: int) -> Recorded:
    told = _decoder.decode(line)
    if (told.payload is None) == (told.payload_base64 is None):
        raise ValueError("needs either payload or payload_base64")
    if told.payload is not None:
        payload = told.payload.encode()
    else:
        try:
            payload = base64.b64decode(told.payload_base64 or "", validate=True)
        except binascii.Error as error:
            raise ValueError(f"payload_base64: {error}") from None
    if not told.topic or any(sign in told.topic for sign in "+#\x00"):
        raise ValueError(f"topic {told.topic[:80]!r} cannot be published to")
    return Recorded(
        line=number,
        time_ns=_instant(told.time),
        topic=told.topic,
        payload=payload,
        qos=told.qos,
        retain=told.retain,
    )


def _instant(time: str | float) -> int:
    if isinstance(time, str):
        instant = datetime.fromisoformat(time)
        if instant.tzinfo is None:
            raise ValueError(f"time {time!r} has no zone: end it with Z or +01:00")
        whole = round(instant.replace(microsecond=0).timestamp())
        return whole * NS_PER_S + instant.microsecond * 1000
    return round(time * 1_000_000) * 1000


def _qos(number: int) -> Literal[0, 1, 2]:
    return 0 if number == 0 else 1 if number == 1 else 2
