"""What comes in one portion or late, over a time much longer than the memory of a watch."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluate.engine import Engine
from alerts.model import State, Verdict
from core.clock import NS_PER_S
from tests.unit.alerts.rules import engine, ns, rule, value

HOT = "{threshold: {quantity: air_temperature, above: 28}}"


def test_a_portion_longer_than_lateness_tells_every_alarm_in_it() -> None:
    tested = engine(rule(HOT))
    hours = [value(hour * 3600, 30 if hour % 12 == 0 else 20) for hour in range(48)]
    found = tested.take(hours, seen_ns=ns(48 * 3600)).verdicts
    firing = [one for one in found if one.state is State.FIRING]
    assert [(one.at_ns, one.until_ns) for one in firing] == [
        (ns(hour * 3600), ns(hour * 3600 + 3600)) for hour in range(0, 48, 12)
    ]


@pytest.mark.parametrize(
    "more", [(), ("for: 90s",), ("clear_for: 4m",), ("for: 2m", "clear_for: 3m")]
)
@given(seed=st.integers(0, 2**32), portion=st.integers(1, 60))
def test_late_values_over_a_long_time_come_to_the_same_alarms_as_the_right_order(
    more: tuple[str, ...], seed: int, portion: int
) -> None:
    chance = random.Random(seed)
    said = rule(HOT, "lateness: 10m", *more)
    values = [value(minute * 60, chance.choice((20, 20, 30))) for minute in range(240)]
    mixed = sorted(values, key=lambda one: one.time_ns + chance.randrange(540) * NS_PER_S)
    straight, crooked = engine(said), engine(said)
    expected = _alarms(straight, [[one] for one in values])
    portions = [mixed[at : at + portion] for at in range(0, len(mixed), portion)]
    assert _alarms(crooked, portions) == expected


def _alarms(tested: Engine, portions: list) -> list[int]:  # type: ignore[type-arg]
    """Return the alarms that somebody knows who hears only verdicts, once all is there."""
    told: dict[int, tuple[int, int | None]] = {}
    for one in portions:
        for verdict in tested.take(one, seen_ns=max(it.time_ns for it in one)).verdicts:
            _hear(told, verdict)
    return sorted(until or 0 for _, until in told.values())


def _hear(told: dict[int, tuple[int, int | None]], one: Verdict) -> None:
    if one.alert_ns is None:
        return
    if one.state is State.FIRING:
        told[one.alert_ns] = (one.at_ns, one.until_ns)
    elif "withdrawn" in one.facts:
        told.pop(one.alert_ns)
    else:
        told[one.alert_ns] = (told[one.alert_ns][0], one.at_ns)
