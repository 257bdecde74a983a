"""Payload bytes to plain values, at a bounded cost whatever the bytes.

Size and depth are checked before anything is parsed. A JSON document is parsed once by msgspec,
which keeps the last of duplicate keys; whether there were any is told by counting, at the price of
two passes in C, and only then looked for. CBOR is in `devices.cbor`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec

from core.message import DecodeError, Defect
from core.reasons import Reason
from devices.limits import Limits
from devices.values import NO_NUMBER

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_STRINGS = re.compile(_STRING, re.DOTALL)
_TOKENS = re.compile(rb"(?s:(%b))|([A-Za-z]++)|([-+.0-9][-+.0-9eE]*+)" % _STRING)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_BLANKS = b" \t\r\n"
_INTEGER_DIGITS = 4300  # Python's own bound on the length of an integer in text
_MAX_TOLD = 8  # a person needs a few examples, not all

_PLAIN = msgspec.json.Decoder()


def checked(payload: bytes, limits: Limits, *, factor: int = 1) -> bytes:
    """Return `payload` when it is there and not too large.

    Args:
        payload: the bytes.
        limits: the bounds.
        factor: how many times larger it may be, for what is not telemetry.

    Raises:
        DecodeError: PAYLOAD_EMPTY or PAYLOAD_TOO_LARGE.
    """
    if not payload or payload.isspace():
        raise DecodeError(Reason.PAYLOAD_EMPTY, "the payload is empty")
    allowed = limits.max_payload_bytes * factor
    if len(payload) > allowed:
        raise DecodeError(
            Reason.PAYLOAD_TOO_LARGE,
            f"the payload has {len(payload)} bytes; {allowed} are allowed (setting "
            "ingest.max_payload_bytes)",
        )
    return payload


def text(payload: bytes, limits: Limits) -> str:
    """Return the payload as text, stripped.

    Raises:
        DecodeError: empty, too large, or not UTF-8.
    """
    try:
        return checked(payload, limits).decode().strip()
    except UnicodeDecodeError as error:
        raise DecodeError(
            Reason.MALFORMED, f"the payload is not UTF-8 (byte {error.start})"
        ) from None


def read_json(
    payload: bytes,
    limits: Limits,
    *,
    decoder: msgspec.json.Decoder[Any] = _PLAIN,
    factor: int = 1,
) -> Any:
    """Return the JSON document in `payload`.

    Raises:
        DecodeError: empty, too large, too deep, not JSON, or it holds NaN, Infinity or 1e999.
    """
    checked(payload, limits, factor=factor)
    if payload.count(b"{") + payload.count(b"[") > limits.max_depth:
        _check_depth(payload, limits)
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise DecodeError(Reason.MALFORMED, f"the payload is not UTF-8: {error.reason}") from None
    except msgspec.DecodeError as error:
        _explain(payload, error)


def too_deep(limits: Limits) -> DecodeError:
    """Return the error for a payload that nests too deep."""
    return DecodeError(
        Reason.PAYLOAD_TOO_DEEP,
        f"the payload nests deeper than {limits.max_depth} levels (setting ingest.max_depth)",
    )


def _check_depth(payload: bytes, limits: Limits) -> None:
    """Peel the brackets from the inside, one level at a time, without looking into strings."""
    brackets = _STRINGS.sub(b"", payload).translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(limits.max_depth):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if b"[]" in brackets or brackets.count(b"[") > limits.max_depth:
        raise too_deep(limits)  # else it is not balanced, and the parser says where


def _explain(payload: bytes, error: msgspec.DecodeError) -> NoReturn:
    key = ""
    for found in _TOKENS.finditer(payload):
        if found[1] is not None:
            key = found[1][1:-1][:40].decode(errors="replace")
            continue
        word = (found[2] or found[3]).decode()
        if _is_no_number(word):
            raise DecodeError(
                Reason.NOT_A_NUMBER,
                f"{word[:20]} at byte {found.start()}, after {key!r}, is not a number; JSON has "
                "none of NaN and Infinity: leave the field out or send null",
            )
    raise DecodeError(Reason.MALFORMED, f"the payload is not JSON: {error}")


def _is_no_number(word: str) -> bool:
    if word.lower() in NO_NUMBER and word != "null":
        return True
    if len(word) > _INTEGER_DIGITS:
        return True
    try:
        return math.isinf(float(word))
    except ValueError:
        return False


def duplicate_keys(payload: bytes, document: Any) -> list[Defect]:
    """Return one defect for each key that an object of the JSON payload holds twice.

    Every member of an object is written `"key":`; blanks apart, there are at least as many of these
    as members. When there are just as many as the parsed document kept, no key came twice.

    Args:
        payload: JSON that was parsed without an error.
        document: what it was parsed into; a key that came twice is there once.
    """
    if payload.translate(None, _BLANKS).count(b'":') == _members(document):
        return []
    twice: dict[str, None] = {}

    def note(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                twice[name] = None
            seen.add(name)

    json.loads(payload.decode(), object_pairs_hook=note, parse_float=len, parse_int=len)
    return duplicate_defects(list(twice))


def duplicate_defects(names: Sequence[str]) -> list[Defect]:
    """Return the defects for keys that came twice."""
    return [
        Defect(Reason.DUPLICATE_KEY, f"the key {name[:60]!r} came twice; the last one counts")
        for name in names[:_MAX_TOLD]
    ]


def _members(document: Any) -> int:
    total = 0
    pending = [document]
    while pending:
        item = pending.pop()
        if type(item) is dict:
            total += len(item)
            children: Any = item.values()
        elif type(item) is list:
            children = item
        else:
            continue
        pending += [child for child in children if type(child) is dict or type(child) is list]
    return total
