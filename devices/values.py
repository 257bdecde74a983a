"""One value as a device wrote it: a number, true or false, or the reason why it is neither."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from core.message import Defect
from core.reasons import Reason

MAX_NAME = 64
"""Longest quantity name passed on, characters; the catalogue's are far shorter."""
MAX_UNIT = 40
"""Longest unit passed on, characters."""

NO_NUMBER = frozenset(
    "nan +nan -nan inf +inf -inf infinity +infinity -infinity unavailable unknown none null n/a na "
    "undefined".split()
) | {"", "-", "--"}
"""What devices write where a number should stand and there is none (Home Assistant core#98096)."""


class FieldError(Exception):
    """One field cannot be used; it costs itself, not the message.

    Args:
        reason: the reason.
        detail: one sentence for a person, naming the field.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def defect(self) -> Defect:
        """Return it as it travels with the message."""
        return Defect(self.reason, self.detail)


def number(value: Any, where: str) -> float | bool | None:
    """Return `value` as a number or a boolean; None when it is absent (null).

    Text is never taken for a number here: a profile's rule has to say so (`number_text`).

    Args:
        value: as decoded from the payload.
        where: its place in the payload, for the error.

    Raises:
        FieldError: it is neither.
    """
    kind = type(value)
    if kind is float:
        if math.isfinite(value):
            return value  # type: ignore[no-any-return]
        raise FieldError(Reason.NOT_A_NUMBER, f"{where}: {value} is not a number")
    if kind is int or kind is Decimal:
        return finite(value, where)
    if kind is bool or value is None:
        return value  # type: ignore[no-any-return]
    if kind is str:
        if value.strip().lower() in NO_NUMBER:
            raise FieldError(Reason.NOT_A_NUMBER, f"{where}: the text {value[:40]!r} is no number")
        raise FieldError(
            Reason.WRONG_TYPE, f"{where}: a number is needed, not the text {value[:40]!r}"
        )
    raise FieldError(Reason.WRONG_TYPE, f"{where}: a number is needed, not {named_type(value)}")


def finite(value: float | Decimal, where: str) -> float:
    """Return `value` as a float64.

    Raises:
        FieldError: it is too large for one.
    """
    try:
        converted = float(value)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise FieldError(Reason.NOT_A_NUMBER, f"{where}: too large for a number")
    return converted


def named_type(value: Any) -> str:
    """Return what `value` is, in the words of JSON, for messages to a person."""
    names = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "true or false",
        bytes: "bytes",
    }
    if value is None:
        return "null"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return "a number"
    return names.get(type(value), "something else")
