"""What happens to the connection between broker and worker."""

from __future__ import annotations

import time

from tests.reliability.fault import Fault
from tests.reliability.rig import Rig

_SILENCE_S = 90.0


def cut(rig: Rig) -> None:
    """Reset the connection three times under load."""
    rig.running()
    with rig.traffic() as traffic:
        for share in (0.25, 0.5, 0.75):
            traffic.reach(share)
            rig.link.cut()
            rig.mended()
    rig.settle()


def half_open(rig: Rig) -> None:
    """Leave the worker with a connection on which nothing comes and nothing goes.

    It has to find that out by itself, by the keep-alive; the time to recover includes it.
    """
    rig.running()
    with rig.traffic() as traffic:
        traffic.reach(0.4)
        before = len(rig.link.heard())
        abandoned_s = time.monotonic()
        rig.link.abandon()
        rig.until(
            lambda: len(rig.link.heard()) > before,
            what="the worker connects again",
            seconds=_SILENCE_S,
        )
        rig.mended(since_s=abandoned_s)
    rig.settle()


FAULTS = (
    Fault(name="cut", title="connection to the broker reset, three times", act=cut),
    Fault(name="half-open", title="connection half open, no word of it", act=half_open),
)
