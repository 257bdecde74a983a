"""What every condition at work can do.

A node is given the entries of one subject in the order of device time and is asked between them;
it has no clock. It says True, False, or None: it cannot be said. All its state can be saved and
loaded, so that late entries are judged by going back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

Entry = tuple[int, str, str, float]
"""(device time in nanoseconds, device slug, quantity, value in its canonical unit)."""
RECEIVED = "#received"
"""Pseudo-quantity of the ledger: messages of a device that came in the hour that ends then."""
MISSING = "#missing"
"""Pseudo-quantity of the ledger: numbers of its counter that did not come."""


class Member(msgspec.Struct, frozen=True):
    """A device of a subject.

    Attributes:
        device: slug.
        interval_s: how often it is expected to publish, seconds, or None.
    """

    device: str
    interval_s: float | None = None


class Node(Protocol):
    """A condition at work.

    Attributes:
        quantities: which it looks at; None: any.
        timed: whether what it says may change though nothing comes.
    """

    quantities: frozenset[str] | None
    timed: bool

    def take(self, entry: Entry) -> None:
        """Take an entry, no older than the one before. What is not its own it passes over."""
        ...

    def holds(self, at_ns: int) -> bool | None:
        """Return whether it holds at an instant, no earlier than the last one asked for."""
        ...

    def next_ns(self, at_ns: int) -> int | None:
        """Return the next instant after one at which the answer may change by itself, or None."""
        ...

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return what a reader wants to know of the answer."""
        ...

    def save(self) -> Any:
        """Return all state, as values that never change."""
        ...

    def load(self, saved: Any) -> None:
        """Return to a state."""
        ...


def earliest(instants: list[int | None]) -> int | None:
    """Return the first of some instants, or None when there is none."""
    return min((one for one in instants if one is not None), default=None)
