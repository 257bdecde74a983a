"""The evaluator: event time, late values, deadmen, overrides."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluate.engine import Engine, HourCount
from alerts.model import State
from core.clock import NS_PER_S
from core.reading import Reading
from tests.unit.alerts.rules import engine, feed, ns, placed, rule, shown, value

HOT = "{threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}"


def test_a_threshold_fires_at_once_and_clears_beyond_its_margin() -> None:
    tested = engine(rule(HOT))
    said = feed(tested, value(0, 20), value(1, 29), value(2, 27.5), value(3, 26.9))
    assert said == [("firing", 1), ("clear", 3)]


def test_a_value_at_the_limit_is_not_above_it() -> None:
    assert feed(engine(rule(HOT)), value(0, 28)) == []


def test_what_has_to_hold_for_a_time_is_pending_first_and_fires_when_the_time_is_over() -> None:
    tested = engine(rule(HOT, "for: 5m"))
    assert feed(tested, value(0, 29), value(200, 30)) == [("pending", 0)]
    assert shown(tested.tick(ns(299), seen_ns=ns(299)).verdicts) == []
    assert shown(tested.tick(ns(301), seen_ns=ns(301)).verdicts) == [("firing", 300)]


def test_what_does_not_hold_for_long_enough_is_clear_again() -> None:
    tested = engine(rule(HOT, "for: 5m"))
    assert feed(tested, value(0, 29), value(299, 20)) == [("pending", 0), ("clear", 299)]


def test_a_value_at_the_end_of_the_time_counts_before_the_time_is_over() -> None:
    tested = engine(rule(HOT, "for: 5m"))
    assert feed(tested, value(0, 29), value(300, 20)) == [("pending", 0), ("clear", 300)]


def test_it_is_over_since_it_did_not_hold_once_that_lasted() -> None:
    tested = engine(rule(HOT, "clear_for: 1m"))
    said = feed(tested, value(0, 29), value(10, 20), value(30, 29), value(40, 20), value(101, 20))
    assert said == [("firing", 0), ("clear", 40)]


def test_a_verdict_carries_what_decided() -> None:
    (found,) = engine(rule(HOT)).take([value(0, 20), value(1, 29.5)], seen_ns=ns(2)).verdicts
    assert found.value == 29.5
    assert found.facts["above"] == 28
    assert found.facts["unit"] == "Cel"
    assert [one.value for one in found.evidence] == [20, 29.5]
    assert found.alert_ns == found.at_ns == ns(1)


def test_the_same_values_again_change_nothing() -> None:
    tested = engine(rule(HOT, "for: 10s"))
    values = [value(second, 29) for second in range(20)]
    feed(tested, *values)
    assert tested.take(values, seen_ns=ns(30)).verdicts == ()


def test_a_late_value_shows_that_it_had_fired() -> None:
    tested = engine(rule(HOT))
    assert feed(tested, value(0, 20), value(60, 20)) == []
    (found,) = tested.take([value(30, 35)], seen_ns=ns(61)).verdicts
    assert (found.state, found.at_ns, found.until_ns) == (State.FIRING, ns(30), ns(60))
    assert found.retroactive


def test_a_late_value_shows_that_it_had_not_fired() -> None:
    tested = engine(rule(HOT, "for: 1m"))
    assert feed(tested, value(0, 29), value(70, 29)) == [("pending", 0), ("firing", 60)]
    (withdrawn, pending) = tested.take([value(30, 20)], seen_ns=ns(71)).verdicts
    assert withdrawn.state is State.CLEAR
    assert withdrawn.alert_ns == ns(60)
    assert withdrawn.facts["withdrawn"]
    assert (pending.state, pending.at_ns) == (State.PENDING, ns(70))


def test_a_late_value_changes_when_an_alert_ended_and_not_which_it_is() -> None:
    tested = engine(rule(HOT))
    feed(tested, value(0, 29), value(60, 20))
    (found,) = tested.take([value(30, 20)], seen_ns=ns(61)).verdicts
    assert (found.state, found.at_ns, found.alert_ns) == (State.CLEAR, ns(30), ns(0))


def test_a_value_that_is_later_than_allowed_is_listed() -> None:
    tested = engine(rule(HOT, "lateness: 1m"))
    feed(tested, *[value(second, 20) for second in range(0, 300, 10)])
    outcome = tested.take([value(5, 35)], seen_ns=ns(300))
    assert outcome.verdicts == ()
    assert [one.reading.time_ns for one in outcome.late] == [ns(5)]


def test_what_a_device_sends_after_an_outage_is_told_as_the_past() -> None:
    tested = engine(rule(HOT), fresh_s=900)
    backlog = [value(second, 35 if 600 <= second < 1200 else 20) for second in range(0, 7200, 60)]
    (found,) = tested.take(backlog, seen_ns=ns(7200)).verdicts
    assert (found.at_ns, found.until_ns, found.retroactive) == (ns(600), ns(1200), True)


def test_values_of_poor_quality_are_not_looked_at_where_the_rule_says_so() -> None:
    suspect = Reading("elgazala", "d", "air_temperature", ns(1), 60.0, 2)
    assert feed(engine(rule(HOT, "ignore_quality: clock_suspect")), suspect) == []
    assert feed(engine(rule(HOT)), suspect) == [("firing", 1)]


def test_a_deadman_waits_for_what_a_device_is_registered_with() -> None:
    tested = engine(rule("{absence: {intervals: 3}}"), devices=[placed("d", interval_s=60)])
    feed(tested, value(10, 20))
    assert shown(tested.tick(ns(189), seen_ns=ns(189)).verdicts) == []
    (found,) = tested.tick(ns(191), seen_ns=ns(191)).verdicts
    assert (found.state, found.at_ns) == (State.FIRING, ns(190))
    assert feed(tested, value(200, 20)) == [("clear", 200)]


def test_a_device_that_never_said_anything_is_missed_too() -> None:
    tested = engine(rule("{absence: {after: 5m}}"), devices=[placed("d")])
    assert shown(tested.tick(ns(301), seen_ns=ns(301)).verdicts) == [("firing", 300)]


def test_silence_while_nobody_could_hear_is_not_the_devices() -> None:
    tested = engine(rule("{absence: {after: 5m}}"), devices=[placed("d")])
    feed(tested, value(0, 20))
    tested.listen(ns(3600))  # the broker was away, or the clock was put forward
    assert shown(tested.tick(ns(3600), seen_ns=ns(3600)).verdicts) == []
    assert shown(tested.tick(ns(3901), seen_ns=ns(3901)).verdicts) == [("firing", 3900)]


def test_a_late_value_does_not_bring_back_silence_that_nobody_could_hear() -> None:
    tested = engine(rule("{absence: {after: 5m}}", "lateness: 2h"), devices=[placed("d")])
    feed(tested, value(0, 20))
    tested.listen(ns(3600))
    feed(tested, value(3700, 20))
    assert shown(tested.take([value(100, 20)], seen_ns=ns(3701)).verdicts) == []
    assert shown(tested.tick(ns(4001), seen_ns=ns(4001)).verdicts) == [("firing", 4000)]


def test_a_deadman_that_each_value_moves_fires_once_and_in_time() -> None:
    tested = engine(rule("{absence: {after: 1h}}"), devices=[placed("d")])
    for second in range(0, 1800, 10):
        feed(tested, value(second, 20))
        assert shown(tested.tick(ns(second), seen_ns=ns(second)).verdicts) == []
    assert shown(tested.tick(ns(5389), seen_ns=ns(5389)).verdicts) == []
    assert shown(tested.tick(ns(5391), seen_ns=ns(5391)).verdicts) == [("firing", 5390)]


def test_a_zone_is_silent_when_all_of_its_devices_are() -> None:
    devices = [placed(name, building="a", zone="lab") for name in ("d", "e")]
    tested = engine(rule("{absence: {after: 1m}}", "per: zone"), devices=devices)
    feed(tested, value(0, 20), value(50, 20, device="e"))
    assert shown(tested.tick(ns(100), seen_ns=ns(100)).verdicts) == []
    assert shown(tested.tick(ns(120), seen_ns=ns(120)).verdicts) == [("firing", 110)]


def test_devices_of_a_zone_are_counted() -> None:
    devices = [placed(name, building="a", zone="lab") for name in "abcd"]
    when = f"{{count: {{of: {HOT}, at_least: 50 %}}}}"
    tested = engine(rule(when, "per: zone"), devices=devices)
    assert feed(tested, value(0, 30, device="a")) == []
    (found,) = tested.take([value(1, 30, device="c")], seen_ns=ns(1)).verdicts
    assert found.subject.zone == "lab"
    assert found.facts["devices"] == "a, c"


def test_two_conditions_within_a_time_across_devices() -> None:
    door = "{threshold: {device: door, quantity: door_open, above: 0.5}}"
    hot = "{threshold: {device: d, quantity: air_temperature, above: 28}}"
    when = f"{{all: [{{recently: {{when: {door}, within: 5m}}}}, {hot}]}}"
    tested = engine(rule(when, "per: site"))
    opened = value(0, 1, device="door", quantity="door_open")
    closed = value(10, 0, device="door", quantity="door_open")
    assert feed(tested, value(0, 20), opened, closed, value(200, 30)) == [("firing", 200)]
    assert shown(tested.tick(ns(311), seen_ns=ns(311)).verdicts) == [("clear", 310.000000001)]


def test_an_override_counts_for_its_device_until_it_expires() -> None:
    expires = "2026-11-25T12:00:00+00:00"
    more = (
        "overrides:",
        "  - device: d",
        "    set: {threshold: {above: 40 Cel}}",
        "    author: n.ba",
        "    reason: next to the oven",
        f"    expires: {expires}",
    )
    tested = engine(rule(HOT, *more), devices=[placed("d"), placed("e")])
    assert feed(tested, value(0, 35), value(0, 35, device="e")) == [("firing", 0)]
    over_s = 1_795_608_000 - 1_795_500_000
    feed(tested, value(over_s - 5, 35))
    (found,) = tested.tick(ns(over_s), seen_ns=ns(over_s)).verdicts
    assert found.state is State.FIRING
    assert found.subject.device == "d"


def test_completeness_is_of_whole_hours_of_the_ledger() -> None:
    tested = engine(rule("{completeness: {below: 95 %, over: 2h}}"))
    hour = 3600 * NS_PER_S

    def count(end_ns: int, received: int, missing: int) -> list[tuple[str, float]]:
        one = HourCount("elgazala", "d", end_ns, received, missing)
        return shown(tested.take_hours([one], seen_ns=end_ns).verdicts)

    assert count(ns(0), 100, 0) == []
    assert count(ns(0) + hour, 90, 4) == []
    assert count(ns(0) + 2 * hour, 90, 10) == [("firing", 7200)]


def test_patterns_and_labels_select_devices() -> None:
    devices = [
        placed("elg-env-001", labels={"use": "office"}),
        placed("elg-env-002", labels={"use": "server"}),
        placed("elg-door-001", labels={"use": "server"}),
    ]
    selected = "select: {device: elg-env-*, labels: {use: server}}"
    tested = engine(rule(HOT, selected), devices=devices)
    for one in devices:
        tested.take([value(0, 50, device=one.device)], seen_ns=ns(0))
    assert [watch.subject.device for watch in tested.watches] == ["elg-env-002"]


# --- whatever the order -------------------------------------------------------------------------

_VALUES = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.sampled_from(("d", "e")),
        st.sampled_from((20.0, 27.5, 29.0, 40.0)),
    ),
    max_size=40,
    unique_by=lambda one: one[:2],
)
_RULES = (
    rule(HOT, "lateness: 20m"),
    rule(HOT, "lateness: 20m", "for: 1m", "clear_for: 30s"),
    rule("{rate: {quantity: air_temperature, over: 2m, above: 5 Cel}}", "lateness: 20m"),
    rule("{absence: {after: 90s}}", "lateness: 20m"),
    rule(f"{{recently: {{when: {HOT}, within: 1m}}}}", "lateness: 20m", "for: 10s"),
    rule(f"{{count: {{of: {HOT}, at_least: 2}}}}", "lateness: 20m", "per: site"),
    rule(f"{{all: [{HOT}, {{not: {{absence: {{after: 1m}}}}}}]}}", "lateness: 20m", "per: site"),
)


def _episodes(tested: Engine) -> list[tuple[str, list[tuple[int, int | None]]]]:
    return sorted(
        (watch.subject.device, [(one.at_ns, one.until_ns) for one in watch.episodes])
        for watch in tested.watches
    )


@pytest.mark.parametrize("place", range(len(_RULES)))
@given(values=_VALUES, data=st.data())
def test_in_whatever_order_and_batches_values_come_the_episodes_are_the_same(
    values: list[tuple[int, str, float]], data: st.DataObject, place: int
) -> None:
    devices = [placed("d"), placed("e")]
    readings = [value(second, number, device=device) for second, device, number in values]
    ordered = engine(_RULES[place], devices=devices)
    for _, same in groupby(sorted(readings, key=lambda one: one.time_ns), lambda one: one.time_ns):
        ordered.take(same, seen_ns=ns(0))
    ordered.tick(ns(1000), seen_ns=ns(1000))
    shuffled = engine(_RULES[place], devices=devices)
    told: dict[tuple[str, int | None], int | None] = {}
    left = data.draw(st.permutations(readings))
    while left:
        size = data.draw(st.integers(1, len(left)))
        outcome = shuffled.take(left[:size], seen_ns=ns(0))
        assert outcome.late == ()
        _listen(told, outcome.verdicts)
        left = left[size:]
        if data.draw(st.booleans()):
            _listen(told, shuffled.tick(ns(data.draw(st.integers(0, 900))), seen_ns=ns(0)).verdicts)
    _listen(told, shuffled.tick(ns(1000), seen_ns=ns(1000)).verdicts)
    assert _episodes(shuffled) == _episodes(ordered)
    firing = {
        watch.subject.device
        for watch in shuffled.watches
        if watch.episodes and watch.episodes[-1].until_ns is None
    }
    assert {device for (device, _), until in told.items() if until is None} == firing


def _listen(told: dict[tuple[str, int | None], int | None], verdicts: tuple) -> None:  # type: ignore[type-arg]
    """Keep what somebody knows who only hears verdicts: alerts, and when they ended."""
    for one in verdicts:
        key = (one.subject.device, one.alert_ns)
        if one.state is State.FIRING:
            told[key] = one.until_ns
        elif one.alert_ns is not None:
            assert key in told, "an alert ends that nobody heard of"
            told[key] = one.at_ns


def test_a_device_whose_clock_is_half_an_hour_behind_is_not_silent() -> None:
    tested = engine(rule("{absence: {after: 5m}}"), devices=[placed("d")])
    feed(tested, value(0, 20))
    said = []
    for second in range(60, 3600, 60):
        taken = tested.take([value(second - 1800, 20)], seen_ns=ns(second), live=True)
        said += shown(taken.verdicts)
        said += shown(tested.tick(ns(second), seen_ns=ns(second)).verdicts)
    assert said == []
    assert shown(tested.tick(ns(4000), seen_ns=ns(4000)).verdicts) == [("firing", 3840)]


def test_a_device_that_is_heard_again_with_an_old_clock_is_silent_no_more() -> None:
    tested = engine(rule("{absence: {after: 5m}}"), devices=[placed("d")])
    feed(tested, value(0, 20))
    assert shown(tested.tick(ns(3000), seen_ns=ns(3000)).verdicts) == [("firing", 300)]
    outcome = tested.take([value(10, 20)], seen_ns=ns(3100), live=True)
    assert shown(outcome.verdicts) == [("clear", 3100)]
    assert len(outcome.late) == 1
