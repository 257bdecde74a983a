"""Points and questions for the storage suites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.clock import NS_PER_S
from core.reading import DeviceKey, Point, Reading
from storage.ports import (
    Aggregate,
    Every,
    Page,
    PointReader,
    PointWriter,
    Position,
    Selection,
    Windows,
    WindowValue,
    Written,
)

T0 = 1_790_000_000 * NS_PER_S  # 2026-09-21T13:33:20Z
MINUTE = 60 * NS_PER_S
HOUR = 60 * MINUTE
DAY = 24 * HOUR
TEMPERATURE = "air_temperature"
HUMIDITY = "relative_humidity"
PARIS = ZoneInfo("Europe/Paris")
THERMO = DeviceKey("elgazala", "thermo-1")


def point(
    time_ns: int,
    temperature: float | None = 20.0,
    *,
    humidity: float | None = None,
    key: DeviceKey = THERMO,
    quality: int = 0,
) -> Point:
    values = {TEMPERATURE: temperature, HUMIDITY: humidity}
    kept = {name: value for name, value in values.items() if value is not None}
    return Point(key.site, key.device, "environment", time_ns, kept, quality)


def stored(store: PointWriter, points: Iterable[Point]) -> None:
    """Write points of which none may be refused."""
    outcome = store.write(list(points))
    assert outcome == Written(), outcome


def selection(
    *devices: DeviceKey,
    quantities: Sequence[str] = (TEMPERATURE,),
    start: int = T0 - DAY,
    end: int = T0 + 365 * DAY,
) -> Selection:
    return Selection(devices or (THERMO,), tuple(quantities), start, end)


def everything(store: PointReader, asked: Selection, *, limit: int = 100_000) -> list[Reading]:
    """Read all pages of a selection."""
    readings: list[Reading] = []
    after: Position | None = None
    while True:
        page: Page = store.read(asked, limit=limit, after=after)
        assert len(page.readings) <= limit
        readings.extend(page.readings)
        if page.after is None:
            return readings
        after = page.after


def values(store: PointReader, asked: Selection | None = None) -> list[float]:
    return [reading.value for reading in everything(store, asked or selection())]


def local(zone: ZoneInfo, *there: int) -> int:
    """Return the instant of a local year, month, day, hour, minute: nanoseconds of the epoch."""
    year, month, day, hour, minute = (*there, 0, 0)[:5]
    return int(datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()) * NS_PER_S


def windows(
    every: str,
    aggregate: Aggregate = Aggregate.COUNT,
    *,
    zone: ZoneInfo = PARIS,
    percentile: float | None = None,
) -> Windows:
    """Return how to cut: `every` is `6 h`, `1 mo`, ..."""
    count, unit = every.split()
    return Windows(Every(int(count), unit), zone, aggregate, percentile)


def hours(found: Sequence[WindowValue]) -> list[float]:
    """Return the lengths of windows, in hours."""
    return [(one.end_ns - one.start_ns) / HOUR for one in found]
