"""Instants as devices write them, as integers: nanoseconds since 1970-01-01T00:00:00Z.

Decimals are taken as written: 1276020076.001 s never goes through a float64, which holds no more
than 16 digits and would move it by some hundred nanoseconds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from core.clock import NS_PER_S

_MAX_NS = 2**63 - 1  # year 2262: what the stores keep
_MAX_TEXT = 64
_MAX_DIGITS = 20
_SECONDS_PER_DAY = 86_400
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,30}))?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)

NS_PER_UNIT = {"epoch_s": NS_PER_S, "epoch_ms": 1_000_000, "epoch_us": 1000, "epoch_ns": 1}


def decimal(text: str) -> Decimal:
    """Return the number that `text` writes, exactly.

    Raises:
        ValueError: it is not a finite decimal number of reasonable length.
    """
    if len(text) > _MAX_TEXT:
        raise ValueError("too long for an instant")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a decimal number") from None
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def epoch_ns(number: float | Decimal, ns_per_unit: int) -> int:
    """Return the instant that lies `number` units after the epoch.

    A float stands for the shortest decimal that denotes it, as the device's programmer meant it.

    Raises:
        ValueError: not finite, or beyond the years 1678 to 2262.
    """
    if isinstance(number, int):
        return bounded(number * ns_per_unit)
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError("not a finite number")
        number = Decimal(repr(number))
    if not number.is_finite() or number.adjusted() > _MAX_DIGITS:
        raise ValueError("out of range")
    return bounded(int((number * ns_per_unit).to_integral_value()))


def rfc3339_ns(text: str) -> int:
    """Return the instant of RFC 3339 text; the offset from UTC is required.

    Raises:
        ValueError: it is not such text, or has no offset.
    """
    local_ns, offset_ns = _parts(text)
    if offset_ns is None:
        raise ValueError("it has no offset from UTC")
    return bounded(local_ns - offset_ns)


def zoned_ns(text: str, *, zone: ZoneInfo, near_ns: int) -> int:
    """Return the instant of ISO 8601 text; without an offset it is local time in `zone`.

    In the hour that a clock change repeats, local time says two instants: the one nearer to
    `near_ns` is meant. In the hour that a clock change skips, the same rule holds for the two ways
    of reading a clock that was not set forward.

    Args:
        text: such as `2023-08-20T11:09:47`.
        zone: where the device is.
        near_ns: when the message was received.

    Raises:
        ValueError: it is not such text.
    """
    local_ns, offset_ns = _parts(text)
    if offset_ns is None:
        wall = datetime(1970, 1, 1) + timedelta(seconds=local_ns // NS_PER_S)  # noqa: DTZ001 - local
        first, second = (
            _seconds(wall.replace(tzinfo=zone, fold=fold).utcoffset()) for fold in (0, 1)
        )
        candidates = (local_ns - first * NS_PER_S, local_ns - second * NS_PER_S)
        return bounded(min(candidates, key=lambda instant: abs(instant - near_ns)))
    return bounded(local_ns - offset_ns)


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else round(offset.total_seconds())


def _parts(text: str) -> tuple[int, int | None]:
    """Return the wall clock as if it were UTC, and the offset from UTC, in nanoseconds."""
    found = _STAMP.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if found is None:
        raise ValueError("it is not ISO 8601 such as 2026-11-23T05:54:00.123Z")
    date, clock, second, fraction, utc, sign, hours, minutes = found.groups()
    leap = second == "60"  # RFC 3339 allows a leap second
    day = datetime.fromisoformat(f"{date}T{clock}:{'59' if leap else second}")
    seconds = (
        (day.toordinal() - _EPOCH_DAY) * _SECONDS_PER_DAY
        + day.hour * 3600
        + day.minute * 60
        + day.second
        + leap
    )
    local_ns = seconds * NS_PER_S
    if fraction:
        local_ns += int(fraction[:9].ljust(9, "0"))
    if utc:
        return local_ns, 0
    if sign is None:
        return local_ns, None
    if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - hours and minutes of an offset
        raise ValueError("its offset from UTC is not a time")
    offset = (int(hours) * 3600 + int(minutes) * 60) * NS_PER_S
    return local_ns, -offset if sign == "-" else offset


def bounded(instant_ns: int) -> int:
    """Return the instant when the stores can keep it.

    Raises:
        ValueError: it is beyond the years 1678 to 2262.
    """
    if abs(instant_ns) > _MAX_NS:
        raise ValueError("it is beyond the years 1678 to 2262")
    return instant_ns
