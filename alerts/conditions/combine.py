"""Conditions made of conditions, in three-valued logic (Kleene): what cannot be said stays so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alerts.conditions.node import Entry, Node, earliest
from core.clock import NS_PER_S


def _together(parts: Sequence[Node]) -> frozenset[str] | None:
    found: set[str] = set()
    for part in parts:
        if part.quantities is None:
            return None
        found |= part.quantities
    return frozenset(found)


class _Parts:
    """What conditions with several parts have in common."""

    def __init__(self, parts: Sequence[Node]) -> None:
        self._parts = tuple(parts)
        self.quantities = _together(self._parts)
        self.timed = any(part.timed for part in self._parts)

    @property
    def parts(self) -> Sequence[Node]:
        """The parts."""
        return self._parts

    def take(self, entry: Entry) -> None:
        """Give an entry to every part."""
        for part in self._parts:
            part.take(entry)

    def next_ns(self, at_ns: int) -> int | None:
        """Return when the first of the parts may change."""
        return earliest([part.next_ns(at_ns) for part in self._parts if part.timed])

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return the facts of the parts that hold; of equal names the first counts."""
        found: dict[str, str | float] = {}
        for part in self._parts:
            if part.holds(at_ns) is not False:
                found = dict(part.facts(at_ns)) | found
        return found

    def save(self) -> Any:
        """Return all state."""
        return tuple([part.save() for part in self._parts])

    def load(self, saved: Any) -> None:
        """Return to a state."""
        for part, state in zip(self._parts, saved, strict=True):
            part.load(state)


class AllNode(_Parts):
    """Every part holds."""

    def holds(self, at_ns: int) -> bool | None:
        """Return whether every part holds."""
        said = [part.holds(at_ns) for part in self._parts]  # all are asked: some remember
        return False if False in said else None if None in said else True


class AnyNode(_Parts):
    """A part holds."""

    def holds(self, at_ns: int) -> bool | None:
        """Return whether a part holds."""
        said = [part.holds(at_ns) for part in self._parts]
        return True if True in said else None if None in said else False


class NotNode(_Parts):
    """The part does not hold."""

    def holds(self, at_ns: int) -> bool | None:
        """Return whether the part does not hold."""
        said = self._parts[0].holds(at_ns)
        return None if said is None else not said

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return the part's facts."""
        return self._parts[0].facts(at_ns)


class RecentlyNode(_Parts):
    """The part holds, or did within a time.

    Args:
        part: the part.
        within_ns: how long ago it may have held.
    """

    def __init__(self, part: Node, *, within_ns: int) -> None:
        super().__init__((part,))
        self.timed = True
        self._within_ns = within_ns
        self._held = False
        self._last_ns: int | None = None

    def holds(self, at_ns: int) -> bool | None:
        """Return whether it held within the time."""
        now = self._parts[0].holds(at_ns)
        if now or self._held:
            self._last_ns = at_ns  # what held until now held until this instant
        self._held = bool(now)
        if self._last_ns is not None and at_ns - self._last_ns <= self._within_ns:
            return True
        return None if now is None else False

    def next_ns(self, at_ns: int) -> int | None:
        """Return when it is too long ago, or the part may change."""
        over = None
        if self._last_ns is not None and not self._held:
            over = self._last_ns + self._within_ns + 1
        return earliest(
            [over if over is not None and over > at_ns else None, super().next_ns(at_ns)]
        )

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return the part's facts, and how long ago it held."""
        found = dict(self._parts[0].facts(at_ns))
        if self._last_ns is not None:
            found["held_s_ago"] = (at_ns - self._last_ns) / NS_PER_S
        return found

    def save(self) -> Any:
        """Return all state."""
        return super().save(), self._held, self._last_ns

    def load(self, saved: Any) -> None:
        """Return to a state."""
        parts, self._held, self._last_ns = saved
        super().load(parts)


class CountNode:
    """The part holds for so many devices.

    Args:
        make: makes the part for one device.
        needed: for how many it has to hold.
        devices: those that have a part from the beginning; others get theirs with their first
            entry.
    """

    def __init__(
        self, make: Callable[[str], Node], *, needed: int, devices: Sequence[str] = ()
    ) -> None:
        self._make = make
        self._needed = needed
        shape = make("")
        self.quantities = shape.quantities
        self.timed = shape.timed
        self._parts: dict[str, Node] = {device: make(device) for device in devices}

    @property
    def parts(self) -> Sequence[Node]:
        """The parts, one a device."""
        return tuple(self._parts.values())

    def take(self, entry: Entry) -> None:
        """Give an entry to the part of its device."""
        part = self._parts.get(entry[1])
        if part is None:
            if self.quantities is not None and entry[2] not in self.quantities:
                return
            part = self._parts[entry[1]] = self._make(entry[1])
        part.take(entry)

    def holds(self, at_ns: int) -> bool | None:
        """Return whether it holds for so many; None: it may, where it cannot be said of some."""
        said = [part.holds(at_ns) for part in self._parts.values()]
        count = said.count(True)
        if count >= self._needed:
            return True
        if not said:
            return None
        return None if count + said.count(None) >= self._needed else False

    def next_ns(self, at_ns: int) -> int | None:
        """Return when the first part may change."""
        if not self.timed:
            return None
        return earliest([part.next_ns(at_ns) for part in self._parts.values()])

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return for how many it holds, and for which; of a single one its own facts too."""
        holding = [device for device, part in self._parts.items() if part.holds(at_ns)]
        found: dict[str, str | float] = {"count": len(holding), "needed": self._needed}
        if holding:
            found["devices"] = ", ".join(sorted(holding)[:20])
        if self._needed == 1 and holding:
            found |= self._parts[min(holding)].facts(at_ns)
        return found

    def save(self) -> Any:
        """Return all state."""
        return tuple([(device, part.save()) for device, part in self._parts.items()])

    def load(self, saved: Any) -> None:
        """Return to a state."""
        parts, self._parts = self._parts, {}
        for device, state in saved:  # others had not come by then
            part = parts.get(device)
            self._parts[device] = self._make(device) if part is None else part
            self._parts[device].load(state)
