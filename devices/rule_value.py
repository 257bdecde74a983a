"""The value part of a rule: sentinels, words, numbers, scale, offset, range, declared unit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from core.errors import UnknownQuantityError, UnknownUnitError
from core.reasons import Reason
from core.units import IDENTITY, conversion
from devices.profile import Combine, ProfileProblem, Rule, Segment
from devices.values import FieldError, number

_NUMBER_TEXT = re.compile(
    r"[-+]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?", re.ASCII
)

_COMBINED: dict[Combine, Callable[[list[float]], float]] = {
    "sum": sum,
    "mean": lambda numbers: sum(numbers) / len(numbers),
    "minimum": min,
    "maximum": max,
    "first": itemgetter(0),
}


class ValueReader:
    """Turns one value of a payload into a number or a boolean.

    Args:
        rule: the rule.
        where: its place in the profile.

    Raises:
        ProfileProblem: its unit is unknown or measures something else, or fields exclude each
            other.
    """

    def __init__(self, rule: Rule, where: tuple[Segment, ...]) -> None:
        if rule.unit is not None and rule.unit_from is not None:
            raise ProfileProblem((*where, "unit"), "give unit or unit_from, not both")
        if rule.range is not None and rule.range[0] > rule.range[1]:
            raise ProfileProblem((*where, "range"), "the smallest value comes first")
        numbers = (rule.scale, rule.offset, *(rule.range or ()))
        if not all(map(math.isfinite, numbers)) or rule.scale == 0:
            raise ProfileProblem(
                (*where, "scale"), "scale, offset and range are finite, scale not 0"
            )
        self._scale, self._offset = rule.scale, rule.offset
        self._range = rule.range
        self._convert = IDENTITY
        if rule.unit is not None:
            try:
                self._convert = conversion(rule.quantity, rule.unit)
            except (UnknownUnitError, UnknownQuantityError) as error:
                raise ProfileProblem((*where, "unit"), error.detail) from None
        self._plain = (self._scale, self._offset) == IDENTITY and self._convert == IDENTITY
        self._plain = self._plain and rule.range is None
        self._words = rule.enum_map
        self._null_numbers = frozenset(x for x in rule.null_values if isinstance(x, float))
        self._null_words = frozenset(x for x in rule.null_values if isinstance(x, str))
        self._from_text = rule.type == "number_text"
        self._boolean = rule.type == "boolean"

    def read(self, value: Any, where: str) -> float | bool | None:
        """Return the value, canonical unless the unit stands in the payload; None when absent.

        Raises:
            FieldError: it is not what the rule expects.
        """
        if type(value) is str:
            if value in self._null_words:
                return None
            value = self._from_word(value)
        elif self._words and type(value) in {bool, int}:
            value = self._words.get(str(value).lower(), value)
        reading = number(value, where)
        if reading is None or reading in self._null_numbers:
            return None
        if type(reading) is bool:
            return reading
        if self._boolean and reading not in {0.0, 1.0}:
            raise FieldError(
                Reason.WRONG_TYPE, f"{where}: true, false, 1 or 0 is needed, not {reading:.6g}"
            )
        return reading if self._plain else self._converted(reading, where)

    def _from_word(self, word: str) -> Any:
        if word in self._words:
            return self._words[word]
        if self._from_text and _NUMBER_TEXT.fullmatch(word.strip()):
            return float(word)
        return word

    def _converted(self, reading: float, where: str) -> float:
        reading = reading * self._scale + self._offset
        if self._range is not None and not self._range[0] <= reading <= self._range[1]:
            low, high = self._range
            raise FieldError(
                Reason.OUT_OF_RANGE, f"{where}: {reading:.6g} is outside {low:.6g} to {high:.6g}"
            )
        return reading * self._convert.scale + self._convert.offset

    def combined(
        self, values: Any, weights: Any, combine: Combine, where: str
    ) -> float | bool | None:
        """Return what the values of several phases or channels make together; None when absent.

        Raises:
            FieldError: one of them is not what the rule expects, or the weights do not fit.
        """
        named = _named(values, where)
        readings = [
            (position, float(reading))
            for position, (place, value) in enumerate(named)
            if (reading := self.read(value, place)) is not None
        ]
        if not readings:
            return None
        if combine == "weighted_mean":
            return _weighted_mean(readings, weights, len(named), where)
        return _COMBINED[combine]([reading for _, reading in readings])


def _named(values: Any, where: str) -> Sequence[tuple[str, Any]]:
    if type(values) is dict:
        return [(f"{where}.{str(key)[:60]}", value) for key, value in values.items()]
    return [(f"{where}[{position}]", value) for position, value in enumerate(values)]


def _weighted_mean(
    readings: Sequence[tuple[int, float]], weights: Any, count: int, where: str
) -> float | None:
    told = list(weights.values()) if type(weights) is dict else weights
    if type(told) is not list or len(told) != count:
        raise FieldError(Reason.WRONG_TYPE, f"{where}: its weights are not as many as its values")
    pairs = [(reading, number(told[position], where) or 0.0) for position, reading in readings]
    total = sum(weight for _, weight in pairs)
    if total == 0:
        return None  # nothing flows: there is nothing to weigh
    return sum(reading * weight for reading, weight in pairs) / total
