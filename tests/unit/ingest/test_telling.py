"""What the registry is told of a spool: all of it, and no more than was there when it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import NS_PER_S, ManualClock
from core.reading import Point
from devices.registry import Registry
from ingest.kept import kept_of
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import STORE_SINK, Spool
from ingest.spooled import SpooledMessage, pack
from ingest.telling import Telling
from storage.line_protocol import lines_of

NOW_NS = 1_790_000_000 * NS_PER_S
HOUR = NOW_NS // NS_PER_S // 3600 * 3600
DEVICES = 700


class Scene:
    """A spool of many devices, and a registry that is told of it."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock(NOW_NS)
        self.registry = Registry.open(f"sqlite:///{directory / 'registry.db'}", clock=self.clock)
        self.registry.migrate()
        self.registry.seed([], [])
        self.spool = Spool(path=directory / "spool.db")
        self.told = 0
        self.telling = Telling(
            registry=self.registry, spool=self.spool, published="w", breathe=self.breathe
        )

    def breathe(self) -> None:
        """Let something new come between two portions, as it does in a worker."""
        self.told += 1
        self.store("late", self.told)

    def store(self, device: str, second: int) -> None:
        """Have a message of a device received and stored."""
        account = Account("elgazala", device, HOUR)
        at_ns = NOW_NS + second * NS_PER_S
        point = Point("elgazala", device, "environment", at_ns, {"air_temperature": float(second)})
        received, stored = LedgerDelta(), LedgerDelta()
        received.receive(account, Fate.PENDING)
        stored.move(account, Fate.PENDING, Fate.STORED)
        self.spool.commit(packed=pack([SpooledMessage(account, (point,))]), ledger=received)
        self.spool.confirm(
            self.spool.batches(sink=STORE_SINK, limit_messages=1),
            sink=STORE_SINK,
            ledger=stored,
            kept=kept_of([lines_of([point])]),
        )

    def stored(self) -> int:
        return self.registry.ledger.totals().stored


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_everything_is_told_in_portions_and_what_comes_meanwhile_the_next_time(
    scene: Scene,
) -> None:
    for number in range(DEVICES):
        scene.store(f"d-{number}", 0)
    scene.telling.tell()
    portions = scene.told
    assert portions <= 2 * (DEVICES // 250 + 1)
    assert DEVICES <= scene.stored() <= DEVICES + portions
    scene.telling.tell()
    assert scene.stored() >= DEVICES + portions
    newest = {one.device: one.value for one in scene.registry.kept.latest().values}
    assert len(newest) == DEVICES + 1
    assert newest["late"] >= portions
