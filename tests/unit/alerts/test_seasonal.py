"""Seasonal: what is usual is found from the series' own past, and only from there."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.conditions.baseline import Samples, usual
from alerts.conditions.node import Entry
from alerts.conditions.seasonal import SeasonalNode
from alerts.rules.model import Season, Seasonal
from core.clock import NS_PER_S
from core.reading import Reading
from tests.unit.alerts.rules import engine, feed, ns, rule, value

DAY = 86_400
TUNIS = ZoneInfo("Africa/Tunis")
PARIS = ZoneInfo("Europe/Paris")
SAID = Seasonal("air_temperature")


def _node(said: Seasonal = SAID, zone: ZoneInfo = TUNIS) -> SeasonalNode:
    return SeasonalNode(said, zone=zone)


def _temperature(at_s: float, zone: ZoneInfo = TUNIS) -> float:
    """Return what a room has: by the clock on the wall, and a noise of its own."""
    local = datetime.fromtimestamp(at_s, UTC).astimezone(zone)
    hour = local.hour + local.minute / 60
    noise = random.Random(round(at_s)).uniform(-0.4, 0.4)
    return 21 + 3 * math.sin((hour - 9) / 24 * math.tau) + noise


def _entries(first: float, last: float, *, every_s: int = 600, off: float = 0) -> Iterator[Entry]:
    start_s = ns(0) // NS_PER_S
    for second in range(round(first * DAY), round(last * DAY), every_s):
        at_s = start_s + second
        yield at_s * NS_PER_S, "d", "air_temperature", _temperature(at_s) + off


def _said(node: SeasonalNode, entries: Iterator[Entry]) -> list[bool | None]:
    found = []
    for one in entries:
        node.take(one)
        found.append(node.holds(one[0]))
    return found


def test_it_cannot_be_said_before_half_of_the_history_is_known() -> None:
    node = _node()
    assert set(_said(node, _entries(0, 5.5))) == {None}
    _said(node, _entries(5.5, 7.5))
    assert set(_said(node, _entries(7.5, 20))) == {False}


def test_what_is_far_from_usual_is_told_with_what_is_usual() -> None:
    node = _node()
    _said(node, _entries(0, 14))
    at_ns, *_, measured = next(_entries(14.5, 15))
    node.take((at_ns, "d", "air_temperature", measured + 3))
    assert node.holds(at_ns) is True
    facts = node.facts(at_ns)
    assert facts["expected"] == pytest.approx(measured, abs=0.7)
    assert 0.5 < float(facts["allowed"]) < 2
    node.take((at_ns, "d", "air_temperature", measured))
    assert node.holds(at_ns) is False


@pytest.mark.parametrize(("side", "high", "low"), [("above", True, False), ("below", False, True)])
def test_only_the_side_that_is_asked_for_counts(side: str, *, high: bool, low: bool) -> None:
    for off, expected in ((4, high), (-4, low)):
        node = _node(Seasonal("air_temperature", above=side == "above", below=side == "below"))
        _said(node, _entries(0, 14))
        assert _said(node, _entries(14, 14.1, off=off))[-1] is expected


def test_what_alarms_does_not_become_usual_within_days_but_a_lasting_change_does() -> None:
    node = _node()
    _said(node, _entries(0, 14))
    assert set(_said(node, _entries(14, 20, off=5))) == {True}
    _said(node, _entries(20, 23, off=5))
    assert set(_said(node, _entries(23, 24, off=5))) == {False}
    assert set(_said(node, _entries(24, 25))) == {True}  # what was usual is not any more


def test_a_gap_is_nothing_and_after_a_long_one_it_cannot_be_said_again() -> None:
    node = _node()
    _said(node, _entries(0, 14))
    assert set(_said(node, _entries(17, 18))) == {False}
    assert set(_said(node, _entries(40, 45.5))) == {None}
    _said(node, _entries(45.5, 47.5))
    assert set(_said(node, _entries(47.5, 49))) == {False}


def test_a_time_of_day_that_was_never_measured_cannot_be_said() -> None:
    node = _node()
    working = [one for one in _entries(0, 14) if _local(one[0]).hour in range(8, 18)]
    _said(node, iter(working))
    day = list(_entries(14, 15))
    by_hour = {
        _local(one[0]).hour: said for one, said in zip(day, _said(node, iter(day)), strict=True)
    }
    assert by_hour[12] is False
    assert by_hour[2] is None


@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"])
def test_the_season_follows_the_clock_on_the_wall_across_a_change_of_summer_time(
    change: str,
) -> None:
    node = _node(zone=PARIS)
    first_s = round(datetime.fromisoformat(change).replace(tzinfo=UTC).timestamp()) - 14 * DAY
    for at_s in range(first_s, first_s + 21 * DAY, 600):
        at_ns = at_s * NS_PER_S
        node.take((at_ns, "d", "air_temperature", _temperature(at_s, PARIS)))
        assert node.holds(at_ns) is not True


def test_a_series_that_never_changed_is_not_alarmed_by_its_noise() -> None:
    node = _node()
    _said(node, ((at_ns, d, q, 21.5) for at_ns, d, q, _ in _entries(0, 14)))
    at_ns = ns(14 * DAY)
    for measured, expected in (
        (21.9, False),
        (22.5, True),
    ):  # a thousandth of -60 to 85, four times
        node.take((at_ns, "d", "air_temperature", measured))
        assert node.holds(at_ns) is expected


def test_the_resolution_of_the_instrument_is_the_least_spread() -> None:
    node = _node()
    steps = (
        (at_ns, d, q, 21.5 if n % 50 else 22.0)
        for n, (at_ns, d, q, _) in enumerate(_entries(0, 14))
    )
    _said(node, steps)
    at_ns = ns(14 * DAY)
    for measured, expected in ((23.0, False), (24.0, True)):
        node.take((at_ns, "d", "air_temperature", measured))
        assert node.holds(at_ns) is expected


def test_what_is_off_by_no_more_than_the_minimum_is_never_far() -> None:
    node = _node(Seasonal("air_temperature", minimum=6))
    _said(node, _entries(0, 14))
    assert set(_said(node, _entries(14, 15, off=5))) == {False}


def test_a_weekend_is_usual_where_the_season_is_a_week() -> None:
    said = Seasonal("air_temperature", season=Season.WEEK, seasons=6)
    node = _node(said)
    found: list[bool | None] = []
    for at_ns, device, name, measured in _entries(0, 49, every_s=3600):
        weekend = _local(at_ns).weekday() >= 5
        node.take((at_ns, device, name, measured - 6 * weekend))
        found.append(node.holds(at_ns))
    assert set(found[: 14 * 24]) == {None}
    assert set(found[-7 * 24 :]) == {False}
    for at_ns, device, name, measured in _entries(49, 50, every_s=3600):
        node.take((at_ns, device, name, measured - 6))
        assert node.holds(at_ns) is (_local(at_ns).weekday() < 5)


def test_its_state_goes_through_messagepack_is_small_and_says_the_same_after() -> None:
    node, again = _node(), _node()
    _said(node, _entries(0, 15))
    packed = msgspec.msgpack.encode(node.save())
    assert len(packed) < 4096
    again.load(msgspec.msgpack.decode(packed))
    later = list(_entries(15, 16)) + list(_entries(16, 17, off=5))
    assert _said(node, iter(later)) == _said(again, iter(later))


def test_what_was_saved_does_not_change_while_it_goes_on() -> None:
    node = _node()
    _said(node, _entries(0, 14))
    saved = node.save()
    first = _said(node, _entries(14, 16, off=2))
    node.load(saved)
    assert _said(node, _entries(14, 16, off=2)) == first


@given(seed=st.integers(0, 2**32))
def test_values_in_any_order_within_lateness_come_to_the_same(seed: int) -> None:
    said = rule("{seasonal: {quantity: air_temperature, history: 3d}}", "for: 30m", "lateness: 2h")
    off = [(at_ns, number + (6 if 4.3 * DAY < (at_ns - ns(0)) / NS_PER_S < 4.5 * DAY else 0))
           for at_ns, *_, number in _entries(0, 5, every_s=1800)]  # fmt: skip
    readings = [Reading("elgazala", "d", "air_temperature", at_ns, number) for at_ns, number in off]
    shuffled = random.Random(seed)
    mixed = sorted(readings, key=lambda one: one.time_ns + shuffled.randrange(7200) * NS_PER_S)
    straight, crooked = engine(said), engine(said)
    for one in readings:
        straight.take([one], seen_ns=one.time_ns)
    for one in mixed:
        crooked.take([one], seen_ns=one.time_ns)
    assert straight.watches[0].phases.node.save() == crooked.watches[0].phases.node.save()
    assert straight.watches[0].episodes == crooked.watches[0].episodes


def test_in_a_zone_each_device_has_its_own_usual_values() -> None:
    said = rule("{seasonal: {quantity: air_temperature, history: 3d}}", "per: site")
    tested = engine(said)
    found = []
    for at_ns, _, _, measured in _entries(0, 4, every_s=1800):
        second = (at_ns - ns(0)) / NS_PER_S
        found += feed(
            tested, value(second, measured, device="a"), value(second, measured + 10, device="b")
        )
    assert {state for state, _ in found} <= {"incomplete", "clear"}
    assert feed(tested, value(4 * DAY, 60, device="a"))[0][0] == "firing"


@given(
    rows=st.integers(3, 8),
    seed=st.integers(0, 2**32),
    missing=st.floats(0, 0.9),
)
def test_what_is_usual_is_the_median_of_what_the_seasons_had_around_a_slot(
    rows: int, seed: int, missing: float
) -> None:
    chance = np.random.default_rng(seed)
    samples = chance.integers(0, 40, (rows, 12)).astype(np.float32)
    samples[chance.random(samples.shape) < missing] = np.nan
    level, spread = usual(samples, needed=3, extent=1000)
    expected = [_level(samples, slot) for slot in range(12)]
    values = sorted({float(one) for one in samples.ravel() if not math.isnan(one)})
    least = min((later - one for one, later in pairwise(values)), default=1.0)
    for slot in range(12):
        apart = [
            abs(one - usually)
            for place, one in _around(samples, slot)
            if (usually := expected[place]) is not None
        ]
        if expected[slot] is None or not apart:
            assert math.isnan(level[slot])
            assert math.isnan(spread[slot])
            continue
        assert level[slot] == pytest.approx(expected[slot], rel=1e-4)
        assert spread[slot] == pytest.approx(max(least, 1.4826 * median(apart)), rel=1e-3, abs=1e-3)


def _level(samples: Samples, slot: int) -> float | None:
    means = []
    for season in range(len(samples)):
        near = [one for _, one in _around(samples, slot, season)]
        means += [sum(near) / len(near)] if near else []
    return median(means) if len(means) >= 3 else None


def _around(samples: Samples, slot: int, season: int | None = None) -> list[tuple[int, float]]:
    line = samples.ravel()
    rows = range(len(samples)) if season is None else (season,)
    near = [row * 12 + slot + beside for row in rows for beside in range(-2, 3)]
    return [
        (place % 12, float(line[place]))
        for place in near
        if 0 <= place < len(line) and not math.isnan(line[place])
    ]


def _local(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(TUNIS)
