"""NEWS2: every edge of both scales, rounding, ages of inputs, and what people enter."""

from __future__ import annotations

from itertools import pairwise

import pytest

from alerts.conditions.news2 import News2Node, score_of
from alerts.conditions.node import Entry
from alerts.rules.model import News2
from tests.unit.alerts.rules import ns, rule

HOUR = 3600
NORMAL = {
    "respiratory_rate": 16.0,
    "oxygen_saturation": 97.0,
    "systolic_blood_pressure": 120.0,
    "heart_rate": 70.0,
    "body_temperature": 37.0,
}
# (quantity, scale, on oxygen): first value and score of each band, charts 1 and 4
BANDS = [
    ("respiratory_rate", 1, False, [(3, 3), (9, 1), (12, 0), (21, 2), (25, 3)]),
    ("oxygen_saturation", 1, False, [(50, 3), (92, 2), (94, 1), (96, 0)]),
    ("oxygen_saturation", 1, True, [(50, 3), (92, 2), (94, 1), (96, 0)]),
    ("oxygen_saturation", 2, False, [(50, 3), (84, 2), (86, 1), (88, 0)]),
    ("oxygen_saturation", 2, True,
     [(50, 3), (84, 2), (86, 1), (88, 0), (93, 1), (95, 2), (97, 3)]),
    ("systolic_blood_pressure", 1, False, [(40, 3), (91, 2), (101, 1), (111, 0), (220, 3)]),
    ("heart_rate", 1, False, [(20, 3), (41, 1), (51, 0), (91, 1), (111, 2), (131, 3)]),
    ("body_temperature", 1, False, [(25, 3), (35.1, 1), (36.1, 0), (38.1, 1), (39.1, 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "scale", "oxygen", "bands"), BANDS)
def test_a_band_begins_and_ends_where_the_chart_says_after_rounding_half_up(
    name: str, *, scale: int, oxygen: bool, bands: list[tuple[float, int]]
) -> None:
    step = 0.1 if name == "body_temperature" else 1.0

    def scored(measured: float) -> int:
        return score_of({name: measured}, scale=scale, oxygen=oxygen, alert=True)[name]

    assert scored(bands[0][0]) == bands[0][1]
    for (_, before), (first, score) in pairwise(bands):
        assert scored(first - step) == before
        assert scored(first - step / 2 - step / 100) == before
        assert scored(first - step / 2) == score
        assert scored(first) == score
    assert scored(bands[-1][0] + 2 * step) == bands[-1][1]


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_everybody_who_is_not_alert_scores_three(level: int) -> None:
    node = _node(oxygen=False)
    _take(node, 0, **NORMAL, consciousness=level)
    assert node.facts(ns(0))["score_consciousness"] == 3
    assert node.holds(ns(0)) is True


def test_oxygen_that_somebody_entered_scores_two_and_chooses_the_column_of_scale_2() -> None:
    node = _node(scale=2)
    _take(node, 0, **NORMAL, consciousness=0, supplemental_oxygen=0)
    assert node.facts(ns(0))["score"] == 0
    _take(node, 1, supplemental_oxygen=1)
    facts = node.facts(ns(1))
    assert (facts["score_supplemental_oxygen"], facts["score_oxygen_saturation"]) == (2, 3)


def test_what_people_enter_counts_before_what_the_rule_says() -> None:
    node = _node(oxygen=True, alert=False)
    _take(node, 0, **NORMAL)
    assert node.facts(ns(0))["score"] == 5
    _take(node, 1, supplemental_oxygen=0, consciousness=0)
    assert node.facts(ns(1))["score"] == 0


def test_what_was_entered_too_long_ago_is_missing_and_the_rule_does_not_stand_for_it() -> None:
    node = _node(oxygen=False, alert=True)
    _take(node, 0, supplemental_oxygen=1, consciousness=0)
    later = 12 * HOUR + 1
    _take(node, later, **NORMAL)
    assert node.holds(ns(later)) is None
    assert node.facts(ns(later))["missing"] == "consciousness, supplemental_oxygen"


def test_without_anybody_s_word_the_missing_are_named() -> None:
    node = _node()
    _take(node, 0, **NORMAL)
    assert node.holds(ns(0)) is None
    assert node.facts(ns(0))["missing"] == "consciousness, supplemental_oxygen"


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        *[(name, 1) for name in ("respiratory_rate", "oxygen_saturation", "heart_rate")],
        *[(name, 12) for name in ("systolic_blood_pressure", "body_temperature")],
        *[(name, 12) for name in ("supplemental_oxygen", "consciousness")],
    ],
)
def test_each_input_may_be_as_old_as_it_may_and_no_older(name: str, hours: int) -> None:
    node = _node()
    everything = NORMAL | {"supplemental_oxygen": 0.0, "consciousness": 0.0}
    _take(node, 0, **{name: everything.pop(name)})
    _take(node, hours * HOUR, **everything)
    assert node.holds(ns(hours * HOUR)) is False
    assert node.next_ns(ns(hours * HOUR)) == ns(hours * HOUR) + 1
    assert node.holds(ns(hours * HOUR) + 1) is None
    assert node.facts(ns(hours * HOUR) + 1)["missing"] == name


def test_a_rule_says_how_old_what_people_enter_may_be() -> None:
    said = rule("{news2: {max_age: {consciousness: 4h}}}", "per: person").when
    assert isinstance(said, News2)
    assert said.max_age_ns["consciousness"] == 4 * HOUR * 10**9
    assert said.max_age_ns["supplemental_oxygen"] == 12 * HOUR * 10**9


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("respiratory_rate", 25), ("oxygen_saturation", 91), ("systolic_blood_pressure", 90),
        ("systolic_blood_pressure", 220), ("heart_rate", 40), ("heart_rate", 131),
        ("body_temperature", 35.0), ("consciousness", 1),
    ],
)  # fmt: skip
def test_one_parameter_that_scores_three_is_enough_unless_the_rule_wants_the_sum(
    name: str, measured: float
) -> None:
    values = NORMAL | {"supplemental_oxygen": 0, "consciousness": 0} | {name: measured}
    for single in (True, False):
        node = _node(single=single)
        _take(node, 0, **values)
        assert node.holds(ns(0)) is single


def _node(
    *, scale: int = 1, oxygen: bool | None = None, alert: bool | None = None, single: bool = True
) -> News2Node:
    ages = rule("{news2: {}}", "per: person").when
    assert isinstance(ages, News2)
    return News2Node(
        News2(max_age_ns=ages.max_age_ns, scale=scale, oxygen=oxygen, alert=alert, single=single)
    )


def _take(node: News2Node, second: float, **values: float) -> None:
    entries: list[Entry] = [(ns(second), "d", name, value) for name, value in values.items()]
    for one in entries:
        node.take(one)
