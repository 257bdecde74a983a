"""What every store promises about writing and reading back points."""

from __future__ import annotations

import math
import struct

import pytest

from core.errors import UnknownQuantityError
from core.quality import Quality
from core.reading import DeviceKey, Point, Reading
from core.settings import Settings
from storage.factory import open_store
from storage.ports import Page, Position, Selection, Store, ValueRemover, Written
from storage.refusal import EARLIEST_NS, LATEST_NS
from tests.contract.storage_data import (
    DAY,
    HUMIDITY,
    MINUTE,
    T0,
    TEMPERATURE,
    THERMO,
    everything,
    point,
    selection,
    stored,
    values,
)

OTHER = DeviceKey("diamniadio", "thermo-1")
_SERIES = ("elgazala", "thermo-1", TEMPERATURE)
ALL = Selection((THERMO,), (TEMPERATURE,), EARLIEST_NS, LATEST_NS + 1)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def test_what_is_written_is_read_back(store: Store) -> None:
    stored(store, [point(T0, 21.5, humidity=40.25, quality=Quality.LATE)])
    asked = selection(quantities=(HUMIDITY, TEMPERATURE))
    assert everything(store, asked) == [
        Reading("elgazala", "thermo-1", TEMPERATURE, T0, 21.5, Quality.LATE),
        Reading("elgazala", "thermo-1", HUMIDITY, T0, 40.25, Quality.LATE),
    ]


def test_an_empty_store_answers_nothing(store: Store) -> None:
    assert store.read(selection(), limit=10) == Page(())
    assert store.count(selection()) == 0
    assert store.latest([THERMO]) == []
    assert store.write([]) == Written()
    store.ping()


def test_writing_the_same_batch_again_changes_nothing(store: Store) -> None:
    batch = [point(T0 + index * MINUTE, float(index), humidity=50.0) for index in range(100)]
    stored(store, batch)
    before = everything(store, selection(quantities=(TEMPERATURE, HUMIDITY)))
    stored(store, batch)
    stored(store, reversed(batch))
    assert everything(store, selection(quantities=(TEMPERATURE, HUMIDITY))) == before
    assert store.count(selection(quantities=(TEMPERATURE, HUMIDITY))) == 200


def test_rewriting_some_values_of_an_instant_leaves_the_others(store: Store) -> None:
    stored(store, [point(T0, 20.0, humidity=40.0)])
    stored(store, [point(T0, None, humidity=41.0)])
    found = everything(store, selection(quantities=(TEMPERATURE, HUMIDITY)))
    assert [reading.value for reading in found] == [20.0, 41.0]


def test_a_store_that_can_delete_values_deletes_those_and_no_others(store: Store) -> None:
    if not isinstance(store, ValueRemover):
        return  # it deletes whole points only: `passerelle redecode --remove` says so
    stored(store, [point(T0 + index * MINUTE, float(index), humidity=50.0) for index in range(4)])
    gone = [
        Position(T0 + index * MINUTE, "elgazala", device, TEMPERATURE)
        for device, index in (("thermo-1", 1), ("thermo-1", 3), ("thermo-1", 9), ("nobody", 0))
    ]
    assert store.remove(gone) == 2
    assert store.remove(gone) == 0
    assert store.remove([]) == 0
    assert values(store, selection()) == [0.0, 2.0]
    assert store.count(selection(quantities=(HUMIDITY,))) == 4
    assert store.latest([THERMO], quantities=[TEMPERATURE])[0].time_ns == T0 + 2 * MINUTE
    store.remove([Position(T0 + index * MINUTE, *_SERIES) for index in (0, 2)])
    assert store.latest([THERMO], quantities=[TEMPERATURE]) == []
    stored(store, [point(T0, 7.0)])
    assert values(store, selection()) == [7.0]


