"""Fewer messages came than were sent, as the ledger's hours tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.conditions.node import MISSING, RECEIVED, Entry
from alerts.rules.model import Completeness
from core.clock import NS_PER_HOUR


class CompletenessNode:
    """Of what the devices of a subject sent in the last whole hours, less than a share came.

    Args:
        said: as it is written.
    """

    timed = False

    def __init__(self, said: Completeness) -> None:
        self._said = said
        self.quantities: frozenset[str] | None = frozenset((RECEIVED, MISSING))
        self._hours: dict[tuple[int, str, str], float] = {}
        self._newest_ns = 0

    def take(self, entry: Entry) -> None:
        """Take a count of an hour, at its end; a later one of the same hour replaces it."""
        at_ns, device, name, value = entry
        if name not in (RECEIVED, MISSING):
            return
        if at_ns > self._newest_ns:
            self._newest_ns = at_ns
            oldest_ns = at_ns - self._said.hours * NS_PER_HOUR
            self._hours = {key: count for key, count in self._hours.items() if key[0] > oldest_ns}
        self._hours[at_ns, device, name] = value

    def holds(self, _at_ns: int) -> bool | None:
        """Return whether too little came; None: nothing was sent."""
        share = self._share()
        return None if share is None else share < self._said.below

    def next_ns(self, _at_ns: int) -> int | None:
        """Return None: only counts change it."""
        return None

    def facts(self, _at_ns: int) -> Mapping[str, str | float]:
        """Return the share that came, in per cent."""
        found: dict[str, str | float] = {"below": self._said.below * 100, "unit": "%"}
        share = self._share()
        return found if share is None else found | {"value": share * 100}

    def save(self) -> Any:
        """Return all state."""
        return tuple(self._hours.items()), self._newest_ns

    def load(self, saved: Any) -> None:
        """Return to a state."""
        hours, self._newest_ns = saved
        self._hours = dict(hours)

    def _share(self) -> float | None:
        received = sum(count for (*_, name), count in self._hours.items() if name == RECEIVED)
        missing = sum(count for (*_, name), count in self._hours.items() if name == MISSING)
        return received / (received + missing) if received + missing else None
