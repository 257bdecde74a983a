"""Points: what is spooled, stored and read back.

A point's key is (site, device, category, device time): writing it again writes the same point, so
at-least-once delivery becomes exactly-once in what a query sees.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class DeviceKey(msgspec.Struct, frozen=True, order=True):
    """A device of the platform: site slug and device slug."""

    site: str
    device: str


class Point(msgspec.Struct, frozen=True, array_like=True):
    """The values of one category that one device measured at one instant.

    Attributes:
        site: site slug (a tag in the store).
        device: device slug (a tag in the store).
        category: category of every quantity in `values` (the measurement in the store).
        time_ns: instant of the measurement, nanoseconds since the epoch.
        values: quantity name -> value in the quantity's canonical unit; a boolean is 0.0 or 1.0.
        quality: bit mask of `core.quality.Quality`.
    """

    site: str
    device: str
    category: str
    time_ns: int
    values: dict[str, float]
    quality: int = 0


class Reading(msgspec.Struct, frozen=True):
    """One value of one quantity: the unit in which people and the API see stored points."""

    site: str
    device: str
    quantity: str
    time_ns: int
    value: float
    quality: int = 0


def readings_of(points: Iterable[Point]) -> list[Reading]:
    """Return every value of some points, in their order."""
    return [
        Reading(point.site, point.device, name, point.time_ns, value, point.quality)
        for point in points
        for name, value in point.values.items()
    ]
