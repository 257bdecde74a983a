"""What the registry promises of newest values, marked hours and leases, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.clock import NS_PER_HOUR, ManualClock
from core.reading import DeviceKey, Reading
from devices.registry import Registry
from devices.registry.kept import Late, Mark
from devices.registry.leases import GRACE_NS
from tests.contract.registry_data import DATABASES, NOW_NS, new_address

HOUR = 1_763_902_800
ONE = DeviceKey("elgazala", "one")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    made = Registry.open(new_address(request, tmp_path), clock=clock)
    made.migrate()
    yield made
    made.close()


def value(time_ns: int, number: float, quantity: str = "air_temperature") -> Reading:
    return Reading("elgazala", "one", quantity, time_ns, number, 4)


def mark(hour: int = HOUR, device: str = "one") -> Mark:
    return Mark("elgazala", device, "environment", hour)


def test_only_a_later_value_or_one_of_the_same_instant_replaces_the_newest(
    registry: Registry,
) -> None:
    registry.kept.tell([value(10, 1.0), value(5, 9.0), value(7, 3.0, "dew_point")], [])
    registry.kept.tell([value(9, 2.0)], [])
    assert set(registry.kept.latest().values) == {value(10, 1.0), value(7, 3.0, "dew_point")}
    registry.kept.tell([value(10, 1.5)], [])
    assert value(10, 1.5) in registry.kept.latest().values


@pytest.mark.parametrize(
    "number", [5e-324, -1.7976931348623157e308, 0.1 + 0.2, 2.0**53 + 2], ids=str
)
def test_a_newest_value_is_kept_to_the_last_digit(registry: Registry, number: float) -> None:
    registry.kept.tell([value(2**63 - 1, number)], [])
    [found] = registry.kept.latest().values
    assert (found.time_ns, repr(found.value)) == (2**63 - 1, repr(number))


@pytest.mark.parametrize("name", ["'; DROP TABLE x", 'a"b\\c', "%(a)s %s", "é 😀 \u2028", "null"])
def test_names_are_text_whatever_is_in_them(registry: Registry, name: str) -> None:
    told = [Reading(name, name, "dew_point", n, 1.0, 4) for n in (1, 2)]
    registry.kept.tell(told, [Mark(name, name, "environment", HOUR)])
    assert registry.kept.latest().values == [told[1]]
    assert registry.kept.marks(before_hour=HOUR + 1, limit=9) == [
        Mark(name, name, "environment", HOUR, version=1)
    ]


def test_more_rows_than_one_statement_takes_are_all_kept(registry: Registry) -> None:
    told = [Reading("elgazala", f"d{n}", "dew_point", n, float(n), 4) for n in range(2500)]
    registry.kept.tell(told, [mark(device=f"d{n}") for n in range(2500)])
    assert sorted(registry.kept.latest().values, key=lambda one: one.time_ns) == told
    assert registry.kept.marked() == 2500


def test_what_was_told_after_a_turn_is_told_apart(registry: Registry) -> None:
    registry.kept.tell([value(10, 1.0)], [])
    before = registry.kept.latest()
    registry.kept.tell([value(11, 1.0, "dew_point")], [])
    later = registry.kept.latest(after_turn=before.turn)
    assert (before.values, later.values) == ([value(10, 1.0)], [value(11, 1.0, "dew_point")])
    assert registry.kept.latest(after_turn=later.turn).values == []


def test_a_value_taken_out_of_the_store_is_forgotten_unless_a_newer_came(
    registry: Registry,
) -> None:
    registry.kept.tell([value(10, 1.0)], [])
    registry.kept.forget([value(9, 1.0)])
    assert registry.kept.latest().values == [value(10, 1.0)]
    before = registry.kept.latest()
    registry.kept.forget([value(10, 1.0)])
    after = registry.kept.latest()
    assert (after.values, after.forgotten) == ([], before.forgotten + 1)


def test_a_mark_made_while_the_hour_was_rolled_up_stays(registry: Registry) -> None:
    registry.kept.tell([], [mark(), mark(device="two")])
    seen = registry.kept.marks(before_hour=HOUR + 1, limit=10)
    registry.kept.tell([], [mark()])
    registry.kept.rolled(seen)
    left = registry.kept.marks(before_hour=HOUR + 1, limit=10)
    assert [(one.device, one.version) for one in left] == [("one", 2)]
    assert registry.kept.marked() == 1


def test_marks_come_newest_first_and_only_of_past_hours(registry: Registry) -> None:
    registry.kept.tell([], [mark(HOUR), mark(HOUR + 3600), mark(HOUR + 7200)])
    hours = [one.hour for one in registry.kept.marks(before_hour=HOUR + 7200, limit=10)]
    assert hours == [HOUR + 3600, HOUR]
    assert len(registry.kept.marks(before_hour=HOUR + 9999, limit=2)) == 2


def test_the_first_marked_hour_of_a_device_is_found(registry: Registry) -> None:
    registry.kept.tell([], [mark(HOUR), mark(HOUR + 3600), mark(HOUR + 3600, "two")])
    devices = [ONE, DeviceKey("elgazala", "two"), DeviceKey("diamniadio", "one")]
    found = registry.kept.first_marks(devices, start_hour=HOUR, end_hour=HOUR + 9000)
    assert found == {ONE: HOUR, devices[1]: HOUR + 3600}
    later = registry.kept.first_marks(devices, start_hour=HOUR + 1, end_hour=HOUR + 3600)
    assert later == {}


def test_a_number_is_noted_and_replaced(registry: Registry) -> None:
    assert registry.kept.state("rolled_from") is None
    registry.kept.note("rolled_from", 7)
    registry.kept.note("rolled_from", -3)
    assert registry.kept.state("rolled_from") == -3


def test_a_lease_has_one_holder_until_it_ran_out(registry: Registry, clock: ManualClock) -> None:
    assert registry.leases.hold("roll", holder="a", for_s=10)
    assert not registry.leases.hold("roll", holder="b", for_s=10)
    assert registry.leases.hold("other", holder="b", for_s=10)
    clock.advance(9)
    assert registry.leases.hold("roll", holder="a", for_s=10)
    clock.advance(10 + GRACE_NS / 1e9)
    assert not registry.leases.hold("roll", holder="b", for_s=10)
    clock.advance(1)
    assert registry.leases.hold("roll", holder="b", for_s=10)
    assert not registry.leases.hold("roll", holder="a", for_s=10)


def test_a_lease_that_was_let_go_is_free(registry: Registry) -> None:
    registry.leases.hold("roll", holder="a", for_s=10)
    registry.leases.let_go("roll", holder="b")
    assert not registry.leases.hold("roll", holder="b", for_s=10)
    registry.leases.let_go("roll", holder="a")
    assert registry.leases.hold("roll", holder="b", for_s=10)


def test_of_many_that_ask_at_once_one_gets_the_lease(registry: Registry) -> None:
    def ask(name: str) -> bool:
        return registry.leases.hold("roll", holder=name, for_s=10)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, "abcdefgh")) == 1


def test_devices_with_values_in_hours_that_are_over_are_late(registry: Registry) -> None:
    over = NOW_NS // NS_PER_HOUR * 3600 - 2 * 3600
    other = DeviceKey("diamniadio", "two")
    assert registry.kept.late(after_turn=0) == Late(0, 0, ())
    registry.kept.tell([], [Mark("elgazala", "one", "environment", NOW_NS // NS_PER_HOUR * 3600)])
    assert registry.kept.late(after_turn=0).devices == ()
    registry.kept.tell([], [Mark("elgazala", "one", "environment", over)])
    first = registry.kept.late(after_turn=0)
    assert first.devices == (ONE,)
    registry.kept.tell([], [Mark("diamniadio", "two", "environment", over)])
    assert registry.kept.late(after_turn=first.turn).devices == (other,)
    registry.kept.tell([], [Mark("elgazala", "one", "environment", over)])
    assert set(registry.kept.late(after_turn=0).devices) == {ONE, other}
    assert registry.kept.late(after_turn=registry.kept.late(after_turn=0).turn).devices == ()


def test_whoever_begins_anew_says_so_to_those_who_keep_hours(registry: Registry) -> None:
    registry.kept.begin_anew(from_hour=HOUR)
    assert registry.kept.late(after_turn=0).anew == 1
