"""Conditions on one quantity of one device: a threshold with hysteresis, a rate of change."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from alerts.conditions.node import Entry
from alerts.rules.model import Rate, Threshold
from core.quantities import quantity


def _limits(above: float | None, below: float | None) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    if above is not None:
        found["above"] = above
    if below is not None:
        found["below"] = below
    return found


class ThresholdNode:
    """The newest value is beyond a limit, and until it is back inside by the margin.

    Args:
        said: as it is written.
    """

    timed = False

    def __init__(self, said: Threshold) -> None:
        self._said = said
        self.quantities: frozenset[str] | None = frozenset((said.quantity,))
        self._above = said.above if said.above is not None else float("inf")
        self._below = said.below if said.below is not None else float("-inf")
        self._value: float | None = None
        self._beyond = False

    def take(self, entry: Entry) -> None:
        """Take a value."""
        _, device, name, value = entry
        said = self._said
        if name != said.quantity or (said.device and device != said.device):
            return
        self._value = value
        margin = said.margin if self._beyond else 0.0
        self._beyond = value > self._above - margin or value < self._below + margin

    def holds(self, _at_ns: int) -> bool | None:
        """Return whether the newest value is beyond; None: there was none."""
        return None if self._value is None else self._beyond

    def next_ns(self, _at_ns: int) -> int | None:
        """Return None: only values change it."""
        return None

    def facts(self, _at_ns: int) -> Mapping[str, str | float]:
        """Return the value, its limits, and the unit."""
        found = _limits(self._said.above, self._said.below)
        found |= {"quantity": self._said.quantity, "unit": quantity(self._said.quantity).unit}
        return found if self._value is None else found | {"value": self._value}

    def save(self) -> Any:
        """Return all state."""
        return self._value, self._beyond

    def load(self, saved: Any) -> None:
        """Return to a state."""
        self._value, self._beyond = saved


class RateNode:
    """The value changed by more than a limit over a time.

    Args:
        said: as it is written.
    """

    timed = False

    def __init__(self, said: Rate) -> None:
        self._said = said
        self.quantities: frozenset[str] | None = frozenset((said.quantity,))
        self._values: deque[tuple[int, float]] = deque()

    def take(self, entry: Entry) -> None:
        """Take a value, and let go those that are too old."""
        at_ns, device, name, value = entry
        said = self._said
        if name != said.quantity or (said.device and device != said.device):
            return
        self._values.append((at_ns, value))
        while self._values[0][0] < at_ns - said.over_ns:
            self._values.popleft()

    def holds(self, _at_ns: int) -> bool | None:
        """Return whether it changed so much; None: the values do not reach far enough back."""
        change = self._change()
        if change is None:
            return None
        said = self._said
        return (said.above is not None and change > said.above) or (
            said.below is not None and change < said.below
        )

    def next_ns(self, _at_ns: int) -> int | None:
        """Return None: only values change it."""
        return None

    def facts(self, _at_ns: int) -> Mapping[str, str | float]:
        """Return the change, its limits, and over what time."""
        said = self._said
        found = _limits(said.above, said.below)
        found |= {"quantity": said.quantity, "unit": quantity(said.quantity).unit}
        found["over_s"] = said.over_ns / 1e9
        change = self._change()
        return found if change is None else found | {"change": change}

    def save(self) -> Any:
        """Return all state."""
        return tuple(self._values)

    def load(self, saved: Any) -> None:
        """Return to a state."""
        self._values = deque(saved)

    def _change(self) -> float | None:
        if not self._values:
            return None
        (first_ns, first), (last_ns, last) = self._values[0], self._values[-1]
        return last - first if 2 * (last_ns - first_ns) >= self._said.over_ns else None
