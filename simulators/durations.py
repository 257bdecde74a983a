"""Lengths of time and speeds as people write them: `500ms`, `90s`, `10m`, `2h`, `1d`; `60x`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

_UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_UNITS["d"] = Decimal(86_400)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?")


def parse_duration(text: str | float) -> float:
    """Return the seconds in `text`: parts such as `1h30m`; a bare number is seconds.

    Raises:
        ValueError: it is not a length of time.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        if math.isfinite(text) and text >= 0:
            return float(text)
        raise ValueError(f"{text!r} is not a length of time")
    compact = str(text).replace(" ", "")
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        return float(compact)
    if not compact or _DURATION.sub("", compact):
        raise ValueError(f"{text!r} is not a length of time such as 500ms, 90s, 10m, 2h or 1d")
    return float(sum(Decimal(n) * _UNITS[unit] for n, unit in _DURATION.findall(compact)))


def parse_speed(text: str | float) -> float:
    """Return the speed factor in `text`: `60x`, `60`, `0.5x`, or `max` (as fast as it goes).

    Raises:
        ValueError: it is not a speed.
    """
    compact = str(text).strip().lower()
    if compact in {"max", "inf"}:
        return math.inf
    found = _SPEED.fullmatch(compact)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"{text!r} is not a speed such as 60x, 1x or max")
    return float(found[1])
