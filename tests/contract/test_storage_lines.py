"""Line protocol says the same to every store: as it is, or read back into points."""

from __future__ import annotations

from core.quality import Quality
from core.reading import DeviceKey, Point
from storage.line_protocol import lines_of, points_of
from storage.ports import LineWriter, Store
from tests.contract.storage_data import (
    HUMIDITY,
    T0,
    TEMPERATURE,
    everything,
    point,
    selection,
    stored,
)

ODD = DeviceKey("el gazala", "thermo,1=é")
POINTS = [
    point(T0, 21.5, humidity=40.25, quality=Quality.LATE),
    point(T0 + 1, -0.0, key=ODD),
    point(T0 + 2, 1e-300, humidity=1e22, key=ODD),
]


def write(store: Store, lines: bytes) -> bool:
    """Write lines as the drain does; return whether the store took them whole."""
    if isinstance(store, LineWriter):
        outcome = store.write_lines(lines)
        assert isinstance(outcome, bool), outcome
        return outcome
    stored(store, points_of(lines))
    return True


def test_lines_are_stored_as_the_points_that_they_say(store: Store) -> None:
    assert write(store, lines_of(POINTS))
    asked = selection(DeviceKey("elgazala", "thermo-1"), ODD, quantities=(TEMPERATURE, HUMIDITY))
    kept = [(one.device, one.quantity, one.time_ns, one.value) for one in everything(store, asked)]
    assert sorted(kept) == sorted(
        (point.device, name, point.time_ns, value)
        for point in POINTS
        for name, value in point.values.items()
    )


def test_numbers_as_the_json_encoder_writes_them_are_numbers(store: Store) -> None:
    written = b"environment,device=thermo-1,site=elgazala air_temperature=1e16 %d" % T0
    assert write(store, written)
    [reading] = everything(store, selection())
    assert reading.value == 1e16


def test_a_store_that_refuses_a_line_says_so(store: Store) -> None:
    good = Point("elgazala", "thermo-1", "environment", T0, {TEMPERATURE: 1.0})
    broken = lines_of([good]) + b"\nenvironment,device=thermo-1,site=elgazala oops 1"
    if isinstance(store, LineWriter):
        assert store.write_lines(broken) is False
