"""What a source delivered, one arrival at a time."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from ingest.arrival import Arrival


class Heard:
    """Collects arrivals: give its `take` to a source."""

    def __init__(self) -> None:
        self.arrivals: queue.Queue[Arrival] = queue.Queue()

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Keep arrivals."""
        for arrival in arrivals:
            self.arrivals.put(arrival)

    def next(self, count: int = 1) -> list[Arrival]:
        """Return the next arrivals; each has twenty seconds to come."""
        return [self.arrivals.get(timeout=20) for _ in range(count)]

    def none_within(self, seconds: float) -> bool:
        """Tell whether nothing came for so long."""
        try:
            self.arrivals.get(timeout=seconds)
        except queue.Empty:
            return True
        return False
