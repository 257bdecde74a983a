"""What rules learn of devices from the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.model import Subject
from alerts.rules.inventory import Placed, fits, inventory_of, subject_of
from core.clock import NS_PER_S, ManualClock
from devices.registry import Device, Registry
from tests.unit.alerts.rules import START_S, ns, rule

WATCH = Device(
    id="watch-1",
    site="elgazala",
    profile="senml",
    external_id="watch-1",
    building="A",
    zone="A-101",
    interval_s=60.0,
    labels={"ward": "3"},
)
HOT = "{threshold: {quantity: heart_rate, above: 120}}"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry.open(
        f"sqlite:///{tmp_path / 'registry.db'}", clock=ManualClock(START_S * NS_PER_S)
    )
    made.migrate()
    made.seed([], [])
    made.devices.add(WATCH)
    yield made
    made.close()


def watch(registry: Registry, at_s: float) -> Placed:
    [found] = inventory_of(registry, at_ns=ns(at_s)).devices
    return found


def test_a_device_has_its_place_and_its_labels(registry: Registry) -> None:
    found = inventory_of(registry, at_ns=ns(0))
    assert found.devices == (
        Placed(
            site="elgazala",
            device="watch-1",
            building="A",
            zone="A-101",
            profile="senml",
            interval_s=60.0,
            labels={"ward": "3"},
        ),
    )
    assert found.zones["elgazala"].key == "Africa/Tunis"


def test_a_device_has_the_person_who_has_it_at_the_instant(registry: Registry) -> None:
    first = registry.assignments.assign("watch-1", "p-1", start_ns=ns(0), end_ns=ns(60), by="x")
    registry.assignments.assign("watch-1", "p-2", start_ns=ns(90), by="x")
    persons = [watch(registry, at_s).person for at_s in (-1, 0, 59, 60, 89, 90, 9_999)]
    assert persons == ["", "p-1", "p-1", "", "", "p-2", "p-2"]
    registry.assignments.end(first.id, end_ns=first.start_ns, by="x")
    assert watch(registry, 0).person == ""


def test_rules_select_by_label_and_are_about_persons(registry: Registry) -> None:
    registry.assignments.assign("watch-1", "p-1", start_ns=ns(0), by="x")
    about = rule(HOT, "per: person", "select: {labels: {ward: '3'}}")
    worn, idle = watch(registry, 0), watch(registry, -1)
    assert fits(about.select, worn)
    assert not fits(rule(HOT, "select: {labels: {ward: '4'}}").select, worn)
    assert subject_of(about, worn) == Subject("elgazala", person="p-1")
    assert subject_of(about, idle) is None
