"""The National Early Warning Score (NEWS) 2.

Reproduced from: Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising
the assessment of acute-illness severity in the NHS. Updated report of a working party. London: RCP,
2017: chart 1 (the scoring) and chart 4 (SpO2 scale 2). It is advice to a person who knows the
patient; it is not for people under 16 or in pregnancy.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from alerts.conditions.node import Entry, earliest
from alerts.rules.model import News2

_SINGLE = 3
_Bands = tuple[tuple[float, ...], tuple[int, ...]]
_BANDS: Mapping[str, _Bands] = {
    # the greatest value of each band but the last, and the score of each band
    "respiratory_rate": ((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    "systolic_blood_pressure": ((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    "heart_rate": ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
    "body_temperature": ((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2)),
}
_SPO2_1: _Bands = ((91, 93, 95), (3, 2, 1, 0))
_SPO2_2_AIR: _Bands = ((83, 85, 87), (3, 2, 1, 0))
_SPO2_2_OXYGEN: _Bands = ((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
_OXYGEN, _NOT_ALERT = 2, 3
_TRUE = 0.5
OXYGEN_INPUT, CONSCIOUSNESS_INPUT = "supplemental_oxygen", "consciousness"


def score_of(
    values: Mapping[str, float], *, scale: int, oxygen: bool | None, alert: bool | None
) -> dict[str, int]:
    """Return the score of each parameter that can be scored.

    Values are rounded half up, to whole numbers, the temperature to tenths, as the chart has it.

    Args:
        values: quantity -> value in its canonical unit.
        scale: SpO2 scale, 1 or 2.
        oxygen: whether the person is given oxygen; None: not known (then scale 2 cannot score
            an oxygen saturation above 92 %).
        alert: whether the person is alert; None: not known.
    """
    found = {
        name: _banded(bands, _rounded(values[name], tenths=name == "body_temperature"))
        for name, bands in _BANDS.items()
        if name in values
    }
    if "oxygen_saturation" in values:
        spo2 = _rounded(values["oxygen_saturation"], tenths=False)
        bands = _SPO2_1
        if scale == 2:  # noqa: PLR2004 - its name
            bands = _SPO2_2_OXYGEN if oxygen else _SPO2_2_AIR
        if scale == 1 or oxygen is not None or spo2 <= _SPO2_2_OXYGEN[0][3]:
            found["oxygen_saturation"] = _banded(bands, spo2)
    if oxygen is not None:
        found[OXYGEN_INPUT] = _OXYGEN if oxygen else 0
    if alert is not None:
        found[CONSCIOUSNESS_INPUT] = 0 if alert else _NOT_ALERT
    return found


def _banded(bands: _Bands, value: float) -> int:
    edges, scores = bands
    return scores[bisect_left(edges, value)]


def _rounded(value: float, *, tenths: bool) -> float:
    if tenths:
        return math.floor(round(value * 10, 6) + 0.5) / 10
    return math.floor(value + 0.5)


class News2Node:
    """The score of a person reaches a limit, or one parameter alone scores 3.

    While an input is missing or too old it cannot be said, unless those that are there reach the
    limit already: no input lowers a score. Oxygen and consciousness are what somebody entered; what
    the rule says of them stands for where nobody ever did, not for what was entered too long ago.

    Args:
        said: as it is written.
    """

    timed = True

    def __init__(self, said: News2) -> None:
        self._said = said
        self.quantities: frozenset[str] | None = frozenset(said.max_age_ns)
        self._values: dict[str, tuple[int, float]] = {}

    def take(self, entry: Entry) -> None:
        """Take a value."""
        at_ns, _, name, value = entry
        if name in self._said.max_age_ns:
            self._values[name] = (at_ns, value)

    def holds(self, at_ns: int) -> bool | None:
        """Return whether the limit is reached; None: it is incomplete."""
        scores, missing = self._scores(at_ns)
        said = self._said
        if sum(scores.values()) >= said.minimum:
            return True
        if said.single and _SINGLE in scores.values():
            return True
        return None if missing else False

    def next_ns(self, at_ns: int) -> int | None:
        """Return when the next input becomes too old."""
        ends = [
            taken + self._said.max_age_ns[name] + 1 for name, (taken, _) in self._values.items()
        ]
        return earliest([end for end in ends if end > at_ns])

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return the sum, each parameter's score, and the missing inputs."""
        scores, missing = self._scores(at_ns)
        found: dict[str, str | float] = {"score": sum(scores.values())}
        found |= {f"score_{name}": score for name, score in scores.items()}
        if missing:
            found["missing"] = ", ".join(missing)
        return found

    def save(self) -> Any:
        """Return all state."""
        return tuple(self._values.items())

    def load(self, saved: Any) -> None:
        """Return to a state."""
        self._values = dict(saved)

    def _scores(self, at_ns: int) -> tuple[dict[str, int], list[str]]:
        said = self._said
        fresh = {
            name: value
            for name, (taken_ns, value) in self._values.items()
            if at_ns - taken_ns <= said.max_age_ns[name]
        }
        oxygen, alert = said.oxygen, said.alert
        if OXYGEN_INPUT in self._values:
            given = fresh.get(OXYGEN_INPUT)
            oxygen = None if given is None else given >= _TRUE
        if CONSCIOUSNESS_INPUT in self._values:
            level = fresh.get(CONSCIOUSNESS_INPUT)
            alert = None if level is None else level < _TRUE
        scores = score_of(fresh, scale=said.scale, oxygen=oxygen, alert=alert)
        return scores, [name for name in sorted(said.max_age_ns) if name not in scores]
