"""What is to be judged, as the registry has it; clocks that step; who may judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.live.clockwatch import ClockWatch
from alerts.live.lease import LeaseKeeper
from alerts.live.plan import plan_of
from core.clock import NS_PER_S, ManualClock, SystemClock
from devices.registry import Registry
from devices.registry.alert_records import RuleState
from devices.registry.notices import LEASE

RULE = """\
rule: hot
title: {en: Hot, fr: Chaud}
when: {threshold: {quantity: air_temperature, above: 28}}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(f"sqlite:///{tmp_path / 'registry.db'}", clock=SystemClock())
    opened.migrate()
    opened.seed((), ())
    yield opened
    opened.close()


def test_the_newest_versions_of_active_rules_are_judged(registry: Registry) -> None:
    registry.rules.put("hot", RULE, author="a", reason="first")
    registry.rules.put("hot", RULE, author="a", reason="again")
    registry.rules.put("cold", RULE.replace("hot", "cold"), author="a", reason="first")
    registry.rules.put(
        "cold", RULE.replace("hot", "cold"), author="a", reason="off", state=RuleState.DISABLED
    )
    plan = plan_of(registry, now_ns=0)
    assert plan.versions == {("hot", 2)}
    assert plan.rules[0].version == 2
    assert plan.inventory.zones["elgazala"].key == "Africa/Tunis"


def test_a_rule_that_cannot_be_used_keeps_no_other_from_being_judged(registry: Registry) -> None:
    registry.rules.put("hot", RULE, author="a", reason="first")
    registry.rules.put(
        "odd", RULE.replace("threshold", "phase_of_the_moon"), author="a", reason="b"
    )
    plan = plan_of(registry, now_ns=0)
    assert plan.versions == {("hot", 1)}
    assert "phase_of_the_moon" in plan.unusable["odd"]
    assert "odd, version 1" in plan.unusable["odd"]


def test_a_step_of_the_clock_is_told_once_and_slow_corrections_never() -> None:
    clock = ManualClock(1000 * NS_PER_S)
    tested = ClockWatch(clock)
    clock.advance(60)
    assert tested.stepped_s() == 0
    clock.step_to(clock.now_ns() + 3600 * NS_PER_S)
    assert tested.stepped_s() == pytest.approx(3600)
    assert tested.stepped_s() == 0
    for _ in range(100):
        clock.advance(1)
        clock.step_to(clock.now_ns() + NS_PER_S // 10)
        assert tested.stepped_s() == 0
    clock.step_to(clock.now_ns() - 5 * NS_PER_S)
    assert tested.stepped_s() == pytest.approx(-5)


def test_one_of_two_processes_holds_the_lease_and_the_other_takes_over(registry: Registry) -> None:
    first = LeaseKeeper(registry=registry, holder="first", for_s=3)
    second = LeaseKeeper(registry=registry, holder="second", for_s=3)
    first.start()
    assert first.wait(5)
    second.start()
    assert not registry.leases.hold(LEASE, holder="second", for_s=3)
    assert not second.held
    first.stop()
    assert second.wait(10)
    assert not first.held
    second.stop()
