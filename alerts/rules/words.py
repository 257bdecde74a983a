"""A condition in the words of people, in English and in French.

The words say what is judged, not how it is written: limits in the canonical unit of their quantity,
durations and times as people write them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any as Anything
from typing import Literal

from alerts.rules.conditions import DAYS
from alerts.rules.looks_at import BATTERY
from alerts.rules.model import (
    Absence,
    All,
    Any,
    Battery,
    Completeness,
    Condition,
    Count,
    News2,
    Not,
    Rate,
    Recently,
    Season,
    Seasonal,
    Threshold,
    TimeOfDay,
)
from core.clock import NS_PER_S
from core.quantities import CATALOGUE

Language = Literal["en", "fr"]

_UNITS = {
    "Cel": "°C", "K": "K", "1": "", "deg": "°", "mm[Hg]": "mmHg", "[ppm]": "ppm", "[ppb]": "ppb",
    "ug/m3": "µg/m³", "W/m2": "W/m²", "m3": "m³", "{steps}": "",
}  # fmt: skip
_DAYS_FR = ("lun", "mar", "mer", "jeu", "ven", "sam", "dim")
_PARTS: tuple[tuple[int, str, str], ...] = (
    (86_400, "d", "j"),
    (3600, "h", "h"),
    (60, "min", "min"),
    (1, "s", "s"),
)


def in_words(one: Condition, language: Language) -> str:
    """Return what a condition says, as a phrase without a capital letter or a full stop."""
    said: str = _WORDS[type(one)](one, language)
    return said


def duration_in_words(duration_ns: int, language: Language) -> str:
    """Return a duration such as `1 h 30 min`."""
    left = duration_ns // NS_PER_S
    if not left:
        return f"{_number(duration_ns / NS_PER_S, language)} s"
    said = []
    for seconds, english, french in _PARTS:
        count, left = divmod(left, seconds)
        if count:
            said.append(f"{count} {english if language == 'en' else french}")
    return " ".join(said)


def quantity_in_words(name: str, language: Language) -> str:
    """Return what a quantity measures; "" is that of the series."""
    if not name:
        return "the value" if language == "en" else "la valeur"
    entry = CATALOGUE.get(name)
    if entry is None:
        return name
    said = entry.description if language == "en" else entry.description_fr
    return said if said[1:2].isupper() else said[0].lower() + said[1:]


def value_in_words(value: float, quantity: str, language: Language) -> str:
    """Return a value of a quantity with its unit."""
    unit = CATALOGUE[quantity].unit if quantity in CATALOGUE else ""
    return f"{_number(value, language)} {_UNITS.get(unit, unit)}".rstrip()


def _number(value: float, language: Language) -> str:
    said = f"{value:.10g}"
    return said if language == "en" else said.replace(".", ",")


def _at(device: str, language: Language) -> str:
    if not device:
        return ""
    return f" at {device}" if language == "en" else f" sur {device}"


def _threshold(one: Threshold, language: Language) -> str:
    english = language == "en"
    words = ("above", "below", " or ") if english else ("au-dessus de", "en dessous de", " ou ")
    beyond = words[2].join(
        f"{word} {value_in_words(value, one.quantity, language)}"
        for word, value in zip(words, (one.above, one.below), strict=False)
        if value is not None
    )
    margin = ""
    if one.margin:
        by = value_in_words(one.margin, one.quantity, language)
        margin = f", until it is back inside by {by}"
        if not english:
            margin = f", jusqu'au retour à l'intérieur d'au moins {by}"
    name = quantity_in_words(one.quantity, language)
    return f"{name}{_at(one.device, language)} {beyond}{margin}"


def _rate(one: Rate, language: Language) -> str:
    english = language == "en"
    said = []
    if one.above is not None:
        by = value_in_words(one.above, one.quantity, language)
        said.append(f"rising by more than {by}" if english else f"en hausse de plus de {by}")
    if one.below is not None:
        by = value_in_words(abs(one.below), one.quantity, language)
        said.append(f"falling by more than {by}" if english else f"en baisse de plus de {by}")
    over = duration_in_words(one.over_ns, language)
    within = f"within {over}" if english else f"en {over}"
    either = " or " if english else " ou "
    name = quantity_in_words(one.quantity, language)
    return f"{name}{_at(one.device, language)} {either.join(said)} {within}"


def _absence(one: Absence, language: Language) -> str:
    english = language == "en"
    of = ""
    if one.quantity:
        name = quantity_in_words(one.quantity, language)
        of = f" of {name}" if english else f" ({name})"
    if one.after_ns is not None:
        time = duration_in_words(one.after_ns, language)
    else:
        times = _number(one.intervals, language)
        time = f"{times} times its interval" if english else f"{times} fois son intervalle"
    place = _at(one.device, language)
    if english:
        return f"nothing{of} received{place} for {time}"
    return f"rien{of} reçu{place} pendant {time}"


def _seasonal(one: Seasonal, language: Language) -> str:
    english = language == "en"
    place, name = _at(one.device, language), quantity_in_words(one.quantity, language)
    times = _number(one.deviations, language)
    week = one.season is Season.WEEK
    either = one.above and one.below
    if english:
        side = "" if either else " above" if one.above else " below"
        season = "hour of the week" if week else "time of day"
        away = f"more than {times} spreads{side or ' away from'} what is usual"
        said = f"{name}{place} {away} at this {season}"
    else:
        side = "" if either else " au-dessus" if one.above else " en dessous"
        season = "cette heure de la semaine" if week else "cette heure du jour"
        said = f"{name}{place} à plus de {times} écarts{side} de l'habituel à {season}"
    if not one.minimum:
        return said
    least = value_in_words(one.minimum, one.quantity, language)
    return f"{said}, and by {least} at least" if english else f"{said}, et d'au moins {least}"


def _time_of_day(one: TimeOfDay, language: Language) -> str:
    start, end = (f"{at // 60:02d}:{at % 60:02d}" for at in (one.start_min, one.end_min))
    said = f"between {start} and {end}" if language == "en" else f"entre {start} et {end}"
    if len(one.days) == len(DAYS):
        return said
    names = DAYS if language == "en" else _DAYS_FR
    return f"{said} ({', '.join(names[day] for day in sorted(one.days))})"


def _battery(one: Battery, language: Language) -> str:
    empty = value_in_words(one.empty, BATTERY, language)
    within = _number(one.within_days, language)
    place = _at(one.device, language)
    if language == "en":
        return f"battery{place} at {empty} within {within} days, by its trend"
    return f"batterie{place} à {empty} d'ici {within} jours, selon sa tendance"


def _completeness(one: Completeness, language: Language) -> str:
    share = f"{_number(100 * one.below, language)} %"
    if language == "en":
        return f"less than {share} of the messages received in {one.hours} h"
    return f"moins de {share} des messages reçus en {one.hours} h"


def _news2(one: News2, language: Language) -> str:
    if language == "en":
        single = ", or 3 for one parameter alone" if one.single else ""
        return f"NEWS2 score of at least {one.minimum} (SpO2 scale {one.scale}){single}"
    single = ", ou 3 pour un seul paramètre" if one.single else ""
    return f"score NEWS2 d'au moins {one.minimum} (échelle SpO2 {one.scale}){single}"


def _all(one: All, language: Language) -> str:
    return _joined(one.parts, " and " if language == "en" else " et ", language)


def _any(one: Any, language: Language) -> str:
    return _joined(one.parts, " or " if language == "en" else " ou ", language)


def _not(one: Not, language: Language) -> str:
    return f"{'not' if language == 'en' else 'pas'} ({in_words(one.part, language)})"


def _recently(one: Recently, language: Language) -> str:
    within = duration_in_words(one.within_ns, language)
    part = in_words(one.part, language)
    if language == "en":
        return f"({part}), now or within the last {within}"
    return f"({part}), à présent ou depuis moins de {within}"


def _count(one: Count, language: Language) -> str:
    part = in_words(one.part, language)
    english = language == "en"
    if one.share is not None:
        share = f"{_number(100 * one.share, language)} %"
        many = f"at least {share} of the devices" if english else f"au moins {share} des appareils"
    else:
        many = (
            f"at least {one.at_least} devices" if english else f"au moins {one.at_least} appareils"
        )
    return f"({part}) for {many}" if english else f"({part}) pour {many}"


def _joined(parts: tuple[Condition, ...], word: str, language: Language) -> str:
    if len(parts) == 1:
        return in_words(parts[0], language)
    return word.join(f"({in_words(part, language)})" for part in parts)


_WORDS: Mapping[type, Callable[[Anything, Language], str]] = {
    Threshold: _threshold,
    Rate: _rate,
    Absence: _absence,
    Seasonal: _seasonal,
    TimeOfDay: _time_of_day,
    Battery: _battery,
    Completeness: _completeness,
    News2: _news2,
    All: _all,
    Any: _any,
    Not: _not,
    Recently: _recently,
    Count: _count,
}
"""How each kind of condition is said; a test asks for every kind."""
