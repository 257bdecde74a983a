"""How far the streams of the workers were heard, and what was not.

Frames are numbered (`core.stream`). What is missing between two of them, and what a worker
committed while nobody listened, is a *hole*: it is in the store as soon as the worker has said that
the store confirmed everything that it committed until the hole's end.

Instants are a worker's own clock, in frames and in its reports: they are compared only with each
other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.live.checkpoint import Heard
from core.clock import NS_PER_S
from core.stream import Frame

FARTHEST_NS = 7 * 86_400 * NS_PER_S
"""How far back a hole reaches at most, nanoseconds: a worker that was away for longer is late."""


class Hole(msgspec.Struct, frozen=True):
    """A part of a worker's stream that was not heard.

    Attributes:
        worker: name of the worker.
        from_ns: what it committed from this instant on, or a little before,
        until_ns: until this one.
    """

    worker: str
    from_ns: int
    until_ns: int


class Hearing:
    """What was heard of each worker.

    Args:
        heard: how far each was heard by whoever listened before.
        holes: what was open then.
        since: worker -> since when it was not heard, of those whose stream nobody heard yet.
        since_ns: the same of workers of whom nothing is known.
    """

    def __init__(
        self,
        *,
        heard: Mapping[str, Heard],
        holes: Iterable[Hole],
        since: Mapping[str, int],
        since_ns: int,
    ) -> None:
        self._heard = dict(heard)
        self._since = since
        self._since_ns = since_ns
        self._heard_s: dict[str, float] = {}
        self.holes = list(holes)

    @property
    def heard(self) -> Mapping[str, Heard]:
        """How far each worker was heard."""
        return self._heard

    def take(self, worker: str, frame: Frame, *, now_s: float) -> None:
        """Note a frame, and the hole before it where there is one.

        Args:
            worker: whose it is.
            frame: the frame.
            now_s: a clock that never steps, seconds.
        """
        before = self._heard.get(worker)
        self._heard[worker] = Heard(frame.stream, frame.number, frame.told_ns)
        self._heard_s[worker] = now_s
        if before is None:
            from_ns = self._since.get(worker, self._since_ns)
            self.miss(worker, from_ns=from_ns, until_ns=frame.told_ns)
        elif before.stream != frame.stream or (
            frame.number - before.number > (1 if frame.lines else 0)
        ):
            self.miss(worker, from_ns=before.told_ns, until_ns=frame.told_ns)

    def miss(self, worker: str, *, from_ns: int, until_ns: int) -> None:
        """Note a hole; those of a worker that overlap become one."""
        from_ns = max(from_ns, until_ns - FARTHEST_NS)
        if until_ns <= from_ns:
            return
        kept = []
        for one in self.holes:
            if one.worker == worker and one.from_ns <= until_ns and from_ns <= one.until_ns:
                from_ns, until_ns = min(one.from_ns, from_ns), max(one.until_ns, until_ns)
            else:
                kept.append(one)
        self.holes = [*kept, Hole(worker, from_ns, until_ns)]

    def miss_all(self, stored_until: Mapping[str, int]) -> None:
        """Note that of each worker what the store did not have by an instant was not judged.

        Args:
            stored_until: worker -> that instant.
        """
        for worker, heard in self._heard.items():
            if worker in stored_until:
                self.miss(worker, from_ns=stored_until[worker], until_ns=heard.told_ns)

    def readable(self, stored_until: Mapping[str, int]) -> list[Hole]:
        """Return the holes that the store has by now; they are noted no more.

        Args:
            stored_until: worker -> until when the store has all that it committed.
        """
        found = [one for one in self.holes if stored_until.get(one.worker, 0) >= one.until_ns]
        self.holes = [one for one in self.holes if one not in found]
        return found

    def silent(self, *, now_s: float, for_s: float) -> dict[str, float]:
        """Return the workers that were heard once and are not any more: name -> for how long, s."""
        return {
            worker: now_s - heard_s
            for worker, heard_s in self._heard_s.items()
            if now_s - heard_s >= for_s
        }

    def silence_s(self, *, now_s: float) -> float | None:
        """Return for how long nobody was heard, seconds; None: nobody ever was."""
        return now_s - max(self._heard_s.values()) if self._heard_s else None
