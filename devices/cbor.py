"""CBOR bytes (RFC 8949) to plain values, at a bounded cost whatever the bytes.

cbor2 bounds the depth, and never allocates by a declared length. What tags can do beyond (shared
references that make cycles, big numbers, regular expressions) is shut off here.
"""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any, NoReturn

import cbor2

from core.message import DecodeError, Defect
from core.reasons import Reason
from devices.limits import Limits
from devices.payload import checked, duplicate_defects, too_deep

_MAX_EXPONENT = 40  # of a decimal fraction: far beyond any instant or measurement
_DUPLICATE = "Duplicate map key: "


def read_cbor(payload: bytes, limits: Limits) -> tuple[Any, list[Defect]]:
    """Return the CBOR item in `payload`, and a defect when a key came twice (the last one counts).

    Of the tags only dates (0, 1, returned as their text or number) and decimal fractions (4) are
    read; any other is refused, and so are bytes after the item.

    Raises:
        DecodeError: empty, too large, too deep, or not CBOR.
    """
    if not payload:
        raise DecodeError(Reason.PAYLOAD_EMPTY, "the payload is empty")
    if len(payload) > limits.max_payload_bytes:
        checked(payload, limits)
    try:
        return _decode(payload, limits, twice=False), []
    except cbor2.CBORError as error:
        if _DUPLICATE not in str(error):
            raise _explained(error, limits) from None
        name = str(error).partition(_DUPLICATE)[2].strip("'")
    try:
        return _decode(payload, limits, twice=True), duplicate_defects([name])
    except cbor2.CBORError as error:
        raise _explained(error, limits) from None


def _decode(payload: bytes, limits: Limits, *, twice: bool) -> Any:
    stream = io.BytesIO(payload)
    item = cbor2.CBORDecoder(
        stream,
        tag_hook=_refuse,
        semantic_decoders=_TAGS,
        max_depth=limits.max_depth,
        allow_duplicate_keys=twice,
    ).decode()
    rest = len(payload) - stream.tell()
    if rest:
        raise DecodeError(Reason.MALFORMED, f"{rest} bytes follow the CBOR item")
    return item


def _explained(error: cbor2.CBORError, limits: Limits) -> DecodeError:
    if "maximum container nesting depth" in str(error):
        return too_deep(limits)
    cause = f" ({error.__cause__})" if error.__cause__ else ""
    return DecodeError(Reason.MALFORMED, f"the payload is not CBOR: {error}{cause}"[:300])


def _refuse(_value: Any, _immutable: bool) -> NoReturn:  # noqa: FBT001 - cbor2's signature
    raise ValueError("only the tags 0, 1 and 4 are read")


def _as_is(value: Any, _immutable: bool) -> Any:  # noqa: FBT001 - cbor2's signature
    return value


def _decimal_fraction(value: Any, _immutable: bool) -> Decimal:  # noqa: FBT001 - cbor2's signature
    match value:
        case [int(exponent), int(mantissa)] if abs(exponent) <= _MAX_EXPONENT:
            return Decimal(mantissa).scaleb(exponent)
    raise ValueError("not a decimal fraction of reasonable size")


_READ_BY_CBOR2 = (2, 3, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000)
_TAGS = dict.fromkeys(_READ_BY_CBOR2, _refuse) | {
    0: _as_is,
    1: _as_is,
    4: _decimal_fraction,
    55799: _as_is,
}
