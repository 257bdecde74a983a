"""What the evaluator remembers, taken up by another process: nothing is lost or said twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluate.engine import Engine
from alerts.evaluate.watch import Told
from alerts.live.checkpoint import Checkpoint, CheckpointError, Heard, decode, encode
from alerts.model import State, Subject, Verdict
from alerts.rules.inventory import Inventory
from alerts.rules.model import Rule
from core.clock import NS_PER_S
from core.reading import Reading
from tests.unit.alerts.rules import ZONES, engine, ns, placed, rule, shown, value

HOT = "{threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}"
LATE = "lateness: 5m"
RULES = (
    rule(HOT, LATE),
    rule(HOT, LATE, "for: 1m", "clear_for: 30s"),
    rule("{rate: {quantity: air_temperature, over: 2m, above: 5 Cel}}", LATE),
    rule(f"{{recently: {{when: {HOT}, within: 1m}}}}", LATE, "for: 10s"),
    rule(f"{{count: {{of: {HOT}, at_least: 2}}}}", LATE, "per: site"),
    rule(f"{{any: [{HOT}, {{battery: {{within: 3d}}}}]}}", LATE, "per: site"),
    rule("{completeness: {below: 95 %}}", LATE),
)
DEVICES = [placed("d"), placed("e")]
AGAIN_NS = 400 * NS_PER_S


class Listener:
    """Somebody who hears verdicts as the lifecycle does: one alert is told of once."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[Subject, int], int | None] = {}
        self.told = 0

    def hear(self, verdicts: tuple[Verdict, ...]) -> None:
        for one in verdicts:
            if one.alert_ns is None:
                continue
            key = (one.subject, one.alert_ns)
            if one.state is State.FIRING:
                self.told += key not in self.alerts
                self.alerts[key] = one.until_ns
            else:
                assert key in self.alerts, "an alert ends that nobody heard of"
                if "withdrawn" in one.facts:
                    del self.alerts[key]
                else:
                    self.alerts[key] = one.at_ns

    def known(self, tested: Rule) -> dict[tuple[str, Subject], list[Told]]:
        found: dict[tuple[str, Subject], list[Told]] = {}
        for (subject, at_ns), until_ns in self.alerts.items():
            found.setdefault((tested.name, subject), []).append(Told(at_ns, until_ns))
        return found

    def spans(self) -> list[tuple[Subject, int, int | None]]:
        return sorted((*key, until) for key, until in self.alerts.items())


def again(tested: Rule, blob: bytes, told: Listener) -> tuple[Engine, Checkpoint]:
    """Return an engine that takes up what another one remembered."""
    kept = decode(blob)
    fresh = Engine(
        rules=[tested],
        inventory=Inventory(tuple(DEVICES), ZONES),
        since_ns=ns(0),
        fresh_for_ns=10**18,
        told=told.known(tested),
        mute={"rule"},
    )
    fresh.restore(kept.watches)
    return fresh, kept


def save(tested: Engine, *, again_ns: int) -> bytes:
    watches = tuple(tested.save(entries_before_ns=again_ns))
    return encode(Checkpoint(again_ns, again_ns, {"w": Heard(1, 2, 3)}, (("w", 1, 2),), watches))


def run(tested: Rule, readings: list[Reading], *, kills: set[int]) -> Listener:
    """Judge values in order; at some of them the process dies, and another one goes on."""
    told = Listener()
    judged = engine(tested, devices=DEVICES)
    blob = save(judged, again_ns=ns(0))
    for place, one in enumerate(readings):
        told.hear(judged.take([one], seen_ns=one.time_ns).verdicts)
        told.hear(judged.tick(one.time_ns - 1, seen_ns=one.time_ns).verdicts)
        if place % 7 == 0:
            blob = save(judged, again_ns=one.time_ns - AGAIN_NS)
        if place in kills:
            judged, kept = again(tested, blob, told)
            stored = [two for two in readings[: place + 1] if two.time_ns >= kept.again_ns]
            judged.take(stored, seen_ns=one.time_ns, again=True)
            told.hear(judged.speak({"rule": 0}, seen_ns=one.time_ns).verdicts)
            told.hear(judged.tick(one.time_ns - 1, seen_ns=one.time_ns).verdicts)
    end_ns = ns(4000)
    told.hear(judged.tick(end_ns, seen_ns=end_ns).verdicts)
    return told


VALUES = st.lists(
    st.tuples(
        st.integers(0, 3000),
        st.sampled_from(("d", "e")),
        st.sampled_from((20.0, 27.5, 29.0, 40.0)),
    ),
    max_size=40,
    unique_by=lambda one: one[:2],
)


@pytest.mark.parametrize("place", range(len(RULES)))
@given(values=VALUES, kills=st.sets(st.integers(0, 40), max_size=4))
def test_a_process_that_dies_and_another_that_goes_on_say_what_one_would_have_said(
    values: list[tuple[int, str, float]], kills: set[int], place: int
) -> None:
    readings = [value(second, number, device=device) for second, device, number in sorted(values)]
    whole = run(RULES[place], readings, kills=set())
    parted = run(RULES[place], readings, kills=kills)
    assert parted.spans() == whole.spans()
    assert parted.told == whole.told


def test_an_alert_whose_values_are_not_given_again_yet_is_not_withdrawn() -> None:
    told = Listener()
    judged = engine(rule(HOT), devices=DEVICES)
    told.hear(judged.take([value(0, 20)], seen_ns=ns(0)).verdicts)
    blob = save(judged, again_ns=ns(0))
    told.hear(judged.take([value(60, 40)], seen_ns=ns(60)).verdicts)
    other, _ = again(rule(HOT), blob, told)
    other.take([value(0, 20)], seen_ns=ns(61), again=True)
    assert other.speak({"rule": 0}, seen_ns=ns(61)).verdicts == ()
    assert other.take([value(60, 40)], seen_ns=ns(62), again=True).verdicts == ()
    (over,) = other.take([value(90, 20)], seen_ns=ns(90)).verdicts
    assert (over.state, over.alert_ns, over.at_ns) == (State.CLEAR, ns(60), ns(90))
    assert "withdrawn" not in over.facts