def test_quality_belongs_to_the_instant_and_is_replaced_only_by_another(store: Store) -> None:
    asked = selection(quantities=(TEMPERATURE, HUMIDITY))
    stored(store, [point(T0, 20.0, quality=Quality.SIMULATED), point(T0 + 1, 20.0)])
    stored(store, [point(T0, None, humidity=40.0)])
    assert [one.quality for one in everything(store, asked)] == [16, 16, 0]
    stored(store, [point(T0, 20.0, quality=Quality.LATE | Quality.SERVER_TIME)])
    assert [one.quality for one in everything(store, asked)] == [9, 9, 0]
    assert [one.quality for one in store.latest([THERMO])] == [0, 9]


def test_quality_is_of_one_category(store: Store) -> None:
    marked = Point("elgazala", "thermo-1", "device_health", T0, {"battery_level": 80.0}, 4)
    stored(store, [point(T0), marked])
    found = everything(store, selection(quantities=(TEMPERATURE, "battery_level")))
    assert [(one.quantity, one.quality) for one in found] == [
        (TEMPERATURE, 0),
        ("battery_level", 4),
    ]


def test_of_two_points_with_one_key_in_a_batch_the_later_counts(store: Store) -> None:
    stored(store, [point(T0, 1.0, humidity=10.0), point(T0 + 1, 5.0), point(T0, 2.0)])
    found = everything(store, selection(quantities=(TEMPERATURE, HUMIDITY)))
    assert [reading.value for reading in found] == [2.0, 10.0, 5.0]


def test_late_and_out_of_order_points_take_their_place_in_time(store: Store) -> None:
    for minute in (5, 1, 9, 0, 7):
        stored(store, [point(T0 + minute * MINUTE, float(minute))])
    stored(store, [point(T0 + minute * MINUTE, float(minute)) for minute in (8, 2, 6, 3, 4)])
    stored(store, [point(T0 - 3000 * DAY, -1.0), point(T0 + 10 * MINUTE, 10.0)])
    assert values(store) == [float(minute) for minute in range(11)]
    assert values(store, ALL)[0] == -1.0


def test_latest_is_the_greatest_device_time_not_the_last_arrival(store: Store) -> None:
    stored(store, [point(T0 + 2 * MINUTE, 22.0), point(T0, 20.0, humidity=40.0, quality=8)])
    stored(store, [point(T0 + MINUTE, 21.0)])
    temperature = Reading("elgazala", "thermo-1", TEMPERATURE, T0 + 2 * MINUTE, 22.0)
    humidity = Reading("elgazala", "thermo-1", HUMIDITY, T0, 40.0, 8)
    assert store.latest([THERMO]) == [temperature, humidity]
    assert store.latest([THERMO], quantities=[HUMIDITY]) == [humidity]
    assert store.latest([THERMO], quantities=["battery_level"]) == []
    assert store.latest([THERMO], quantities=[]) == []
    assert store.latest([]) == []


def test_latest_follows_the_order_asked_for(store: Store) -> None:
    stored(
        store, [point(T0, key=THERMO, humidity=1.0), point(T0 - 5 * DAY, key=OTHER, humidity=2.0)]
    )
    found = store.latest([OTHER, DeviceKey("x", "y"), THERMO], quantities=[HUMIDITY, TEMPERATURE])
    assert [(one.site, one.quantity) for one in found] == [
        ("diamniadio", HUMIDITY),
        ("diamniadio", TEMPERATURE),
        ("elgazala", HUMIDITY),
        ("elgazala", TEMPERATURE),
    ]


def test_latest_finds_what_is_centuries_away(store: Store) -> None:
    stored(store, [point(EARLIEST_NS, 1.0, key=OTHER), point(LATEST_NS, 2.0)])
    assert [one.time_ns for one in store.latest([OTHER, THERMO])] == [EARLIEST_NS, LATEST_NS]


def test_instants_are_exact_to_the_nanosecond(store: Store) -> None:
    instants = [EARLIEST_NS, -1, 0, 1, T0, T0 + 1, T0 + 2, T0 + 999_999_999, LATEST_NS]
    stored(store, [point(instant, float(index)) for index, instant in enumerate(instants)])
    assert [one.time_ns for one in everything(store, ALL)] == instants
    assert values(store, selection(start=T0, end=T0 + 2)) == [4.0, 5.0]
    assert store.count(selection(start=T0 + 1, end=T0 + 2)) == 1
    assert store.count(ALL) == len(instants)


