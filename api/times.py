"""Instants and zones as people write them in a query, and as an answer shows them.

Every instant is an integer of nanoseconds: nothing goes through a float.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.problems import InvalidParameterError
from core.clock import NS_PER_S

EARLIEST_NS = -(2**63) + 2
LATEST_NS = 2**63 - 2
"""What every telemetry store can hold (InfluxDB keeps the outermost two values for itself)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+ -])(\d\d):(\d\d)))?",
    re.ASCII,
)
_RELATIVE = re.compile(r"(?:now)?(?:([+ -])(\d{1,9})(s|min|m|h|d|w))?", re.ASCII)
_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BLOCK_S = 900
_MANY = 20
_MINUTES_PER_HOUR = 60
_HOURS_PER_DAY = 24
_FORMS = (
    "RFC 3339 such as 2026-11-23T08:00:00Z or 2026-11-23T09:00:00+01:00, a day such as 2026-11-23, "
    "or relative such as now, -24h, -15min, -7d"
)


def parse_instant(text: str, *, parameter: str, now_ns: int, zone: ZoneInfo) -> int:
    """Return the instant that `text` names, in nanoseconds since the epoch.

    Args:
        text: RFC 3339 (up to nine decimals; a `+` that arrived as a space is understood), a day
            (its first instant in `zone`), or relative to now: `now`, `-24h`, `now-7d`; units
            `s`, `m` or `min`, `h`, `d` (24 h), `w`.
        parameter: the parameter's name, for the error.
        now_ns: what relative instants start from.
        zone: in which a day begins.

    Raises:
        InvalidParameterError: it is none of these, or out of what a store can hold.
    """
    relative = _RELATIVE.fullmatch(text) if text else None
    if relative is not None:
        sign, count, unit = relative.groups()
        seconds = int(count or 0) * _UNIT_S[unit or "s"]
        return _bounded(now_ns + (-seconds if sign == "-" else seconds) * NS_PER_S, text, parameter)
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise InvalidParameterError(parameter, f"{_shown(text)} is not an instant; use {_FORMS}")
    year, month, day, hour, minute, second, fraction, zulu, sign, off_h, off_min = found.groups()
    try:
        if hour is None:
            local = datetime(int(year), int(month), int(day), tzinfo=zone)
            return _bounded(_since_epoch_s(local) * NS_PER_S, text, parameter)
        written = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except (ValueError, OverflowError) as error:
        raise InvalidParameterError(
            parameter, f"{_shown(text)} is not in the calendar: {error}"
        ) from None
    offset_s = 0
    if zulu is None:
        if int(off_h) >= _HOURS_PER_DAY or int(off_min) >= _MINUTES_PER_HOUR:
            raise InvalidParameterError(parameter, f"{_shown(text)} has an impossible UTC offset")
        offset_s = (int(off_h) * 3600 + int(off_min) * 60) * (-1 if sign == "-" else 1)
    nanoseconds = int((fraction or "").ljust(9, "0"))
    return _bounded((_since_epoch_s(written) - offset_s) * NS_PER_S + nanoseconds, text, parameter)


def parse_zone(name: str, *, parameter: str = "zone") -> ZoneInfo:
    """Return the IANA time zone called `name`.

    Raises:
        InvalidParameterError: there is none; the sentence names the closest ones.
    """
    if name not in _zone_names():
        close = difflib.get_close_matches(name[:60], _zone_names(), n=2)
        hint = f"did you mean {' or '.join(close)}?" if close else "use one such as Africa/Tunis"
        raise InvalidParameterError(parameter, f"{_shown(name)} is not an IANA time zone; {hint}")
    return ZoneInfo(name)


