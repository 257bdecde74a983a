"""`python -m tests.support.faulty_worker`: a worker whose life and clock the environment decides.

`PASSERELLE_TEST_CRASH_AT=committed:3` kills the process with SIGKILL when a batch passes that
checkpoint (`ingest.checkpoint`) for the third time. `PASSERELLE_TEST_CLOCK_FILE` names a file with
a number of seconds, by which its wall clock is off from then on.
`PASSERELLE_TEST_ACKNOWLEDGE_EARLY=true` acknowledges what has arrived before it is on disk: the
defect that the fault suite is there to find. The product knows none of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from core.clock import NS_PER_S, Clock, SystemClock
from core.logs import configure_logging
from core.settings import Settings
from ingest import worker
from ingest.__main__ import run
from ingest.accept import Accept
from ingest.arrival import Arrival
from ingest.checkpoint import Checkpoint, pass_by


class FaultySettings(Settings):
    """The product's settings, where to end, and what time it is."""

    test_crash_at: str = Field("", pattern=r"^([a-z]+:[1-9][0-9]*)?$")
    test_clock_file: Path | None = None
    test_acknowledge_early: bool = False


class Hasty(Accept):
    """An accept stage that acknowledges before it commits."""

    def process(self, arrivals: list[Arrival]) -> None:
        """Acknowledge, then do what the stage does."""
        self._source.acknowledge(arrivals)
        super().process(arrivals)


class SteppedClock(SystemClock):
    """The machine's clock, off by what a file says.

    Args:
        file: holds a number of seconds.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_ns(self) -> int:
        """Return the time that the wall clock shows, nanoseconds since the epoch."""
        return super().now_ns() + round(float(self._file.read_text()) * NS_PER_S)


def main() -> None:
    """Run a worker until SIGTERM, or until it passes the point of the environment."""
    settings = FaultySettings.model_validate({})
    configure_logging(settings.logging)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clock: Clock = SystemClock()
    if settings.test_clock_file is not None:
        clock = SteppedClock(settings.test_clock_file)
    if settings.test_acknowledge_early:
        worker.Accept = Hasty  # type: ignore[attr-defined]
    checkpoint = _death(settings.test_crash_at) if settings.test_crash_at else pass_by
    run(settings, stopping=stopping, checkpoint=checkpoint, clock=clock)


def _death(where: str) -> Callable[[Checkpoint], None]:
    name, _, count = where.partition(":")
    point, times = Checkpoint(name), int(count)
    passed: Counter[Checkpoint] = Counter()

    def pass_or_die(checkpoint: Checkpoint) -> None:
        passed[checkpoint] += 1
        if checkpoint is point and passed[checkpoint] == times:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_or_die


if __name__ == "__main__":
    main()
