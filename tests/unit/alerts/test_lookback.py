"""How far back a rule has to be judged: as far as its condition remembers, and its durations."""

from __future__ import annotations

import pytest

from alerts.rules.lookback import lookback_ns
from core.clock import NS_PER_S
from tests.unit.alerts.rules import rule

HOUR = 3600
DAY = 24 * HOUR
HOT = "{threshold: {quantity: air_temperature, above: 28}}"


@pytest.mark.parametrize(
    ("when", "more", "seconds"),
    [
        (HOT, (), 60),
        (HOT, ("for: 5m", "clear_for: 2m"), 60 + 300 + 120),
        (HOT, ("lateness: 1h",), 60 - 600 + HOUR),
        ("{rate: {quantity: water_level, over: 15m, above: 0.2}}", (), 900),
        ("{absence: {after: 2h}}", (), 2 * HOUR),
        ("{absence: {intervals: 5}}", (), 300),
        ("{seasonal: {quantity: air_temperature}}", (), 15 * DAY),
        ("{seasonal: {quantity: air_temperature, season: week}}", (), 49 * DAY),
        ("{battery: {within: 14d}}", (), 31 * DAY),
        ("{completeness: {below: 95 %, over: 6h}}", (), 6 * HOUR),
        ("{news2: {max_age: {body_temperature: 1d}}}", ("per: person",), DAY),
        ("{time_of_day: {from: '20:00', to: '06:00'}}", (), 60),
        (f"{{recently: {{when: {HOT}, within: 5m}}}}", (), 360),
        (f"{{count: {{of: {HOT}, at_least: 2}}}}", ("per: zone",), 60),
        (f"{{all: [{{not: {HOT}}}, {{absence: {{after: 3h}}}}]}}", (), 3 * HOUR),
    ],
)
def test_a_rule_reaches_as_far_back_as_its_condition_remembers(
    when: str, more: tuple[str, ...], seconds: int
) -> None:
    lateness = 600
    assert lookback_ns(rule(when, *more), interval_s=60) == (seconds + lateness) * NS_PER_S


def test_a_device_whose_interval_is_not_known_is_taken_to_publish_every_hour() -> None:
    assert lookback_ns(rule(HOT)) == (HOUR + 600) * NS_PER_S


def test_an_override_may_reach_further_back() -> None:
    override = (
        "overrides: [{device: a, when: {absence: {after: 2d}}, author: x, reason: y, "
        "expires: 2027-06-30}]"
    )
    assert lookback_ns(rule(HOT, override), interval_s=60) == (2 * DAY + 600) * NS_PER_S