def test_a_range_may_be_empty_or_wider_than_time(store: Store) -> None:
    stored(store, [point(T0)])
    assert values(store, selection(start=T0, end=T0)) == []
    assert values(store, selection(start=T0 + 5, end=T0 - 5)) == []
    assert values(store, selection(start=-(10**30), end=10**30)) == [20.0]
    assert store.count(selection(start=-(10**30), end=10**30)) == 1


@pytest.mark.parametrize(
    "value",
    [
        0.0,
        -0.0,
        0.1,
        -273.15,
        1 / 3,
        1e20,
        1e21,
        123456789012345678,
        1e308,
        -1.7976931348623157e308,
        5e-324,
        -2.2250738585072014e-308,
        2.2250738585072011e-308,
    ],
)
def test_values_are_exact_to_the_bit(store: Store, value: float) -> None:
    stored(store, [point(T0, value), point(T0 + 1, -0.0), point(T0 + 2, 1e20)])
    found = everything(store, selection())
    assert [bits(one.value) for one in found] == [bits(value), bits(-0.0), bits(1e20)]
    assert isinstance(found[0].value, float)
    [latest] = store.latest([THERMO])
    assert latest.value == 1e20


def test_a_partly_refused_batch_is_reported_point_by_point(store: Store) -> None:
    bad = {
        1: (point(T0 + 1, math.nan), "nan"),
        2: (point(T0 + 2, 20.0, humidity=math.inf), "inf"),
        3: (point(LATEST_NS + 1), "instant"),
        4: (point(EARLIEST_NS - 1), "instant"),
        6: (point(T0 + 6, key=DeviceKey("", "d")), "without a name"),
        7: (point(T0 + 7, key=DeviceKey("elgazala", "back\\")), "backslash"),
        8: (point(T0 + 8, key=DeviceKey("el\ngazala", "d")), "control"),
        9: (point(T0 + 9, key=DeviceKey("elgazala", "tab\t")), "control"),
        10: (point(T0 + 10, key=DeviceKey("elgazala", "nul\0")), "control"),
        11: (point(T0 + 11, key=DeviceKey("elgazala", "half\ud800")), "half"),
        12: (point(T0 + 12, key=DeviceKey("elgazala", "d" * 300)), "longer"),
        13: (point(T0 + 13, None), "no value"),
        14: (Point("s", "d", "environment", T0 + 14, {"no_such": 1.0}), "no_such"),
        15: (Point("s", "d", "energy", T0 + 15, {TEMPERATURE: 1.0}), "environment"),
        16: (point(T0 + 16, quality=-1), "bit mask"),
        17: (point(T0 + 17, quality=2**31), "bit mask"),
        18: (point(T0 + 18, 10**400), "finite"),
        19: (Point("s", "d", "quality", T0 + 19, {"quality": 1.0}), "quality"),
    }
    batch = [bad[index][0] if index in bad else point(T0 + index, 20.0) for index in range(22)]
    outcome = store.write(batch)
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == list(bad)
    for one in outcome.rejected:
        assert bad[one.index][1] in one.reason, one
    asked = selection(quantities=(TEMPERATURE, HUMIDITY))
    assert [one.time_ns - T0 for one in everything(store, asked)] == [0, 5, 20, 21]


def test_a_batch_of_only_refused_points_stores_nothing(store: Store) -> None:
    outcome = store.write([point(T0, math.nan)])
    assert isinstance(outcome, Written)
    assert len(outcome.rejected) == 1
    assert store.count(ALL) == 0


