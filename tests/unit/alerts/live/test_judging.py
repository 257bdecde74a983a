"""Rules at work, live, while rules and devices change."""

from __future__ import annotations

from types import MappingProxyType
from zoneinfo import ZoneInfo

from alerts.evaluate.engine import Outcome
from alerts.live.history import Reader
from alerts.live.judging import Judging
from alerts.live.plan import Plan
from alerts.model import State
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.source import parse_rule
from core.clock import NS_PER_S
from core.reading import Reading
from storage.backends.memory import MemoryStore

NOW_NS = 1_795_500_000 * NS_PER_S
HOT = """\
rule: hot
title: {en: Hot, fr: Chaud}
when: {threshold: {quantity: air_temperature, above: 28}}
"""


def plan(*devices: str) -> Plan:
    placed = tuple(Placed("elgazala", name, interval_s=60) for name in devices)
    return Plan(
        rules=(parse_rule(HOT, origin="test"),),
        unusable=MappingProxyType({}),
        inventory=Inventory(placed, {"elgazala": ZoneInfo("UTC")}),
        asked_ns={"hot": 0},
        revision=len(devices),
    )


def test_a_device_whose_clock_is_behind_is_judged_though_devices_changed_before_it_spoke() -> None:
    heard: list[Outcome] = []
    reader = Reader(MemoryStore())
    judging = Judging(reader=reader, hear=heard.append)
    judging.begin(plan("d1"), kept=(), again_ns=NOW_NS, told={}, now_ns=NOW_NS, failed=lambda: None)
    while not reader.idle:
        reader.advance(wait_s=5)
    judging.speak(now_ns=NOW_NS)
    later_ns = NOW_NS + 600 * NS_PER_S
    judging.change(plan("d1", "d2"), told={}, now_ns=later_ns, ready=lambda: None)
    behind_ns = later_ns - 120 * NS_PER_S
    judging.take([Reading("elgazala", "d2", "air_temperature", behind_ns, 35)], now_ns=later_ns)
    reader.close()
    assert [one.late for one in heard if one.late] == []
    found = [(one.subject.device, one.state) for outcome in heard for one in outcome.verdicts]
    assert found == [("d2", State.FIRING)]
