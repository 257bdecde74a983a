"""The usual message of Passerelle's JSON, read at a tenth of the price of the general reader.

`{"seq": 12, "boot": 3, "t": "2026-11-23T05:54:00.123Z", "v": {"air_temperature": 21.4}}`: known
fields only, none of them twice, an instant in RFC 3339 or as `t_ms` or `t_ns`, every value a plain
number inside its bounds. The JSON decoder itself checks all that, against a type made for the
quantities that a device sends. Anything else is left to `devices.formats.passerelle`, which also
says what is wrong with it; a test holds the two to the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from devices.formats import Flat, FlatReader
from devices.instants import NS_PER_UNIT, bounded, rfc3339_ns
from devices.limits import Limits

_DEPTH = 2
_MAX_CACHED = 100_000
_SECOND_CHARS = len("2026-11-23T05:54:00")
_NS_PER_MS = NS_PER_UNIT["epoch_ms"]
_Counter = Annotated[int, Meta(ge=0, le=2**63 - 1)] | None


class _Message(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What surrounds the values."""

    seq: _Counter = None
    boot: _Counter = None
    t: str | None = None
    t_ms: int | None = None
    t_ns: int | None = None
    sim: bool | None = None


class _AnyValues(_Message, gc=False, forbid_unknown_fields=True):
    v: dict[str, float] = {}


class _Seconds(dict[str, int]):
    """Text up to the seconds -> nanoseconds since the epoch, were it UTC."""

    def __missing__(self, text: str) -> int:
        return _kept(self, text, rfc3339_ns(f"{text}Z"))


class _Tails(dict[str, int]):
    """Fraction and offset -> nanoseconds to add."""

    def __missing__(self, text: str) -> int:
        return _kept(self, text, rfc3339_ns(f"1970-01-01T00:00:00{text}"))


class FlatJson:
    """Reads usual messages; see `devices.formats.FlatFormat`.

    Args:
        limits: bounds of a payload.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._any = msgspec.json.Decoder(_AnyValues)
        self._seconds = _Seconds()
        self._tails = _Tails()

    def names(self, payload: bytes) -> tuple[str, ...] | None:
        """Return the quantities of a message that may be usual, in its order, else None."""
        if len(payload) > self._limits.max_payload_bytes or self._limits.max_depth < _DEPTH:
            return None
        try:
            names = tuple(self._any.decode(payload).v)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        return names if 0 < len(names) <= self._limits.max_readings else None

    def reader(self, bounds: Mapping[str, tuple[float, float]]) -> FlatReader:
        """Make the reader of messages with just these quantities.

        Args:
            bounds: least and greatest value of each, in its canonical unit.
        """
        fields = [
            (name, Annotated[float, Meta(ge=low, le=high)]) for name, (low, high) in bounds.items()
        ]
        values: type[msgspec.Struct] = msgspec.defstruct(
            "Values", fields, forbid_unknown_fields=True, gc=False
        )
        message: Any = msgspec.defstruct(
            "Message", [("v", values)], bases=(_Message,), kw_only=True
        )
        decode = msgspec.json.Decoder(message).decode
        seconds, tails = self._seconds, self._tails
        max_bytes = self._limits.max_payload_bytes
        keys = 1 + len(fields)

        def read(payload: bytes) -> Flat | None:
            at: int | None
            if len(payload) > max_bytes or b"\\" in payload:
                return None
            try:
                found = decode(payload)
                text = found.t
                # One colon follows each key. As no text here is escaped, the only others are those
                # of `t`; when there are just as many as keys were found, none of them came twice.
                colons = keys
                if text is not None:
                    tail = text[_SECOND_CHARS:]
                    at = seconds[text[:_SECOND_CHARS]] + tails[tail]
                    colons += 3 + (":" in tail)
                else:
                    at, told = _whole_instant(found)
                    colons += told
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                return None
            seq, boot, simulated = found.seq, found.boot, found.sim
            if seq is not None:
                colons += 1
            if boot is not None:
                colons += 1
            if simulated is not None:
                colons += 1
            if payload.count(b":") != colons:
                return None
            return found.v, at, seq, boot, simulated is True

        return read


def _whole_instant(message: _Message) -> tuple[int | None, int]:
    """Return the instant told by `t_ms` or `t_ns`, and how many keys tell it."""
    if message.t_ms is not None:
        return bounded(message.t_ms * _NS_PER_MS), 1
    if message.t_ns is not None:
        return bounded(message.t_ns), 1
    return None, 0


def _kept(cache: dict[str, int], text: str, value: int) -> int:
    if len(cache) >= _MAX_CACHED:
        cache.clear()
    cache[text] = value
    return value
