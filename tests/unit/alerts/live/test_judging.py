"""Rules at work, live, while rules and devices change."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from alerts.evaluate.engine import Outcome
from alerts.evaluate.watch import Kept, Told
from alerts.live.history import Reader
from alerts.live.judging import Judging, ToldAlerts
from alerts.live.plan import Plan
from alerts.model import State, Subject
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.source import parse_rule
from core.clock import NS_PER_S
from core.reading import Point, Reading
from storage.backends.memory import MemoryStore
from tests.servers.waiting import wait_until

NOW_NS = 1_795_500_000 * NS_PER_S
HOT = """\
rule: hot
title: {en: Hot, fr: Chaud}
when: {threshold: {quantity: air_temperature, above: 28}}
"""


SILENT = """\
rule: hot
title: {en: Silent, fr: Muet}
per: series
select: {quantity: [air_temperature, relative_humidity]}
when: {absence: {after: 5m}}
"""
MINUTE_NS = 60 * NS_PER_S


def plan(*devices: str, source: str = HOT) -> Plan:
    placed = tuple(Placed("elgazala", name, interval_s=60) for name in devices)
    return Plan(
        rules=(parse_rule(source, origin="test"),),
        unusable=MappingProxyType({}),
        inventory=Inventory(placed, {"elgazala": ZoneInfo("UTC")}),
        asked_ns={"hot": 0},
        revision=len(devices),
    )


def test_a_device_whose_clock_is_behind_is_judged_though_devices_changed_before_it_spoke() -> None:
    heard: list[Outcome] = []
    reader = Reader(MemoryStore())
    judging = Judging(reader=reader, past=reader, hear=heard.append)
    judging.begin(
        plan("d1"),
        kept=(),
        saved_ns=NOW_NS,
        again_ns=NOW_NS,
        told={},
        now_ns=NOW_NS,
        failed=lambda: None,
        lost=lambda: None,
    )
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


def begun(
    store: MemoryStore,
    heard: list[Outcome],
    *,
    now_ns: int,
    kept: Sequence[Kept] = (),
    told: ToldAlerts,
) -> Judging:
    """Return rules per series at work, that were given what is stored and say what holds."""
    reader = Reader(store)
    past = Reader(store)
    judging = Judging(reader=reader, past=past, hear=heard.append)
    judging.begin(
        plan("d1", source=SILENT),
        kept=kept,
        saved_ns=now_ns,
        again_ns=now_ns - 5 * MINUTE_NS,
        told=told,
        now_ns=now_ns,
        failed=lambda: None,
        lost=lambda: None,
    )
    while not reader.idle:
        reader.advance(wait_s=5)
    judging.speak(now_ns=now_ns)
    look_back(judging, told=told, now_ns=now_ns)
    reader.close()
    past.close()
    return judging


def look_back(judging: Judging, *, told: ToldAlerts, now_ns: int) -> None:
    """Have the past judged anew to its end."""
    wait_until(lambda: judging.look_back(now_s=0.0), seconds=10, what="the past was judged")
    judging.have_looked_back(told=told, now_ns=now_ns, whole=True)


def said(heard: list[Outcome]) -> list[tuple[Subject, State, int]]:
    return [(one.subject, one.state, one.at_ns) for outcome in heard for one in outcome.verdicts]


def test_a_series_is_known_from_what_is_stored_and_goes_on_in_another_process() -> None:
    store = MemoryStore()
    temperature, humidity = {"air_temperature": 20.0}, {"relative_humidity": 40.0}
    for minute in range(20):
        at_ns = NOW_NS - minute * MINUTE_NS
        fields = temperature if minute < 9 else temperature | humidity
        store.write([Point("elgazala", "d1", "environment", at_ns, fields)])
    heard: list[Outcome] = []
    judging = begun(store, heard, now_ns=NOW_NS, told={})
    silent = Subject("elgazala", device="d1", quantity="relative_humidity")
    for minute in range(1, 8):
        at_ns = NOW_NS + minute * MINUTE_NS
        judging.take([Reading("elgazala", "d1", "air_temperature", at_ns, 20.0)], now_ns=at_ns)
        judging.tick(now_ns=at_ns)
        store.write([Point("elgazala", "d1", "environment", at_ns, temperature)])
    fired_ns = NOW_NS + 5 * MINUTE_NS
    assert said(heard) == [(silent, State.FIRING, fired_ns)]
    kept = judging.save(entries_before_ns=at_ns - 5 * MINUTE_NS)
    assert {one.subject.quantity for one in kept} == {"air_temperature", "relative_humidity"}

    heard.clear()
    told = {("hot", silent): [Told(fired_ns, None)]}
    other = begun(store, heard, now_ns=at_ns, kept=kept, told=told)
    other.tick(now_ns=at_ns + NS_PER_S)
    assert said(heard) == []
    assert other.gone() == []
    back_ns = at_ns + MINUTE_NS
    other.take([Reading("elgazala", "d1", "relative_humidity", back_ns, 41.0)], now_ns=back_ns)
    assert said(heard) == [(silent, State.CLEAR, back_ns)]
    other.change(plan("d2", source=SILENT), told=told, now_ns=back_ns, ready=lambda: None)
    assert [(rule, subject) for rule, subject, _ in other.gone()] == [("hot", silent)]
