"""Short pauses of Python's collector in processes that run for long."""

from __future__ import annotations

import gc


def freeze_startup() -> None:
    """Take what was made so far out of every later collection. Call it once, when all is started.

    Modules, settings and tables live as long as the process; a full collection that walks them
    holds every thread for 75 to 145 ms (measured in a worker and in the API with 1,000 devices:
    `python -m benchmarks.live`). What is frozen is still freed when its last reference goes.
    """
    gc.collect()
    gc.freeze()
