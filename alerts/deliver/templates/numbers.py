"""Numbers with their units and durations, as people of either language write them.

The dashboard writes them in the same way (`api/dashboard/script/numbers.js`).
"""

from __future__ import annotations

from alerts.deliver.templates.words import say

NARROW_SPACE = "\u202f"
_MARKS = {"en": (",", "."), "fr": (NARROW_SPACE, ",")}
_WRITTEN = {
    "1": "",
    "Cel": "°C",
    "K": "K",
    "deg": "°",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
    "[pH]": "pH",
    "[NTU]": "NTU",
    "mm[Hg]": "mmHg",
    "dB[mW]": "dBm",
    "kW.h": "kWh",
    "ug/m3": "µg/m³",
    "Bq/m3": "Bq/m³",
    "W/m2": "W/m²",
    "uS/cm": "µS/cm",
    "m3": "m³",
}
_PARTS_S = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_MOST_DIGITS = 6


def number(value: float, language: str, *, apart_from: float | None = None) -> str:
    """Return a number with as many decimals as are of use.

    Args:
        value: the number.
        language: `en` or `fr`.
        apart_from: another number, from which it has to look different when it is.
    """
    digits = _digits(value)
    if apart_from is not None and value != apart_from:
        there = _plain(apart_from, _digits(apart_from))
        while _same(_plain(value, digits), there) and digits < _MOST_DIGITS:
            digits += 1
    group, point = _MARKS[language]
    return _plain(value, digits).replace(",", "\0").replace(".", point).replace("\0", group)


def quantity_text(
    value: float, unit: str, language: str, *, apart_from: float | None = None
) -> str:
    """Return a value with its unit: `29.4 °C`, `29,4 °C`.

    Args:
        value: in `unit`.
        unit: UCUM code.
        language: `en` or `fr`.
        apart_from: see `number`.
    """
    if unit == "s":
        return duration(value, language)
    written = number(value, language, apart_from=apart_from)
    name = unit_text(unit, language)
    return f"{written}{NARROW_SPACE}{name}" if name else written


def unit_text(unit: str, language: str) -> str:
    """Return a UCUM code as people write it; "" for a pure number."""
    if unit.startswith("{") and unit.endswith("}"):
        return say(f"unit.{unit[1:-1]}", language, otherwise=unit[1:-1])
    return _WRITTEN.get(unit, unit)


def duration(seconds: float, language: str) -> str:
    """Return a duration in its two greatest parts: `2 h 5 min`; `2 j 3 h` in French."""
    left = round(abs(seconds))
    said: list[str] = []
    for name, size in _PARTS_S:
        count, left = divmod(left, size)
        if count or (name == "s" and not said):
            said.append(f"{count}{NARROW_SPACE}{say(f'part.{name}', language)}")
        elif said:
            break
    return " ".join(said[:2])


def _digits(value: float) -> int:
    size = abs(value)
    if value == int(value) or size >= 10_000:  # noqa: PLR2004 - decimals are of no use there
        return 0
    return 1 if size >= 10 else 2 if size >= 1 else 3  # noqa: PLR2004 - three digits in all


def _plain(value: float, digits: int) -> str:
    written = f"{value:,.{digits}f}"
    least = 1 if abs(value) >= 1 and digits else 0
    while digits > least and written.endswith("0"):
        written, digits = written[:-1], digits - 1
    written = written.rstrip(".")
    return "0" if written in ("-0", "-0.0") else written


def _same(one: str, other: str) -> bool:
    return float(one.replace(",", "")) == float(other.replace(",", ""))
