"""Payloads that no decoder can make anything of: each costs its own message, and no other."""

from __future__ import annotations

import json
import math
import random
from enum import StrEnum
from typing import Any

import cbor2

OVERSIZE_BYTES = 300 * 1024
DEPTH = 10_000


class Malformation(StrEnum):
    """Ways in which a payload can be beyond repair."""

    TRUNCATED = "truncated"
    """Cut off, as by a device that lost power or had too small a buffer."""
    NAN = "nan"
    """The word NaN, which is not JSON (CBOR, which has a NaN, is cut off instead)."""
    WRONG_ROOT = "wrong_root"
    """Well-formed, but a text where an object or a list has to be."""
    TOO_DEEP = "too_deep"
    """Ten thousand levels of nesting."""
    OVERSIZE = "oversize"
    """A good message, followed by 300 KB of padding."""
    GARBAGE = "garbage"
    """Bytes that are neither UTF-8 nor CBOR."""
    EMPTY = "empty"
    """No bytes at all."""


def malform(
    kind: Malformation, *, document: Any, payload: bytes, marker: str, rng: random.Random
) -> bytes:
    """Return what becomes of a good message.

    Args:
        kind: what is to be wrong.
        document: the message as plain data.
        payload: the same, encoded.
        marker: a text unlike that of any other message, so that no two are the same.
        rng: where cuts and bytes come from.
    """
    is_json = payload[:1] in {b"{", b"["}
    match kind:
        case Malformation.NAN if is_json:
            spoilt = json.dumps(_with_nan(document)[0], separators=(",", ":")).encode()
        case Malformation.TRUNCATED | Malformation.NAN:
            spoilt = payload[: rng.randrange(len(payload) // 3, len(payload) - 1)]
        case Malformation.WRONG_ROOT:
            text = f"not a measurement {marker}"
            spoilt = json.dumps(text).encode() if is_json else cbor2.dumps(text)
        case Malformation.TOO_DEEP if is_json:
            spoilt = b"[" * DEPTH + json.dumps(marker).encode() + b"]" * DEPTH
        case Malformation.TOO_DEEP:
            spoilt = b"\x81" * DEPTH + cbor2.dumps(marker)
        case Malformation.OVERSIZE:
            spoilt = payload + (b" " if is_json else b"\x00") * OVERSIZE_BYTES
        case Malformation.GARBAGE:
            spoilt = b"\xff" + rng.randbytes(rng.randint(8, 120)) + b"\xff"
        case Malformation.EMPTY:
            spoilt = b""
    return spoilt


def _with_nan(document: Any) -> tuple[Any, bool]:
    """Return `document` with its first float replaced, and whether there was one."""
    if isinstance(document, float):
        return math.nan, True
    found = False
    if isinstance(document, dict):
        copy = {}
        for key, value in document.items():
            # base and device times stay: the fault is in a value
            copy[key], hit = (value, False) if found or key in {"bt", "t"} else _with_nan(value)
            found = found or hit
        if not found and "NaN" not in copy:
            copy["NaN"] = math.nan
            found = True
        return copy, found
    if isinstance(document, list):
        items = list(document)
        for index, value in enumerate(items):
            items[index], found = _with_nan(value)
            if found:
                break
        return items, found
    return document, False