def test_a_rule_that_is_new_does_not_tell_of_what_was_over_before_it() -> None:
    fresh = Engine(
        rules=[rule(HOT)], inventory=Inventory(tuple(DEVICES), ZONES), since_ns=ns(0), mute={"rule"}
    )
    history = [value(0, 40), value(10, 20), value(20, 40), value(20, 20, device="e")]
    assert fresh.take(history, seen_ns=ns(30), again=True).verdicts == ()
    assert shown(fresh.speak({"rule": ns(15)}, seen_ns=ns(30)).verdicts) == [("firing", 20)]


def test_a_rule_tells_of_what_was_over_before_it_was_judged_but_not_before_it_was_there() -> None:
    fresh = Engine(
        rules=[rule(HOT)], inventory=Inventory(tuple(DEVICES), ZONES), since_ns=ns(0), mute={"rule"}
    )
    history = [value(0, 40), value(10, 20), value(20, 40), value(30, 20)]
    fresh.take(history, seen_ns=ns(40), again=True)
    (found,) = fresh.speak({"rule": ns(15)}, seen_ns=ns(40)).verdicts
    assert (found.at_ns, found.until_ns) == (ns(20), ns(30))


def test_an_alert_of_an_older_version_ends_when_the_new_one_does_not_hold() -> None:
    told = {("rule", Subject("elgazala", device="d")): [Told(ns(0), None)]}
    newer = Engine(
        rules=[rule(HOT)],
        inventory=Inventory(tuple(DEVICES), ZONES),
        since_ns=ns(-600),
        told=told,
        mute={"rule"},
    )
    assert newer.speak({"rule": 0}, seen_ns=ns(5)).verdicts == ()
    (over,) = newer.take([value(10, 20)], seen_ns=ns(10)).verdicts
    assert (over.state, over.alert_ns, over.at_ns) == (State.CLEAR, ns(0), ns(10))
    assert "withdrawn" not in over.facts


def test_a_deadman_that_fires_goes_on_over_a_time_in_which_nobody_listened() -> None:
    tested = rule("{absence: {after: 5m}}", LATE)
    told = Listener()
    judged = engine(tested, devices=DEVICES[:1])
    subject = Subject("elgazala", device="d")
    told.hear(judged.take([value(0, 20)], seen_ns=ns(0)).verdicts)
    told.hear(judged.tick(ns(1000), seen_ns=ns(1000)).verdicts)
    blob = save(judged, again_ns=ns(1000) - AGAIN_NS)
    other, _ = again(tested, blob, told)
    other.take([value(0, 20)], seen_ns=ns(5000), again=True)
    other.listen(ns(5000))
    told.hear(other.speak({"rule": 0}, seen_ns=ns(5000)).verdicts)
    told.hear(other.tick(ns(5600), seen_ns=ns(5600)).verdicts)
    assert told.alerts[subject, ns(300)] is None
    told.hear(other.take([value(5700, 20)], seen_ns=ns(5700)).verdicts)
    assert told.alerts[subject, ns(300)] == ns(5700)


@pytest.mark.parametrize("back_s", [5100, 5299, 5301])
def test_a_deadman_that_fires_ends_when_the_device_is_heard_however_soon_after_the_restart(
    back_s: int,
) -> None:
    tested = rule("{absence: {after: 5m}}", LATE)
    told = Listener()
    judged = engine(tested, devices=DEVICES[:1])
    subject = Subject("elgazala", device="d")
    told.hear(judged.take([value(0, 20)], seen_ns=ns(0)).verdicts)
    told.hear(judged.tick(ns(1000), seen_ns=ns(1000)).verdicts)
    other, _ = again(tested, save(judged, again_ns=ns(1000) - AGAIN_NS), told)
    other.take([value(0, 20)], seen_ns=ns(5000), again=True)
    other.listen(ns(5000))
    told.hear(other.speak({"rule": 0}, seen_ns=ns(5000)).verdicts)
    told.hear(other.tick(ns(back_s - 1), seen_ns=ns(back_s)).verdicts)
    told.hear(other.repeat_unsure(seen_ns=ns(back_s)).verdicts)
    assert told.alerts[subject, ns(300)] is None
    told.hear(other.take([value(back_s, 20)], seen_ns=ns(back_s)).verdicts)
    assert told.alerts[subject, ns(300)] == ns(back_s)


def test_a_checkpoint_of_another_form_is_not_read() -> None:
    blob = save(engine(rule(HOT)), again_ns=0)
    with pytest.raises(CheckpointError, match="another form"):
        decode(b"\xff\xff" + blob[2:])
    with pytest.raises(CheckpointError, match="cannot be read"):
        decode(blob[:-4])


def test_what_is_of_another_version_or_of_a_device_that_is_gone_is_passed_over() -> None:
    judged = engine(rule(HOT), devices=DEVICES)
    judged.take([value(0, 20)], seen_ns=ns(0))
    kept = list(judged.save())
    assert engine(rule(HOT, "version: 2"), devices=DEVICES).restore(kept) == frozenset()
    assert engine(rule(HOT), devices=DEVICES[1:]).restore(kept) == frozenset()
    assert engine(rule(HOT), devices=DEVICES).restore(kept) == frozenset({"rule"})
