"""Nothing came for longer than expected: a deadman."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alerts.conditions.node import Entry, Member
from alerts.rules.model import Absence
from core.clock import NS_PER_S

_HEARD = 8
_HEARD_APART_NS = 2 * NS_PER_S


class AbsenceNode:
    """Nothing came from the devices of a subject.

    Args:
        said: as it is written.
        members: devices that are waited for; of several, the slowest one counts.
        since_ns: since when somebody listens: silence before is nobody's.
        from_first: it waits only once something came: what was never there is not missed.
    """

    timed = True

    def __init__(
        self, said: Absence, *, members: Sequence[Member], since_ns: int, from_first: bool = False
    ) -> None:
        self._said = said
        self._from_first = from_first
        self.quantities: frozenset[str] | None = (
            frozenset((said.quantity,)) if said.quantity else None
        )
        self._after_ns = said.after_ns
        if said.after_ns is None:
            named = [one for one in members if not said.device or one.device == said.device]
            known = [one.interval_s for one in named if one.interval_s is not None]
            if known:
                self._after_ns = round(max(known) * said.intervals * NS_PER_S)
        self._start_ns = self._last_ns = 0 if from_first else since_ns
        self._heard: tuple[int, ...] = ()
        self._deaf_until_ns = since_ns

    def take(self, entry: Entry) -> None:
        """Take a sign of life."""
        if self._waits_for(entry):
            self._last_ns = max(self._last_ns, entry[0])

    def listen(self, since_ns: int) -> None:
        """Count silence from an instant on: before it, nobody could hear."""
        self._deaf_until_ns = max(self._deaf_until_ns, since_ns)

    def hear(self, entry: Entry, at_ns: int) -> None:
        """Take a sign of life that came at an instant, whatever the device's own clock says.

        Late values do not undo it. It counts from then on: what was silent before, was.
        """
        if self._waits_for(entry) and (
            not self._heard or at_ns >= self._heard[-1] + _HEARD_APART_NS
        ):
            self._heard = (*self._heard, at_ns)[-_HEARD:]

    def _waits_for(self, entry: Entry) -> bool:
        _, device, name, _ = entry
        said = self._said
        if (said.quantity and name != said.quantity) or name.startswith("#"):
            return False
        return not said.device or device == said.device

    def _sign_ns(self, at_ns: int) -> int:
        """Return the last sign of life until an instant."""
        return max(self._last_ns, *(one for one in self._heard if one <= at_ns), 0)

    def holds(self, at_ns: int) -> bool | None:
        """Return whether it is silent.

        None: nobody knows how often it should be heard, it may have been heard if somebody had
        listened, or it waits for the first value.
        """
        sign_ns = self._sign_ns(at_ns)
        if self._after_ns is None or (self._from_first and not sign_ns):
            return None
        if at_ns - sign_ns < self._after_ns:
            return False
        return True if at_ns - self._deaf_until_ns >= self._after_ns else None

    def next_ns(self, at_ns: int) -> int | None:
        """Return when it will have been silent for too long."""
        if self._after_ns is None:
            return None
        newest_ns = self._heard[-1] if self._heard else 0
        if self._from_first and not self._last_ns and not newest_ns:
            return None
        due_ns = max(self._last_ns, newest_ns, self._deaf_until_ns) + self._after_ns
        return due_ns if due_ns > at_ns else None

    def facts(self, at_ns: int) -> Mapping[str, str | float]:
        """Return for how long it is silent, and how long is allowed."""
        since_ns = self._sign_ns(at_ns)
        if since_ns == self._start_ns:  # never heard: silent since somebody listens
            since_ns = self._deaf_until_ns
        found: dict[str, str | float] = {"silent_s": (at_ns - since_ns) / NS_PER_S}
        if self._after_ns is not None:
            found["after_s"] = self._after_ns / NS_PER_S
        return found

    def save(self) -> Any:
        """Return all state; since when somebody listens is not undone by late values."""
        return self._last_ns

    def load(self, saved: Any) -> None:
        """Return to a state."""
        self._last_ns = saved