def in_zone(time_ns: int, zone: ZoneInfo) -> str:
    """Return RFC 3339 text for `time_ns` in `zone`, exact to the nanosecond.

    An offset that is not of whole minutes (local mean time, before the zones) is cut to minutes,
    as RFC 3339 knows no other; the instant stays the same.
    """
    seconds, fraction = divmod(time_ns, NS_PER_S)
    offset_s = _block_offset_s(zone, seconds // _BLOCK_S)
    if offset_s is None:
        offset_s = _offset_s(zone, seconds)
    shown_s = offset_s - offset_s % 60
    day, rest = divmod(seconds + shown_s, 86_400)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return (
        f"{_date_text(day)}T{hour:02d}:{minute:02d}:{second:02d}{_decimals(fraction)}"
        f"{_offset_text(shown_s, utc=zone.key == 'UTC')}"
    )


def all_in_zone(times_ns: Sequence[int], zone: ZoneInfo) -> list[str]:
    """Return what `in_zone` does for each of some instants, several times sooner for many."""
    if len(times_ns) < _MANY or not EARLIEST_NS <= min(times_ns) <= max(times_ns) <= LATEST_NS:
        return [in_zone(time_ns, zone) for time_ns in times_ns]  # a window may begin before all
    seconds, fractions = np.divmod(np.array(times_ns, dtype=np.int64), NS_PER_S)
    shown = shown_offsets(seconds, zone)
    if shown is None:
        return [in_zone(time_ns, zone) for time_ns in times_ns]
    local = (seconds + shown.shifts_s[shown.places]).astype("datetime64[s]")
    texts: list[str] = np.datetime_as_string(local).tolist()
    if not fractions.any() and len(set(shown.texts)) == 1:
        suffix = shown.texts[0]
        return [text + suffix for text in texts]
    return [
        f"{text}{_decimals(fraction)}{shown.texts[place]}"
        for text, fraction, place in zip(
            texts, fractions.tolist(), shown.places.tolist(), strict=True
        )
    ]


class Offsets(msgspec.Struct, frozen=True, eq=False):
    """How far from UTC some instants are shown.

    Attributes:
        places: for each instant, where its offset stands in `shifts_s` and `texts`.
        shifts_s: seconds to add to UTC, whole minutes.
        texts: what is written behind, such as `+01:00` or `Z`; all are of one length.
    """

    places: NDArray[np.int64]
    shifts_s: NDArray[np.int64]
    texts: list[str]


def shown_offsets(seconds: NDArray[np.int64], zone: ZoneInfo) -> Offsets | None:
    """Return the offsets of instants, seconds since the epoch.

    None: clocks change within a quarter of an hour of one of them; each is to be looked at alone.
    """
    blocks, places = np.unique(seconds // _BLOCK_S, return_inverse=True)
    offsets = [_block_offset_s(zone, block) for block in blocks.tolist()]
    utc = zone.key == "UTC"
    shifts = [offset_s - offset_s % 60 for offset_s in offsets if offset_s is not None]
    if len(shifts) < len(offsets):
        return None
    texts = [_offset_text(shift_s, utc=utc) for shift_s in shifts]
    return Offsets(places, np.array(shifts, dtype=np.int64), texts)


def _decimals(fraction_ns: int) -> str:
    """Return a fraction of a second as text: with 3, 6 or 9 digits, or none for 0."""
    if not fraction_ns:
        return ""
    if fraction_ns % 1_000_000 == 0:
        return f".{fraction_ns // 1_000_000:03d}"
    if fraction_ns % 1000 == 0:
        return f".{fraction_ns // 1000:06d}"
    return f".{fraction_ns:09d}"


def _offset_s(zone: ZoneInfo, seconds: int) -> int:
    offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=65_536)
def _block_offset_s(zone: ZoneInfo, block: int) -> int | None:
    """Return the offset that holds for a whole block, or None when clocks change within it."""
    first = _offset_s(zone, block * _BLOCK_S)
    return first if first == _offset_s(zone, (block + 1) * _BLOCK_S - 1) else None


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


@lru_cache(maxsize=256)
def _offset_text(offset_s: int, *, utc: bool) -> str:
    if utc:
        return "Z"
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"{'-' if offset_s < 0 else '+'}{hours:02d}:{minutes:02d}"


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _since_epoch_s(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def _bounded(time_ns: int, text: str, parameter: str) -> int:
    if not EARLIEST_NS <= time_ns <= LATEST_NS:
        raise InvalidParameterError(
            parameter, f"{_shown(text)} is outside 1677-09-21 to 2262-04-11, what a store can hold"
        )
    return time_ns


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")  # noqa: PLR2004 - a line's worth
