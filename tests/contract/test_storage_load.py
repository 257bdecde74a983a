"""What every store promises while much happens at once, and when it holds much."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest

from core.reading import DeviceKey, Point
from storage.ports import Aggregate, Position, Selection, Store
from tests.contract.storage_data import (
    HUMIDITY,
    MINUTE,
    PARIS,
    T0,
    TEMPERATURE,
    everything,
    local,
    point,
    selection,
    stored,
    windows,
)

KEYS = [DeviceKey("elgazala", f"thermo-{index}") for index in range(5)]


class Background:
    """Something done again and again in a thread until the block ends; its errors are raised."""

    def __init__(self, action: Callable[[int], None]) -> None:
        self._action = action
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._error: BaseException | None = None
        self.rounds = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._action(self.rounds)
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - raised where the block ends
            self._error = error


def test_pages_are_stable_while_new_and_late_points_arrive(store: Store) -> None:
    batch = [
        point(T0 + step * MINUTE, float(step), humidity=1.0, key=key)
        for step in range(60)
        for key in KEYS
    ]
    stored(store, batch)

    def arrive(number: int) -> None:
        late = T0 + (number * 7919 % 3600) * MINUTE // 60 + 1
        new = T0 + (60 + number) * MINUTE
        key = KEYS[number % 5]
        stored(store, [point(late, -1.0, key=key), point(new, -2.0, key=key), batch[number % 300]])

    asked = selection(*KEYS, quantities=(TEMPERATURE, HUMIDITY), end=T0 + 60 * MINUTE)
    with Background(arrive) as arriving:
        for _ in range(3):
            readings = everything(store, asked, limit=17)
            positions = [
                Position(one.time_ns, one.site, one.device, one.quantity) for one in readings
            ]
            assert positions == sorted(set(positions)), "in order, and none twice"
            assert sum(one.value >= 0 for one in readings) == 600, "none left out"
    assert arriving.rounds > 0


def test_many_threads_read_while_one_writes(store: Store) -> None:
    asked = selection(*KEYS, quantities=(TEMPERATURE, HUMIDITY))
    written = 0

    def write(number: int) -> None:
        nonlocal written
        stored(
            store,
            [point(T0 + number * MINUTE, float(number), humidity=1.0, key=key) for key in KEYS],
        )
        written = number + 1

    def read(_: int) -> int:
        before = written
        count = store.count(asked)
        page = store.read(asked, limit=10)
        [window] = store.aggregate(
            selection(KEYS[0], start=T0, end=T0 + 10_000 * MINUTE),
            windows("12 mo", Aggregate.COUNT),
        )
        newest = {one.device: one.time_ns for one in store.latest(KEYS)}
        assert count >= before * 10, "what write returned for is seen by all"
        assert window.count >= before
        assert len(page.readings) >= min(10, before * 10)
        assert all(time_ns >= T0 + (before - 1) * MINUTE for time_ns in newest.values())
        return count

    with Background(write), ThreadPoolExecutor(8) as pool:
        list(pool.map(read, range(60)))
    assert store.count(asked) == written * 10


def test_several_threads_may_write(store: Store) -> None:
    def write(number: int) -> None:
        # Each names the same new devices: the first to come makes them known.
        stored(
            store,
            [
                point(T0 + number * 100 + step, 1.0, humidity=2.0, key=DeviceKey("s", f"d{step}"))
                for step in range(20)
            ],
        )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(30)))
    keys = [DeviceKey("s", f"d{step}") for step in range(20)]
    asked = selection(*keys, quantities=(TEMPERATURE, HUMIDITY))
    assert store.count(asked) == 30 * 20 * 2
    assert len(everything(store, asked)) == 30 * 20 * 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_quarter_of_a_million_points(store: Store) -> None:
    """Twenty devices, a value each second and more: counted, aggregated and paged exactly."""
    keys = [DeviceKey("elgazala", f"meter-{index:02}") for index in range(20)]
    start = local(PARIS, 2026, 10, 24, 22)  # the clocks go back on the way
    steps, batch = 12_500, 500
    began = time.monotonic()
    for first in range(0, steps, batch):
        stored(
            store,
            [
                Point(
                    key.site,
                    key.device,
                    "energy",
                    start + step * MINUTE,
                    {"active_power": float((step * 31 + index) % 1000)},
                )
                for step in range(first, first + batch)
                for index, key in enumerate(keys)
            ],
        )
    print(f"{steps * 20 / (time.monotonic() - began):,.0f} points/s")  # noqa: T201 - a figure seen
    end = start + steps * MINUTE
    asked = Selection(tuple(keys), ("active_power",), start, end)
    assert store.count(asked) == 250_000
    found = store.aggregate(asked, windows("1 d", Aggregate.SUM))
    assert sum(one.count for one in found) == 250_000
    exact = sum(float((step * 31 + index) % 1000) for step in range(steps) for index in range(20))
    assert sum(one.value or 0.0 for one in found) == exact
    days = [one.count for one in found if one.device == "meter-00"]
    assert days[:3] == [120, 1500, 1440], "two hours, then a day of 25, then one of 24"
    peaks = store.aggregate(asked, windows("1 h", Aggregate.MAX))
    assert max(one.value or 0.0 for one in peaks) == 999.0
    page = store.read(asked, limit=1000, after=Position(end - 100 * MINUTE, "z", "z", "z"))
    assert len(page.readings) == 1000
    assert page.readings[0].time_ns == end - 99 * MINUTE
    assert len(store.latest(keys)) == 20
    assert {one.time_ns for one in store.latest(keys)} == {end - MINUTE}
