"""`python -m tests.support.crashing_worker`: a worker that ends itself, as a power cut would.

`PASSERELLE_TEST_CRASH_AT=committed:3` kills the process with SIGKILL when a batch passes that
checkpoint (`ingest.checkpoint`) for the third time. The product does not know the variable.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

from pydantic import Field

from core.settings import Settings
from ingest.__main__ import run
from ingest.checkpoint import Checkpoint


class CrashSettings(Settings):
    """The product's settings, and where to end."""

    test_crash_at: str = Field(pattern=r"^[a-z]+:[1-9][0-9]*$")


def main() -> None:
    """Run a worker until it passes the point of the environment."""
    settings = CrashSettings.model_validate({})
    name, _, count = settings.test_crash_at.partition(":")
    point, times = Checkpoint(name), int(count)
    passed: Counter[Checkpoint] = Counter()

    def pass_or_die(checkpoint: Checkpoint) -> None:
        passed[checkpoint] += 1
        if checkpoint is point and passed[checkpoint] == times:
            os.kill(os.getpid(), signal.SIGKILL)

    run(settings, stopping=threading.Event(), checkpoint=pass_or_die)


if __name__ == "__main__":
    main()
