"""What happens to a worker: killed at each point, told to end, its clock stepped."""

from __future__ import annotations

from functools import partial

from ingest.checkpoint import Checkpoint
from tests.reliability.fault import Fault
from tests.reliability.rig import Rig, ended

_HOUR_S = 3600
_SHARED = {"PASSERELLE_MQTT__SHARED_GROUP": "pilots"}


def killed_at(rig: Rig, *, checkpoint: Checkpoint) -> None:
    """Have the worker killed when its third batch passes a point; start another."""
    doomed = rig.worker(faulty=True, PASSERELLE_TEST_CRASH_AT=f"{checkpoint.value}:3")
    rig.start(doomed)
    with rig.traffic():
        rig.until(lambda: ended(doomed), what=f"the worker dies at {checkpoint.value}")
        rig.mended()
        rig.running()
    rig.settle()


def told_to_end(rig: Rig) -> None:
    """Send SIGTERM under load, twice."""
    worker = rig.running()
    with rig.traffic() as traffic:
        for share in (0.3, 0.6):
            traffic.reach(share)
            rig.check("the worker did not end well after SIGTERM", holds=worker.stop() == 0)
            rig.mended()
            worker = rig.running()
    rig.settle()


def one_of_two(rig: Rig) -> None:
    """Kill one of two workers that share a subscription; it comes back later."""
    rig.start(rig.worker("worker-1"))
    second = rig.start(rig.worker("worker-2"))
    with rig.traffic() as traffic:
        traffic.reach(0.3)
        second.kill()
        traffic.reach(0.7)
        rig.mended()
        rig.start(rig.worker("worker-2"))
    rig.settle()
    shares = [rig.account_of(name).received for name in ("worker-1", "worker-2")]
    rig.check(f"one worker did all the work: {shares}", holds=min(shares) > 0)


def clock_stepped(rig: Rig) -> None:
    """Step the worker's clock forward by an hour, back by two, and right again."""
    clock = rig.directory / "clock"
    clock.write_text("0")
    rig.start(rig.worker(faulty=True, PASSERELLE_TEST_CLOCK_FILE=str(clock)))
    with rig.traffic() as traffic:
        for share, offset_s in ((0.25, _HOUR_S), (0.5, -_HOUR_S), (0.75, 0)):
            traffic.reach(share)
            step = rig.directory / "step"
            step.write_text(str(offset_s))
            step.replace(clock)
        rig.mended()
    rig.settle()


_POINTS = {
    Checkpoint.RECEIVED: "after receive",
    Checkpoint.JUDGED: "before commit",
    Checkpoint.COMMITTED: "after commit, before PUBACK",
    Checkpoint.ACKNOWLEDGED: "after PUBACK",
    Checkpoint.WRITTEN: "after write, before the cursor moves",
    Checkpoint.CONFIRMED: "after the cursor moved",
}

FAULTS = (
    *(
        Fault(
            name=f"kill-{point.value}",
            title=f"worker SIGKILL {where}",
            act=partial(killed_at, checkpoint=point),
        )
        for point, where in _POINTS.items()
    ),
    Fault(
        name="kill-archived",
        title="worker SIGKILL between raw archive and commit",
        act=partial(killed_at, checkpoint=Checkpoint.ARCHIVED),
        settings={"PASSERELLE_ARCHIVE__ENABLED": "true"},
    ),
    Fault(name="sigterm", title="worker SIGTERM under load, twice", act=told_to_end),
    Fault(
        name="one-of-two",
        title="one of two workers that share a subscription SIGKILL",
        act=one_of_two,
        settings=_SHARED,
    ),
    Fault(name="clock", title="worker's clock stepped +1 h, -2 h, +1 h", act=clock_stepped),
)
