"""What is due, from what was published alone: a value above the limit begins an alarm.

It knows nothing of rules or of the evaluator: a few lines, to be seen to be right.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

QUANTITY = "air_temperature"
LIMIT = 28.0
COOL, HOT = 20.0, 35.0


class Value(msgspec.Struct, frozen=True, order=True):
    """A value that the broker acknowledged.

    Attributes:
        device: that measured it.
        time_ns: when, by the device's clock.
        value: degrees Celsius.
    """

    device: str
    time_ns: int
    value: float


class Alarm(msgspec.Struct, frozen=True, order=True):
    """A time in which a device was too hot.

    Attributes:
        device: the device.
        at_ns: instant of the first value above the limit.
        until_ns: of the first one below it again, or None.
    """

    device: str
    at_ns: int
    until_ns: int | None = None


def alarms(values: Iterable[Value]) -> list[Alarm]:
    """Return the alarms that are due."""
    found: list[Alarm] = []
    open_now: dict[str, Alarm] = {}
    for one in sorted(values):
        hot = one.value > LIMIT
        if hot and one.device not in open_now:
            open_now[one.device] = Alarm(one.device, one.time_ns)
        elif not hot and one.device in open_now:
            begun = open_now.pop(one.device)
            found.append(Alarm(one.device, begun.at_ns, one.time_ns))
    return sorted([*found, *open_now.values()])
