"""Conditions: each against the definition, a table, or a naive computation of the same."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.conditions.news2 import score_of
from alerts.conditions.time_of_day import TimeOfDayNode
from alerts.model import State
from alerts.rules.model import TimeOfDay
from core.clock import NS_PER_S
from tests.unit.alerts.rules import engine, feed, ns, placed, rule, shown, value

NORMAL = {
    "respiratory_rate": 16.0,
    "oxygen_saturation": 97.0,
    "systolic_blood_pressure": 120.0,
    "heart_rate": 70.0,
    "body_temperature": 37.0,
}
DAY = 86_400.0

# Every band edge of chart 1 and chart 4: (quantity, value, scale, on oxygen, score).
CHART = [
    *[("respiratory_rate", v, 1, False, s) for v, s in
      [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]],
    *[("oxygen_saturation", v, 1, False, s) for v, s in
      [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]],
    *[("oxygen_saturation", v, 2, False, s) for v, s in
      [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (100, 0)]],
    *[("oxygen_saturation", v, 2, True, s) for v, s in
      [(83, 3), (85, 2), (87, 1), (88, 0), (92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3)]],
    *[("systolic_blood_pressure", v, 1, False, s) for v, s in
      [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]],
    *[("heart_rate", v, 1, False, s) for v, s in
      [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2),
       (131, 3)]],
    *[("body_temperature", v, 1, False, s) for v, s in
      [(35.0, 3), (35.04, 3), (35.05, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1),
       (39.1, 2)]],
]  # fmt: skip


@pytest.mark.parametrize(("name", "measured", "scale", "oxygen", "score"), CHART)
def test_news2_scores_every_edge_of_the_charts(
    name: str, measured: float, *, scale: int, oxygen: bool, score: int
) -> None:
    found = score_of({name: measured}, scale=scale, oxygen=oxygen, alert=True)
    assert found[name] == score
    assert found["supplemental_oxygen"] == (2 if oxygen else 0)


def test_news2_of_somebody_who_is_not_alert_is_three_alone() -> None:
    found = score_of(NORMAL, scale=1, oxygen=False, alert=False)
    assert (sum(found.values()), found["consciousness"]) == (3, 3)


def test_news2_on_scale_2_cannot_score_a_high_saturation_without_knowing_of_oxygen() -> None:
    assert "oxygen_saturation" not in score_of(
        {"oxygen_saturation": 97}, scale=2, oxygen=None, alert=True
    )


def _patient(*more: str) -> tuple[object, dict[str, str]]:
    devices = [placed("watch", person="p-1"), placed("cuff", person="p-1")]
    said = rule(
        "{news2: {oxygen: false, consciousness: alert, max_age: {heart_rate: 10m}}}",
        "per: person",
        *more,
    )
    owners = dict.fromkeys(NORMAL, "watch") | {"systolic_blood_pressure": "cuff"}
    return engine(said, devices=devices), owners


def test_news2_is_incomplete_until_every_input_is_there_and_says_what_is_missing() -> None:
    tested, owners = _patient()
    said = []
    for name, measured in NORMAL.items():
        one = value(0, measured, device=owners[name], quantity=name)
        said += list(tested.take([one], seen_ns=ns(0)).verdicts)  # type: ignore[attr-defined]
    assert [one.state for one in said] == [State.INCOMPLETE, State.CLEAR]
    assert "body_temperature" in str(said[0].facts["missing"])
    assert said[0].subject.person == "p-1"


def test_news2_is_incomplete_again_when_an_input_is_too_old() -> None:
    tested, owners = _patient()
    everything = [value(0, v, device=owners[n], quantity=n) for n, v in NORMAL.items()]
    tested.take(everything, seen_ns=ns(0))  # type: ignore[attr-defined]
    (found,) = tested.tick(ns(601), seen_ns=ns(601)).verdicts  # type: ignore[attr-defined]
    assert found.state is State.INCOMPLETE
    assert found.facts["missing"] == "heart_rate"


def test_news2_fires_though_an_input_is_missing_when_the_others_are_enough() -> None:
    tested, _ = _patient()
    one = value(0, 26, device="watch", quantity="respiratory_rate")
    (found,) = tested.take([one], seen_ns=ns(0)).verdicts  # type: ignore[attr-defined]
    assert found.state is State.FIRING
    assert found.facts["score_respiratory_rate"] == 3


@given(
    levels=st.lists(st.tuples(st.integers(1, 200), st.integers(-40, 40)), max_size=30),
    over_s=st.integers(1, 600),
)
def test_a_rate_is_the_change_from_the_oldest_value_within_the_time(
    levels: list[tuple[int, int]], over_s: int
) -> None:
    tested = engine(rule(f"{{rate: {{quantity: air_temperature, over: {over_s}s, above: 5}}}}"))
    at, seen = 0, []
    for step, level in levels:
        at += step
        seen.append((at, level))
        tested.take([value(at, level)], seen_ns=ns(at))
        inside = [one for one in seen if one[0] >= at - over_s]
        known = 2 * (at - inside[0][0]) >= over_s
        (watch,) = tested.watches
        if known:
            assert watch.phases.node.holds(ns(at)) == (level - inside[0][1] > 5)
        else:
            assert watch.phases.node.holds(ns(at)) is None


@given(
    zone=st.sampled_from(("Africa/Tunis", "Africa/Dakar", "Europe/Paris", "America/St_Johns")),
    start=st.integers(0, 1439),
    end=st.integers(1, 1440),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    hours=st.lists(st.integers(0, 24 * 14 * 4), min_size=1, max_size=30),
)
def test_a_time_of_day_is_what_the_clock_on_the_wall_shows(
    zone: str, start: int, end: int, days: frozenset[int], hours: list[int]
) -> None:
    if start == end:
        end += 1 if end < 1440 else -1
    node = TimeOfDayNode(TimeOfDay(start, end, days), zone=ZoneInfo(zone))
    base = datetime(2026, 3, 22, tzinfo=ZoneInfo("UTC"))  # Europe changes on the 29th
    for quarter in sorted(hours):
        at = (base + timedelta(minutes=15 * quarter, seconds=7)).astimezone(ZoneInfo(zone))
        at_ns = round(at.timestamp()) * NS_PER_S
        minute = at.hour * 60 + at.minute
        if end > start:
            expected = at.weekday() in days and start <= minute < end
        else:
            today = at.weekday() in days and minute >= start
            expected = today or ((at.weekday() - 1) % 7 in days and minute < end)
        if at.date() not in (date(2026, 3, 29), date(2026, 3, 30)):  # the clock changes
            assert node.holds(at_ns) is expected
        later = node.next_ns(at_ns)
        assert later is not None
        assert later > at_ns
        assert node.holds(later - 1) is node.holds(at_ns)


def test_a_window_across_a_change_of_summer_time_ends_when_the_clock_says_so() -> None:
    node = TimeOfDayNode(TimeOfDay(60, 240, frozenset(range(7))), zone=ZoneInfo("Europe/Paris"))
    one = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("UTC"))  # 01:30, the night of the change
    ends = node.next_ns(round(one.timestamp()) * NS_PER_S)
    assert ends == round(datetime(2026, 3, 29, 2, tzinfo=ZoneInfo("UTC")).timestamp()) * NS_PER_S


def _level(day: float, level: float):  # type: ignore[no-untyped-def]  # noqa: ANN202
    return value(day * DAY, level, quantity="battery_level")


def test_a_battery_that_will_be_empty_soon_is_told_with_the_days_that_are_left() -> None:
    tested = engine(rule("{battery: {within: 14d, empty: 5 %}}"))
    said = []
    for day in range(40):
        noise = 30 if day == 20 else 0  # one wrong day does not bend the line
        level = 95 - 2 * day - noise
        said += list(tested.take([_level(day, level)], seen_ns=ns(day * DAY)).verdicts)
    firing = [one for one in said if one.state is State.FIRING]
    assert [round((one.at_ns - ns(0)) / DAY / NS_PER_S) for one in firing][-1] == 39 - 7
    assert firing[-1].facts["days_left"] == pytest.approx(13, abs=0.6)


def test_a_battery_that_was_exchanged_begins_anew() -> None:
    tested = engine(rule("{battery: {within: 14d}}"))
    levels = [40 - 3 * day for day in range(10)] + [100, 100, 99]
    said = feed(tested, *[_level(day, level) for day, level in enumerate(levels)])
    assert said[-1][0] in ("incomplete", "clear")
    (watch,) = tested.watches
    assert watch.phases.node.holds(ns(13 * DAY)) is False


def test_not_and_any_follow_three_valued_logic() -> None:
    hot = "{threshold: {quantity: air_temperature, above: 28}}"
    dry = "{threshold: {quantity: relative_humidity, below: 20}}"
    tested = engine(rule(f"{{any: [{hot}, {{not: {dry}}}]}}"))
    assert feed(tested, value(0, 20)) == []  # nor does anybody have to hear that nobody knows
    (watch,) = tested.watches
    assert watch.phases.state is State.INCOMPLETE
    assert feed(tested, value(1, 30)) == [("firing", 1)]
    assert feed(tested, value(2, 20)) == []  # nobody knows whether it is dry: it goes on
    assert feed(tested, value(3, 10, quantity="relative_humidity")) == [("clear", 3)]


def test_a_range_by_time_of_day_begins_with_its_hour() -> None:
    hot = "{threshold: {quantity: air_temperature, above: 24}}"
    night = "{time_of_day: {from: '20:00', to: '06:00'}}"
    tested = engine(rule(f"{{all: [{hot}, {night}]}}"))
    local = datetime(2026, 11, 24, 19, tzinfo=ZoneInfo("Africa/Tunis"))
    at_s = local.timestamp() - (ns(0) / NS_PER_S)
    assert feed(tested, value(at_s, 26)) == []
    assert shown(tested.tick(ns(at_s + 7200), seen_ns=ns(0)).verdicts) == [("firing", at_s + 3600)]
