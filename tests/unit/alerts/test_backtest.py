"""Rules on history: no alarm is lost, labels are of somebody, and what is swept."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from alerts.backtest import Label, run, score, variants
from alerts.rules.inventory import Inventory
from alerts.rules.model import Rule, Seasonal
from core.reading import Reading
from tests.unit.alerts.rules import ns, placed, rule, value

HOT = "{threshold: {quantity: air_temperature, above: 28}}"
DAY = 86_400


def _run(tried: Rule, readings: list[Reading], *devices: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    inventory = Inventory(
        tuple(placed(name) for name in devices or ("d",)), {"elgazala": ZoneInfo("Africa/Tunis")}
    )
    last_ns = max(one.time_ns for one in readings)
    return run(tried, inventory=inventory, readings=readings, start_ns=ns(0), end_ns=last_ns)


@pytest.mark.parametrize("lateness", ["0s", "10m", "1d"])
def test_every_alarm_of_a_long_history_is_found_however_short_the_memory(lateness: str) -> None:
    values = [value(hour * 3600, 30 if hour % 12 == 0 else 20) for hour in range(24 * 30)]
    found = _run(rule(HOT, f"lateness: {lateness}"), values)
    assert len(found.alarms) == 60
    assert [one.until_ns for one in found.alarms] == [
        ns(hour * 3600 + 3600) for hour in range(0, 24 * 30, 12)
    ]
    assert found.alarms_a_day == pytest.approx(2, rel=0.01)


def test_alarms_are_counted_for_each_subject_and_day() -> None:
    values = [
        value(second, 30 if second == 3600 else 20, device=device)
        for second in range(0, DAY + 1, 3600)
        for device in ("a", "b", "c")
    ]
    found = _run(rule(HOT), values, "a", "b", "c")
    assert (found.alarms_a_day, found.alarms_a_subject_and_day) == (3, 1)


def test_a_label_of_one_device_is_not_found_by_an_alarm_about_another() -> None:
    values = [value(second, 30 if second > 60 else 20, device="a") for second in range(0, 120, 10)]
    alarms = _run(rule(HOT), values, "a", "b").alarms
    labels = [Label(ns(50), ns(90), "a"), Label(ns(50), ns(90), "b")]
    found = score(alarms, labels, end_ns=ns(110))
    assert (found.true, found.false, found.found, found.missed) == (1, 0, 1, 1)
    assert found.delay_ns == 20 * 10**9


def test_the_deviations_and_the_minimum_of_a_seasonal_are_swept() -> None:
    said = rule("{seasonal: {quantity: air_temperature}}")
    found = [
        (one.when.deviations, one.when.minimum)
        for one, *_ in variants(said, limits=[4, 6], margins=[0, 2])
        if isinstance(one.when, Seasonal)
    ]
    assert found == [(4, 0), (4, 2), (6, 0), (6, 2)]


def test_a_higher_limit_never_alarms_for_longer() -> None:
    values = [value(second, 20 + second % 97 / 6) for second in range(0, 36_000, 60)]
    spans = []
    for tried, *_ in variants(rule(HOT), limits=[24, 28, 32]):
        alarms = _run(tried, values).alarms
        spans.append(sum((one.until_ns or values[-1].time_ns) - one.at_ns for one in alarms))
    assert all(longer > shorter for longer, shorter in pairwise(spans))
