"""Cursors: where a page ended, opaque to the caller, refused when it belongs to another query.

A cursor carries no right: it says where to go on within a query that the caller may ask anyway.
So it is checked (form, types, the query it was made for) and not signed, and every API process
understands every other's (`docs/decisions/0042-cursors.md`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from api.problems import InvalidParameterError

_FINGERPRINT_BYTES = 8
_LONGEST = 2000

T = TypeVar("T")


def encode_cursor(position: object, *, query: Iterable[object]) -> str:
    """Return the cursor for `position` (a msgspec structure or a tuple) in the page of `query`."""
    raw = _fingerprint(query) + msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(text: str, kind: type[T], *, query: Iterable[object]) -> T:
    """Return the position that `encode_cursor` was given.

    Args:
        text: as the caller sent it.
        kind: type of the position.
        query: what else the caller asked for; it must be what the first page asked for.

    Raises:
        InvalidParameterError: it is not a cursor, it belongs to another query, or a text
            in it holds NUL.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError  # noqa: TRY301 - the same refusal as for any other nonsense
        raw = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        position = msgspec.msgpack.decode(raw[_FINGERPRINT_BYTES:], type=kind)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise InvalidParameterError(
            "cursor", "is not a cursor of this API; follow `next` as it was given"
        ) from None
    if _holds_nul(msgspec.to_builtins(position)):
        raise InvalidParameterError("cursor", "says something impossible; start without a cursor")
    if raw[:_FINGERPRINT_BYTES] != _fingerprint(query):
        raise InvalidParameterError(
            "cursor", "belongs to a query with other parameters; start without a cursor"
        )
    return position


def _holds_nul(value: object) -> bool:
    """Tell whether a text in `value` holds NUL, which databases refuse as our mistake."""
    if isinstance(value, dict):
        return any(_holds_nul(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_nul(part) for part in value)
    return isinstance(value, str) and "\0" in value


def _fingerprint(query: Iterable[object]) -> bytes:
    text = "\x1f".join(repr(part) for part in query)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_FINGERPRINT_BYTES).digest()
