"""Rules per series: each quantity of each device is judged by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.backtest import quantities
from alerts.evaluate.engine import Engine, HourCount
from alerts.live.checkpoint import Checkpoint, decode, encode
from alerts.model import State, Subject, Verdict
from alerts.rules.inventory import Inventory
from alerts.rules.looks_at import Limit, about_health, limits_of
from alerts.rules.model import Rate, Rule, Threshold
from alerts.rules.series import asked_of, series_of
from alerts.rules.source import parse_rule
from alerts.rules.words import in_words
from core.clock import NS_PER_HOUR
from core.errors import RuleError
from core.quantities import CATALOGUE
from core.reading import Reading
from tests.unit.alerts.rules import TITLE, ZONES, engine, ns, placed, rule, shown, value

PER = "per: series"
SILENT = "{absence: {after: 5m}}"
TEMPERATURE, HUMIDITY = "air_temperature", "relative_humidity"
CLIMATE = f"select: {{quantity: [{TEMPERATURE}, {HUMIDITY}]}}"


def of(quantity: str, device: str = "d") -> Subject:
    return Subject("elgazala", device=device, quantity=quantity)


def both(second: float, number: float = 20, **about: str) -> list[Reading]:
    """Return a value of the temperature and one of the humidity."""
    return [value(second, number, quantity=name, **about) for name in (TEMPERATURE, HUMIDITY)]


def said(verdicts: tuple[Verdict, ...]) -> list[tuple[str, str, float]]:
    """Return verdicts as what they are about, their state and second."""
    ordered = sorted(verdicts, key=lambda one: (one.at_ns, one.subject))
    return [
        (one.subject.quantity, state, second)
        for one, (state, second) in zip(ordered, shown(ordered), strict=True)
    ]


def source(when: str, *more: str) -> str:
    return "\n".join((f"rule: r\n{TITLE.rstrip()}", PER, f"when: {when}", *more))


def test_a_quantity_that_falls_silent_is_told_while_another_of_the_device_goes_on() -> None:
    tested = engine(rule(SILENT, PER), devices=[placed("d")])
    tested.take(both(100), seen_ns=ns(100))
    tested.take([value(at, 20, quantity=HUMIDITY) for at in (300, 500)], seen_ns=ns(500))
    (found,) = tested.tick(ns(600), seen_ns=ns(600)).verdicts
    assert (found.subject, found.state, found.at_ns) == (of(TEMPERATURE), State.FIRING, ns(400))
    assert found.facts["silent_s"] == 300
    (over,) = tested.take([value(700, 20)], seen_ns=ns(700)).verdicts
    assert (over.subject, over.state, over.at_ns) == (of(TEMPERATURE), State.CLEAR, ns(700))


def test_what_was_never_there_is_not_missed_nor_the_time_before_the_first_value() -> None:
    tested = engine(rule(SILENT, PER), devices=[placed("d")])
    assert tested.tick(ns(5000), seen_ns=ns(5000)).verdicts == ()
    assert tested.watches == []
    assert tested.take([value(5000, 20)], seen_ns=ns(5000)).verdicts == ()
    assert said(tested.tick(ns(9000), seen_ns=ns(9000)).verdicts) == [(TEMPERATURE, "firing", 5300)]


def test_an_absence_among_other_conditions_says_nothing_before_the_first_value() -> None:
    when = "{not: {absence: {after: 5m}}}"
    tested = engine(rule(when, PER), devices=[placed("d")])
    assert said(tested.take([value(1000, 20)], seen_ns=ns(1000)).verdicts) == [
        (TEMPERATURE, "firing", 1000)
    ]


def test_a_series_that_is_only_heard_with_a_clock_behind_is_waited_for() -> None:
    tested = engine(rule(SILENT, PER), devices=[placed("d")], since_s=0)
    tested.take([value(-9000, 20)], seen_ns=ns(100), live=True)
    assert tested.tick(ns(399), seen_ns=ns(399)).verdicts == ()
    assert said(tested.tick(ns(900), seen_ns=ns(900)).verdicts) == [(TEMPERATURE, "firing", 400)]


def test_only_quantities_that_are_selected_are_judged_and_never_what_the_ledger_counts() -> None:
    tested = engine(rule(SILENT, PER, "select: {quantity: '*_temperature'}"))
    tested.take([*both(0), value(0, 20, quantity="water_temperature")], seen_ns=ns(0))
    hour = HourCount("elgazala", "d", ns(0) + NS_PER_HOUR, 10, 0)
    tested.take_hours([hour], seen_ns=ns(1))
    assert {one.subject for one in tested.watches} == {of(TEMPERATURE), of("water_temperature")}
    every = engine(rule(SILENT, PER))
    every.take([value(0, 1, quantity="#received"), value(0, 1, quantity="made_up")], seen_ns=ns(0))
    assert every.watches == []


def test_only_devices_that_are_selected_are_judged() -> None:
    tested = engine(rule(SILENT, PER, "select: {device: e}"), devices=[placed("d"), placed("e")])
    tested.take([*both(0), *both(0, device="e")], seen_ns=ns(0))
    assert {one.subject.device for one in tested.watches} == {"e"}


def test_a_threshold_is_of_each_series() -> None:
    tested = engine(rule("{threshold: {above: 50, margin: 5}}", PER, CLIMATE))
    found = tested.take([value(0, 60), value(0, 40, quantity=HUMIDITY)], seen_ns=ns(0)).verdicts
    assert said(found) == [(TEMPERATURE, "firing", 0)]
    assert found[0].facts == {
        "above": 50, "quantity": TEMPERATURE, "unit": "Cel", "value": 60,
    }  # fmt: skip
    found = tested.take([value(1, 70, quantity=HUMIDITY)], seen_ns=ns(1)).verdicts
    assert [(one.subject, one.facts["unit"]) for one in found] == [(of(HUMIDITY), "%")]
    assert said(tested.take(both(2), seen_ns=ns(2)).verdicts) == [
        (TEMPERATURE, "clear", 2), (HUMIDITY, "clear", 2),
    ]  # fmt: skip


def test_a_rate_is_of_each_series() -> None:
    tested = engine(rule("{rate: {over: 2m, above: 5}}", PER, CLIMATE))
    tested.take(both(0), seen_ns=ns(0))
    found = tested.take([value(90, 30), value(90, 21, quantity=HUMIDITY)], seen_ns=ns(90))
    assert said(found.verdicts) == [(TEMPERATURE, "firing", 90)]


def test_what_is_usual_is_that_of_each_series() -> None:
    tested = engine(rule("{seasonal: {deviations: 6}}", PER, CLIMATE))

    def days(first: float, last: float) -> Iterator[Reading]:
        for second in range(round(first * 86_400), round(last * 86_400), 900):
            wave = math.sin(second / 86_400 * math.tau) + (second * 7919 % 13) / 40
            yield value(second, 21 + wave)
            yield value(second, 50 + 10 * wave, quantity=HUMIDITY)

    assert tested.take(list(days(0, 16)), seen_ns=ns(16 * 86_400)).verdicts == ()
    at_s = 16 * 86_400
    odd = [value(at_s, 45), value(at_s, 45, quantity=HUMIDITY)]
    assert said(tested.take(odd, seen_ns=ns(at_s)).verdicts) == [(TEMPERATURE, "firing", at_s)]


def test_parts_of_a_condition_are_of_the_same_series() -> None:
    when = (
        "{all: [{recently: {when: {threshold: {above: 50}}, within: 1m}}, {not: {absence: "
        "{after: 5m}}}]}"
    )
    tested = engine(rule(when, PER, CLIMATE))
    tested.take([value(0, 60), *both(10)], seen_ns=ns(10))
    [firing] = [one for one in tested.watches if one.phases.firing]
    assert firing.subject == of(TEMPERATURE)


def test_an_override_for_a_device_is_for_each_of_its_series_until_it_expires() -> None:
    tested = engine(
        rule(
            "{threshold: {above: 50}}",
            PER,
            CLIMATE,
            "overrides:",
            "  - {device: e, set: {threshold: {above: 80}}, author: a, reason: b, "
            "expires: 2026-11-24T12:00:00Z}",
        )
    )
    found = tested.take([*both(0, 60), *both(0, 60, device="e")], seen_ns=ns(0)).verdicts
    assert {one.subject.device for one in found} == {"d"}
    found = tested.tick(ns(86_400), seen_ns=ns(86_400)).verdicts
    assert {(one.subject, one.state) for one in found} == {
        (of(TEMPERATURE, "e"), State.FIRING), (of(HUMIDITY, "e"), State.FIRING),
    }  # fmt: skip


def _restored(tested: Rule, judged: Engine, *, devices: str = "d", told_ns: int) -> Engine:
    watches = tuple(judged.save())
    blob = encode(Checkpoint(told_ns, told_ns, {}, (), watches))
    fresh = Engine(
        rules=[tested],
        inventory=Inventory(tuple(map(placed, devices)), ZONES),
        since_ns=ns(0),
        fresh_for_ns=10**18,
    )
    assert fresh.restore(decode(blob).watches) == ({"rule"} if "d" in devices else frozenset())
    return fresh


def test_another_process_goes_on_with_each_series() -> None:
    tested = rule(SILENT, PER)
    judged = engine(tested, devices=[placed("d")])
    judged.take([*both(100), value(200, 20, quantity=HUMIDITY)], seen_ns=ns(200))
    fresh = _restored(tested, judged, told_ns=ns(200))
    assert {one.subject for one in fresh.watches} == {of(TEMPERATURE), of(HUMIDITY)}
    assert said(fresh.tick(ns(900), seen_ns=ns(900)).verdicts) == [
        (TEMPERATURE, "firing", 400), (HUMIDITY, "firing", 500),
    ]  # fmt: skip


def test_series_of_a_device_that_is_gone_are_passed_over_and_judged_no_more() -> None:
    tested = rule(SILENT, PER, CLIMATE)
    judged = engine(tested, devices=[placed("d"), placed("e")])
    judged.take(both(100), seen_ns=ns(100))
    fresh = _restored(tested, judged, devices="e", told_ns=ns(100))
    assert fresh.watches == []
    assert judged.judges("rule", of(TEMPERATURE))
    assert judged.judges("rule", of(HUMIDITY, "e")), "it may send it yet"
    assert not judged.judges("rule", of("carbon_dioxide"))
    assert not judged.judges("rule", Subject("elgazala", device="d"))
    assert not fresh.judges("rule", of(TEMPERATURE))


@pytest.mark.parametrize(("interval_s", "at_s"), [(None, 400), (60.0, 450)])
def test_an_engine_with_other_devices_goes_on_with_each_series(
    interval_s: float | None, at_s: int
) -> None:
    tested = rule(SILENT, PER)
    judged = engine(tested, devices=[placed("d")])
    judged.take([*both(100), *both(100, device="x")], seen_ns=ns(100))
    devices = (placed("d", interval_s=interval_s), placed("e"))
    fresh = Engine(
        rules=[tested],
        inventory=Inventory(devices, ZONES),
        since_ns=ns(150),
        fresh_for_ns=10**18,
        adopt=[(judged, {"rule"})],
    )
    assert {one.subject.device for one in fresh.watches} == {"d"}
    found = fresh.tick(ns(900), seen_ns=ns(900)).verdicts
    assert said(found) == [(TEMPERATURE, "firing", at_s), (HUMIDITY, "firing", at_s)]


@given(
    values=st.lists(
        st.tuples(
            st.integers(0, 900),
            st.sampled_from((TEMPERATURE, HUMIDITY)),
            st.sampled_from((20.0, 48.0, 60.0)),
        ),
        max_size=30,
        unique_by=lambda one: one[:2],
    ),
    shuffled=st.randoms(use_true_random=False),
    when=st.sampled_from((SILENT, "{absence: {after: 1m}}", "{threshold: {above: 50, margin: 5}}")),
)
def test_a_series_is_judged_as_if_it_were_alone_in_whatever_order_values_come(
    values: list[tuple[int, str, float]], shuffled: object, when: str
) -> None:
    readings = [value(second, number, quantity=name) for second, name, number in values]
    mixed = list(readings)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    together = _episodes(rule(when, PER, "lateness: 20m"), mixed)
    for name in (TEMPERATURE, HUMIDITY):
        own = sorted((one for one in readings if one.quantity == name), key=lambda one: one.time_ns)
        alone = _episodes(rule(when, PER, "lateness: 20m"), own)
        assert together.get(of(name), []) == alone.get(of(name), [])


def _episodes(tested: Rule, readings: list[Reading]) -> dict[Subject, list[tuple[int, object]]]:
    judged = engine(tested, devices=[placed("d")])
    for one in readings:
        judged.take([one], seen_ns=ns(900))
    judged.tick(ns(3000), seen_ns=ns(3000))
    return {
        watch.subject: [(one.at_ns, one.until_ns) for one in watch.episodes]
        for watch in judged.watches
    }


def test_a_limit_with_a_unit_is_converted_where_all_that_is_selected_has_one_unit() -> None:
    found = rule(
        "{threshold: {above: 82.4 °F, margin: 9 °F}}",
        PER,
        "select: {quantity: [air_temperature, surface_temperature]}",
    ).when
    assert isinstance(found, Threshold)
    assert [found.above, found.margin] == pytest.approx([28, 5])
    rate = rule("{rate: {over: 1h, below: -9 °F}}", PER, "select: {quantity: air_*ature}").when
    assert isinstance(rate, Rate)
    assert rate.below == pytest.approx(-5)


def test_true_is_a_limit_where_all_that_is_selected_is_true_or_false() -> None:
    found = rule("{threshold: {below: true}}", PER, "select: {quantity: [water_leak, door_open]}")
    assert found.when == Threshold("", below=1)
    text = source("{threshold: {above: true}}", "select: {quantity: [door_open, illuminance]}")
    with pytest.raises(RuleError, match="a number such as `20"):
        parse_rule(text, origin="r.yaml")


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (source("{threshold: {above: 28 Cel}}"), "r.yaml:4: when.threshold.above", "a number"),
        (source("{rate: {over: 1h, above: 3 K}}", CLIMATE), "r.yaml:4: when.rate.above",
         "not one unit (%, Cel)"),
        (source("{threshold: {above: 3 kg}}", "select: {quantity: dew_point}"),
         "r.yaml:4: when.threshold.above", "Cel"),
        (source("{threshold: {above: hot}}", "select: {quantity: dew_point}"),
         "r.yaml:4: when.threshold.above", "`20 Cel`"),
        (source("{threshold: {above: hot}}"), "r.yaml:4: when.threshold.above", "a number"),
        (source("{threshold: {quantity: air_temperature, above: 3}}"),
         "r.yaml:4: when.threshold.quantity", "select: {quantity: ...}"),
        (source("{any: [{absence: {quantity: air_temperature}}]}"),
         "r.yaml:4: when.any[0].absence.quantity", "select: {quantity: ...}"),
        (source("{not: {battery: {within: 3d}}}"), "r.yaml:4: when.not.battery", "per: device"),
        (source("{news2: {}}"), "r.yaml:4: when.news2", "per: person"),
        (source("{completeness: {below: 9 %}}"), "r.yaml:4: when.completeness", "per: site"),
        (source("{count: {of: {absence: {}}, at_least: 2}}"), "r.yaml:4: when.count", "per: zone"),
        (source(SILENT, "select: {quantity: air_temprature}"), "r.yaml:5: select.quantity",
         "did you mean air_temperature?"),
        (source(SILENT, "select: {quantity: [air_*, lava_*]}"), "r.yaml:5: select.quantity[1]",
         "no quantity fits 'lava_*'"),
        (source(SILENT, "select: {quantity: 7}"), "r.yaml:5: select.quantity", "a list"),
        (source(SILENT, "overrides:", "  - {device: d, when: {threshold: {above: 3 K}}, "
         "author: a, reason: b, expires: 2027-01-01}"),
         "r.yaml:6: overrides[0].when.threshold.above", "not one unit"),
        (source(SILENT).replace(PER, "per: device") + "\nselect: {quantity: air_*}",
         "r.yaml:5: select.quantity", "per: series"),
        (source("{threshold: {above: 3}}").replace(PER, "per: device"),
         "r.yaml:4: when.threshold", "quantity is missing"),
        (source("{seasonal: {}}").replace(PER, "per: zone"), "r.yaml:4: when.seasonal",
         "quantity is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text, origin="r.yaml")
    assert caught.value.detail.startswith(place)
    assert what in caught.value.detail


def test_it_reads_what_it_selects_and_needs_health_where_that_may_be_a_vital_sign() -> None:
    every = rule(SILENT, PER)
    assert quantities(every) is None
    assert series_of(every) == frozenset(CATALOGUE)
    assert about_health(every)
    climate = rule("{threshold: {above: 3}}", PER, CLIMATE)
    assert quantities(climate) == series_of(climate) == {TEMPERATURE, HUMIDITY}
    assert not about_health(climate)
    assert about_health(rule(SILENT, PER, "select: {quantity: heart_*}"))


def test_a_condition_is_said_of_the_value_and_of_the_quantity_of_an_alert() -> None:
    written = rule("{all: [{threshold: {above: 50, margin: 5}}, {not: {absence: {}}}]}", PER).when
    asked = asked_of(written, HUMIDITY)
    assert limits_of(asked) == [
        Limit(HUMIDITY, "above", 50), Limit(HUMIDITY, "clear_above", 45),
    ]  # fmt: skip
    threshold = rule("{threshold: {above: 50}}", PER).when
    assert in_words(threshold, "en") == "the value above 50"
    assert in_words(threshold, "fr") == "la valeur au-dessus de 50"
    assert in_words(asked_of(threshold, HUMIDITY), "en") == "relative humidity above 50 %"
    silent = asked_of(rule(SILENT, PER).when, TEMPERATURE)
    assert in_words(silent, "fr") == "rien (température de l'air) reçu pendant 5 min"
    assert asked_of(written, "") == written