def test_points_of_many_categories_and_devices_stay_apart(store: Store) -> None:
    batch = [
        Point(site, device, category, T0, {name: float(index)})
        for index, (site, device, category, name) in enumerate(
            (site, device, category, name)
            for site in ("elgazala", "diamniadio")
            for device in ("a", "b")
            for category, name in (
                ("energy", "voltage"),
                ("water", "water_level"),
                ("vital_signs", "heart_rate"),
            )
        )
    ]
    stored(store, batch)
    asked = selection(
        DeviceKey("diamniadio", "b"),
        DeviceKey("elgazala", "a"),
        quantities=("heart_rate", "voltage"),
    )
    assert [(one.site, one.quantity, one.value) for one in everything(store, asked)] == [
        ("diamniadio", "heart_rate", 11.0),
        ("diamniadio", "voltage", 9.0),
        ("elgazala", "heart_rate", 2.0),
        ("elgazala", "voltage", 0.0),
    ]
    assert store.count(asked) == 4


def test_a_device_or_quantity_asked_for_twice_is_answered_once(store: Store) -> None:
    stored(store, [point(T0)])
    asked = selection(THERMO, THERMO, quantities=(TEMPERATURE, TEMPERATURE))
    assert len(everything(store, asked)) == store.count(asked) == 1
    assert len(store.latest([THERMO, THERMO], quantities=[TEMPERATURE, TEMPERATURE])) == 1


def test_more_devices_than_fit_one_statement(store: Store) -> None:
    keys = [DeviceKey("elgazala", f"thermo-{index:03}") for index in range(230)]
    stored(store, [point(T0, float(index), key=key) for index, key in enumerate(keys)])
    asked = selection(*keys)
    assert values(store, asked) == [float(index) for index in range(230)]
    assert store.count(asked) == len(store.latest(keys)) == 230
    assert everything(store, asked, limit=7) == everything(store, asked)


def test_an_unknown_quantity_is_an_error_that_names_it(store: Store) -> None:
    asked = selection(quantities=("air_temprature",))
    with pytest.raises(UnknownQuantityError, match="air_temprature"):
        store.read(asked, limit=10)
    with pytest.raises(UnknownQuantityError, match="air_temprature"):
        store.count(asked)
    with pytest.raises(UnknownQuantityError, match="air_temprature"):
        store.latest([THERMO], quantities=["air_temprature"])


def test_a_page_holds_at_least_one_reading(store: Store) -> None:
    with pytest.raises(ValueError, match="at least one"):
        store.read(selection(), limit=0)


@pytest.mark.parametrize("limit", [1, 2, 7, 59, 60, 61, 1000])
def test_pages_follow_each_other_without_gap_or_overlap(store: Store, limit: int) -> None:
    keys = [DeviceKey(site, device) for site in ("b", "a") for device in ("y", "x", "é", "X")]
    batch = [
        point(T0 + step * MINUTE, float(step), humidity=1.0 if step % 2 else None, key=key)
        for step in range(5)
        for key in keys
    ]
    battery = [
        Point(key.site, key.device, "device_health", T0 + MINUTE, {"battery_level": 1.0})
        for key in keys
    ]
    stored(store, batch + battery)
    asked = selection(*keys, quantities=(TEMPERATURE, "battery_level", HUMIDITY))
    readings = everything(store, asked, limit=limit)
    positions = [Position(one.time_ns, one.site, one.device, one.quantity) for one in readings]
    assert len(readings) == 40 + 16 + 8
    assert positions == sorted(set(positions))


def test_the_last_page_says_so(store: Store) -> None:
    stored(store, [point(T0 + index) for index in range(4)])
    assert store.read(selection(), limit=4).after is None
    first = store.read(selection(), limit=3)
    assert first.after == Position(T0 + 2, "elgazala", "thermo-1", TEMPERATURE)
    assert len(store.read(selection(), limit=3, after=first.after).readings) == 1


def test_what_write_returned_for_is_there_after_reopening(store_settings: Settings) -> None:
    if store_settings.store_url == "memory:":
        return
    first = open_store(store_settings)
    stored(first, [point(T0 + index, float(index), quality=1) for index in range(100)])
    first.close()
    second = open_store(store_settings)
    try:
        stored(second, [point(T0 + 100, 100.0), point(T0, 0.5)])
        found = everything(second, selection())
    finally:
        second.close()
    assert [one.value for one in found] == [0.5, *(float(index) for index in range(1, 101))]
    assert found[5].quality == 1
