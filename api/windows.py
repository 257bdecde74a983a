"""Window lengths: parsed, counted, and one proposed when a query would answer too much."""

from __future__ import annotations

import re
from datetime import timedelta
from math import ceil

from api.problems import InvalidParameterError
from core.clock import NS_PER_S
from storage.ports import Every

_EVERY = re.compile(r"(\d{1,9})(s|min|mo|m|h|d|w)", re.ASCII)
_UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 28 * 86_400}
_DAY_S = 86_400
_LONGEST_S = 3660 * _DAY_S
_LADDER = "1s 5s 10s 15s 30s 1min 5min 10min 15min 30min 1h 2h 3h 6h 12h 1d 1w 1mo 3mo 12mo".split()


def parse_every(text: str) -> Every:
    """Return the window length that `text` names: `30s`, `15min` or `15m`, `1h`, `1d`, `1w`, `1mo`.

    Raises:
        InvalidParameterError: it is none, or it is 0 or longer than ten years.
    """
    found = _EVERY.fullmatch(text)
    if found is None:
        shown = repr(text[:40])
        raise InvalidParameterError(
            "every", f"{shown} is not a window length; use one such as 30s, 15min, 1h, 1d, 1w, 1mo"
        )
    unit = "min" if found[2] == "m" else found[2]
    every = Every(count=int(found[1]), unit=unit)
    if not 0 < every.count * _UNIT_S[unit] <= _LONGEST_S:
        raise InvalidParameterError(
            "every", f"{text[:40]!r} must be longer than nothing and at most ten years"
        )
    return every


def every_text(every: Every) -> str:
    """Return the canonical spelling of `every`, such as `15min`."""
    return f"{every.count}{every.unit}"


def window_bound(every: Every, *, start_ns: int, end_ns: int) -> int:
    """Return how many windows overlap the range, at most (a few more than there are)."""
    span_s = ceil((end_ns - start_ns) / NS_PER_S)
    length_s = every.count * _UNIT_S[every.unit]
    if every.unit in {"s", "min", "h"} and _DAY_S % length_s:
        days = ceil(span_s / _DAY_S) + 1
        return days * ceil(timedelta(hours=25) / timedelta(seconds=length_s))
    return ceil(span_s / length_s) + 1


def fitting_every(*, start_ns: int, end_ns: int, series: int, max_points: int) -> str | None:
    """Return the shortest usual window length that answers at most `max_points`, or None."""
    for text in _LADDER:
        if window_bound(parse_every(text), start_ns=start_ns, end_ns=end_ns) * series <= max_points:
            return text
    return None
