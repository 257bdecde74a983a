"""Short pauses of Python's collector in processes that run for long."""

from __future__ import annotations

import gc

_THRESHOLDS = (10_000, 20, 20)
"""Objects made since the last collection of the young, of those until one of the middle-aged, and
of those until a full one. Python's own (700, 10, 10) collects in full several times a minute where
a thousand devices report every second, for 20 to 50 ms each."""


def freeze_startup() -> None:
    """Take what was made so far out of every later collection, and collect more rarely.

    Call it once, when all is started.

    Modules, settings and tables live as long as the process; a full collection that walks them
    holds every thread for 75 to 145 ms (measured in a worker and in the API with 1,000 devices:
    `python -m benchmarks.live`). What is frozen is still freed when its last reference goes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
