"""What a rule says of a subject as device time passes: clear, pending, firing; and its episodes.

It holds between two entries what the newer of the passed ones said. An episode is the time during
which it fires: it begins when the condition has held for `for`, and ends when it has not held for
`clear_for`, at the instant from which on it did not. What cannot be said (None) changes nothing:
what fires goes on, what is pending waits.
"""

from __future__ import annotations

from typing import Any

import msgspec

from alerts.conditions.node import Entry, Node
from alerts.model import State


class Episode(msgspec.Struct, frozen=True):
    """A time during which a rule fires.

    Attributes:
        at_ns: since when, device time.
        since_ns: when the condition began to hold.
        until_ns: when it was over, or None.
        facts: of the condition at `at_ns`.
    """

    at_ns: int
    since_ns: int
    until_ns: int | None
    facts: dict[str, str | float]


class Phases:
    """The state of one rule for one subject.

    Args:
        node: the condition.
        for_ns: for how long it has to hold before it fires.
        clear_for_ns: for how long it may not hold before it is over.
        start_ns: nothing happened before this instant.
    """

    __slots__ = (
        "_clear_for_ns", "_for_ns", "_in_ns", "_out_ns", "at_ns", "episodes", "firing", "node",
        "unsaid",
    )  # fmt: skip

    def __init__(self, node: Node, *, for_ns: int, clear_for_ns: int, start_ns: int) -> None:
        self.node = node
        self._for_ns = for_ns
        self._clear_for_ns = clear_for_ns
        self.at_ns = start_ns
        self.firing = False
        self.unsaid = False
        self._in_ns: int | None = None
        self._out_ns: int | None = None
        self.episodes: list[Episode] = []

    @property
    def state(self) -> State:
        """What is said now."""
        if self.firing:
            return State.FIRING
        if self.unsaid:
            return State.INCOMPLETE
        return State.CLEAR if self._in_ns is None else State.PENDING

    @property
    def pending_ns(self) -> int | None:
        """Since when it is pending, or None."""
        return None if self.firing else self._in_ns

    def take(self, entries: list[Entry]) -> None:
        """Take the entries of one instant, later than what was taken before."""
        at_ns = entries[0][0]
        self.advance(at_ns - 1)
        for entry in entries:
            self.node.take(entry)
        self._step(at_ns)

    def advance(self, to_ns: int) -> None:
        """Let time pass with nothing coming, up to an instant, inclusive."""
        while (next_ns := self.next_ns()) is not None and next_ns <= to_ns:
            self._step(next_ns)
        self.at_ns = max(self.at_ns, to_ns)

    def look(self, at_ns: int) -> None:
        """Ask at an instant, later than what was taken: something else than a value changed."""
        self.advance(at_ns - 1)
        self._step(at_ns)

    def next_ns(self) -> int | None:
        """Return the next instant at which something may change by itself, or None."""
        found = self.node.next_ns(self.at_ns) if self.node.timed else None
        due_ns = self._due_ns()
        if due_ns is not None and due_ns > self.at_ns:
            return due_ns if found is None else min(found, due_ns)
        return found

    def save(self, *, forgotten: int = 0) -> Any:
        """Return all state but the episodes, of which only how many there were and the last.

        Args:
            forgotten: how many of the first episodes were taken away.
        """
        last = self.episodes[-1] if self.episodes else None
        return (
            self.node.save(), self.at_ns, self.firing, self.unsaid, self._in_ns, self._out_ns,
            forgotten + len(self.episodes), last,
        )  # fmt: skip

    def load(self, saved: Any, *, forgotten: int = 0) -> None:
        """Return to a state.

        Args:
            saved: by `save`.
            forgotten: how many of the first episodes were taken away by now.
        """
        (node, self.at_ns, self.firing, self.unsaid, self._in_ns, self._out_ns, count,
         last) = saved  # fmt: skip
        self.node.load(node)
        del self.episodes[max(0, count - forgotten) :]
        if last is not None and self.episodes:
            self.episodes[-1] = last

    def _due_ns(self) -> int | None:
        if self.firing:
            return None if self._out_ns is None else self._out_ns + self._clear_for_ns
        return None if self._in_ns is None else self._in_ns + self._for_ns

    def _step(self, at_ns: int) -> None:
        self.at_ns = at_ns
        holds = self.node.holds(at_ns)
        self.unsaid = holds is None
        if holds is None:
            return
        if self.firing:
            self._while_firing(at_ns, holds=holds)
        elif not holds:
            self._in_ns = None
        else:
            if self._in_ns is None:
                self._in_ns = at_ns
            if at_ns - self._in_ns >= self._for_ns:
                facts = dict(self.node.facts(at_ns))
                self.episodes.append(Episode(at_ns, self._in_ns, None, facts))
                self.firing, self._out_ns = True, None

    def _while_firing(self, at_ns: int, *, holds: bool) -> None:
        if holds:
            self._out_ns = None
            return
        if self._out_ns is None:
            self._out_ns = at_ns
        if at_ns - self._out_ns >= self._clear_for_ns:
            last = self.episodes[-1]
            self.episodes[-1] = msgspec.structs.replace(last, until_ns=self._out_ns)
            self.firing, self._in_ns, self._out_ns = False, None, None


def phases_at_ns(saved: Any) -> int:
    """Return the instant of a state that `Phases.save` returned, device time."""
    at_ns: int = saved[1]
    return at_ns
