"""Finding out exactly which points a server refuses, and storing all the others.

A server that refuses a batch stores some of it (a "partial write") or nothing, and what it says of
it is a count and one example, not a list. So the batch is halved until each part is either stored
whole or a single point refused alone. Writing a point again changes nothing, so it does not matter
what was stored on the way.

That takes at most twice as many requests as there are points, and a few dozen when a few points are
refused. A part of which the server says that it dropped as many points as were sent is refused
whole. Retention is a limit in time, so the parts are taken newest first, and when a point is
refused alone for its age, all older ones are refused too without being sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from storage.backends.influxdb.answers import Answer, Refused, Stored, TooLarge
from storage.ports import Retry

# The single point refused for its age: in 1.13 and 2.10, and in the versions before them. Any other
# refusal by 1.x names the retention policy too.
_DROPPED = re.compile(r"\bdropped=(\d+)\b")
_AGE = re.compile("dropped 1 points outside retention policy|points beyond retention policy")


class Unit(msgspec.Struct, frozen=True):
    """What is stored or refused together: the points of one batch with one key.

    Attributes:
        time_ns: their instant.
        lines: their line protocol, in the order given.
        indexes: their positions in the batch.
    """

    time_ns: int
    lines: tuple[str, ...]
    indexes: tuple[int, ...]


def settle(
    units: Sequence[Unit], send: Callable[[Sequence[Unit]], Answer]
) -> dict[int, str] | Retry:
    """Store every unit that the server takes; return the reason of each refused point.

    Args:
        units: a batch that the server did not store whole.
        send: writes some units in one request.

    Returns:
        Reason by index of the refused points, or the `Retry` that interrupted it.
    """
    rejected: dict[int, str] = {}
    expired: Unit | None = None
    expiry = ""
    waiting = list(_halves(sorted(units, key=lambda unit: unit.time_ns)))
    while waiting:
        part = waiting.pop()
        if expired is not None and part[-1].time_ns <= expired.time_ns:
            rejected.update((index, expiry) for unit in part for index in unit.indexes)
            continue
        answer = send(part)
        if isinstance(answer, Stored):
            continue
        if isinstance(answer, Retry):
            return answer
        if isinstance(answer, Refused) and _dropped_all(part, answer.reason):
            rejected.update((index, answer.reason) for unit in part for index in unit.indexes)
        elif len(part) > 1:
            waiting.extend(_halves(part))
        elif isinstance(answer, TooLarge):
            # No server is set up to refuse a hundred bytes: something between us and it is.
            return Retry(f"a single point is too large: {answer.reason}")
        else:
            rejected.update((index, answer.reason) for index in part[0].indexes)
            if _AGE.search(answer.reason):
                expired, expiry = part[0], answer.reason
    return rejected


def _dropped_all(part: Sequence[Unit], reason: str) -> bool:
    """Say whether a server refused every one of several points, by its own count."""
    told = _DROPPED.search(reason)
    return (
        len(part) > 1 and told is not None and int(told[1]) == sum(len(one.lines) for one in part)
    )


def _halves(part: Sequence[Unit]) -> tuple[Sequence[Unit], ...]:
    """Return the older and the newer half; a single unit is one part."""
    middle = len(part) // 2
    return (part[:middle], part[middle:]) if middle else (part,)
