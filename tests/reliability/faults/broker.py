"""What happens to the broker: restarted, killed, its passwords changed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

from tests.reliability.fault import BROKER, Fault
from tests.reliability.rig import Rig

_USER, _PASSWORD = "worker", "of-the-worker"


def restarted(rig: Rig) -> None:
    """Restart it politely in the middle; its last messages tell what never came."""
    _interrupt(rig, rig.broker.restart)


def killed(rig: Rig) -> None:
    """Kill it and start it again."""
    _interrupt(rig, lambda: _kill(rig))


def forgets_its_queue(rig: Rig) -> None:
    """Restart it politely while messages wait for an absent worker."""
    _while_away(rig, rig.broker.restart)


def killed_with_a_queue(rig: Rig) -> None:
    """Kill it while messages wait for an absent worker."""
    _while_away(rig, lambda: _kill(rig))


def _kill(rig: Rig) -> None:
    rig.broker.kill()
    rig.broker.start()


def _while_away(rig: Rig, happen: Callable[[], None]) -> None:
    worker = rig.running()
    last = rig.scale.devices
    with rig.traffic(rig.messages[:-last]) as traffic:
        traffic.reach(0.3)
        worker.stop()
        traffic.reach(0.6)
        happen()
        rig.mended()
        rig.running()
    rig.settle()
    _say_one_thing_more(rig)


def _interrupt(rig: Rig, happen: Callable[[], None]) -> None:
    rig.running()
    last = rig.scale.devices
    with rig.traffic(rig.messages[:-last]) as traffic:
        traffic.reach(0.4)
        happen()
        rig.mended()
    rig.settle()
    _say_one_thing_more(rig)


def _say_one_thing_more(rig: Rig) -> None:
    """Publish the last message of each device: a gap is seen when a later number comes."""
    with rig.traffic(rig.messages[-rig.scale.devices :]):
        pass
    rig.settle()


def revoked(rig: Rig) -> None:
    """Take the worker's user away, and give it back."""
    passwords = rig.directory / "mosquitto" / "passwords"
    before = passwords.read_text()
    worker = rig.running()
    with rig.traffic() as traffic:
        traffic.reach(0.3)
        others = [one for one in before.splitlines(keepends=True) if not one.startswith(_USER)]
        passwords.write_text("".join(others))
        _reload(rig)
        rig.until(
            lambda: "refused the connection" in worker.output(),
            what="the worker says that it is refused",
        )
        passwords.write_text(before)
        _reload(rig)
        rig.mended()
    rig.settle()


def _reload(rig: Rig) -> None:
    pid = rig.broker.pid
    if pid is None:
        raise RuntimeError(
            "the broker runs in a container: it cannot be told to read its passwords"
        )
    os.kill(pid, signal.SIGHUP)


FAULTS = (
    Fault(name="broker-restart", title="broker restarted, with persistence", act=restarted),
    Fault(
        name="broker-forgets",
        title="broker restarted, without persistence",
        act=restarted,
        broker=replace(BROKER, persistence=False),
        broker_may_lose=True,
    ),
    Fault(
        name="broker-forgets-queue",
        title="broker restarted, without persistence, worker away",
        act=forgets_its_queue,
        worker_away=True,
        broker=replace(BROKER, persistence=False),
        broker_may_lose=True,
    ),
    Fault(
        name="broker-kill",
        title="broker SIGKILL, persistence as shipped",
        act=killed,
        broker_may_lose=True,
    ),
    Fault(
        name="broker-kill-queue",
        title="broker SIGKILL, persistence as shipped, worker away",
        act=killed_with_a_queue,
        worker_away=True,
        broker_may_lose=True,
    ),
    Fault(
        name="credentials",
        title="worker's credentials revoked and restored",
        act=revoked,
        broker=replace(BROKER, username=_USER, password=_PASSWORD),
    ),
)
