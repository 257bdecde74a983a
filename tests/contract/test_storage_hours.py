"""What every store promises about counting values by hour."""

from __future__ import annotations

from core.clock import NS_PER_HOUR, hour_of
from core.reading import DeviceKey, Point
from storage.ports import HourCount, Store
from storage.refusal import EARLIEST_NS, LATEST_NS
from tests.contract.storage_data import HUMIDITY, T0, TEMPERATURE, THERMO, point, stored

ALWAYS = {"start_ns": EARLIEST_NS, "end_ns": LATEST_NS + 1}
HOUR_NS = T0 // NS_PER_HOUR * NS_PER_HOUR


def at(time_ns: int, device: str, **values: float) -> Point:
    return Point("elgazala", device, "environment", time_ns, values)


def test_values_of_all_quantities_are_counted_by_device_and_hour(store: Store) -> None:
    stored(store, [point(HOUR_NS, 20.0, humidity=40.0), point(HOUR_NS + 1, 21.0)])
    stored(store, [point(HOUR_NS + NS_PER_HOUR - 1, 22.0), point(HOUR_NS + NS_PER_HOUR, 23.0)])
    power = Point("elgazala", "thermo-1", "energy", HOUR_NS, {"active_power": 5.0})
    stored(store, [power, at(HOUR_NS, "thermo-2", **{TEMPERATURE: 1.0})])
    hour = hour_of(HOUR_NS)
    mine = [
        HourCount("elgazala", "thermo-1", hour, 5),
        HourCount("elgazala", "thermo-1", hour + 3600, 1),
    ]
    assert store.hourly([THERMO], **ALWAYS) == mine
    assert store.hourly(None, **ALWAYS) == [*mine, HourCount("elgazala", "thermo-2", hour, 1)]


def test_only_the_range_is_counted(store: Store) -> None:
    stored(store, [point(HOUR_NS + step, 20.0, humidity=40.0) for step in range(10)])
    [found] = store.hourly(None, start_ns=HOUR_NS + 2, end_ns=HOUR_NS + 5)
    assert (found.hour, found.values) == (hour_of(HOUR_NS), 6)
    assert store.hourly(None, start_ns=HOUR_NS + 10, end_ns=LATEST_NS) == []


def test_a_value_written_again_is_counted_once(store: Store) -> None:
    for _ in range(2):
        stored(store, [point(HOUR_NS, 20.0)])
    assert [one.values for one in store.hourly([THERMO], **ALWAYS)] == [1]


def test_every_instant_that_can_be_stored_is_counted_in_its_hour(store: Store) -> None:
    instants = [EARLIEST_NS, -NS_PER_HOUR - 1, -NS_PER_HOUR, -1, 0, LATEST_NS]
    stored(store, [at(time_ns, "thermo-1", **{HUMIDITY: 1.0}) for time_ns in instants])
    found = store.hourly([THERMO], **ALWAYS)
    expected = sorted({hour_of(time_ns) for time_ns in instants})
    assert [one.hour for one in found] == expected
    assert [one.values for one in found] == [1, 1, 2, 1, 1]


def test_a_device_that_the_store_does_not_know_has_no_values(store: Store) -> None:
    assert store.hourly(None, **ALWAYS) == []
    stored(store, [point(HOUR_NS, 20.0)])
    strange = DeviceKey("elgazala", "x' OR 1=1 \n")
    assert store.hourly([strange, DeviceKey("elgazala", "none")], **ALWAYS) == []
    assert store.hourly([], **ALWAYS) == []


def test_a_store_keeps_values_for_ever_unless_it_was_told_otherwise(store: Store) -> None:
    assert store.keeps_s() is None
