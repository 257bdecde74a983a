"""What every side says, gathered in the order that makes a comparison exact.

The spool is read, then the registry and the store, then the spool again: what the store must hold
comes from the first reading, what it may hold from the second, and a row is compared with the
registry when both readings agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from core.errors import PasserelleError
from core.reading import DeviceKey
from core.reasons import Scope
from devices.registry import LedgerRow, Registry
from devices.registry.records import DeadLetterState, LetterFilter
from ingest.redecode_journal import JournalLine
from ingest.verification.rewriting import read_journals
from ingest.verification.snapshot import Snapshot, take_snapshot
from storage.ports import HourCount
from storage.refusal import EARLIEST_NS, LATEST_NS


class ValueCounter(Protocol):
    """What the store is asked: part of `storage.ports.PointReader`."""

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        ...

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`."""
        ...


class Counted(msgspec.Struct, frozen=True):
    """What the store says.

    Attributes:
        values: by device and hour.
        keeps_s: for how long it keeps values, seconds; None: for ever.
    """

    values: list[HourCount]
    keeps_s: int | None


class Told(msgspec.Struct, frozen=True):
    """What the registry says.

    Attributes:
        rows: of the ledgers of all workers.
        states: of the dead letters of the workers on this host, by id.
        refusing: workers elsewhere of whose points the store refused some.
    """

    rows: list[LedgerRow]
    states: Mapping[str, Mapping[str, str]]
    refusing: frozenset[str]


class Evidence(msgspec.Struct, frozen=True):
    """What every side says, None where it could not be asked.

    Attributes:
        before: the spools on this host, before the others were asked.
        told: the registry.
        counted: the store.
        after: the spools, after the others were asked, without their contents.
        redecodes: what the journals beside the raw archives say.
        obstacles: why a side could not be asked.
    """

    before: Mapping[str, Snapshot]
    told: Told | None
    counted: Counted | None
    after: Mapping[str, Snapshot]
    redecodes: list[JournalLine]
    obstacles: list[str]


class Sources(msgspec.Struct, frozen=True):
    """Who is asked.

    Attributes:
        spools: the spools' files on this host, by worker.
        registry: the shared database, or None when it cannot be opened.
        store: counts values, or None when it cannot be opened.
        archives: directories of the raw archives on this host.
        obstacles: why one of them is None.
    """

    spools: Mapping[str, Path]
    registry: Registry | None
    store: ValueCounter | None
    archives: tuple[Path, ...] = ()
    obstacles: tuple[str, ...] = ()

    def gather(self, devices: Sequence[DeviceKey] | None) -> Evidence:
        """Ask every side once.

        Args:
            devices: whose values are counted; None: of all devices.
        """
        obstacles = list(self.obstacles)
        before = self._snapshots(obstacles, contents=True)
        told = self._told(before, obstacles)
        counted = self._counted(devices, obstacles)
        after = self._snapshots(obstacles, contents=False)
        redecodes: list[JournalLine] = []
        try:
            redecodes = read_journals(self.archives)
        except (OSError, msgspec.MsgspecError) as error:
            obstacles.append(f"what was decoded again cannot be read beside the archive: {error}")
            counted = None
        return Evidence(before, told, counted, after, redecodes, list(dict.fromkeys(obstacles)))

    def _snapshots(self, obstacles: list[str], *, contents: bool) -> dict[str, Snapshot]:
        found: dict[str, Snapshot] = {}
        for worker, path in self.spools.items():
            try:
                snapshot = take_snapshot(path, worker=worker, contents=contents)
                found[snapshot.worker] = snapshot
            except PasserelleError as error:
                obstacles.append(error.detail)
        return found

    def _told(self, here: Mapping[str, Snapshot], obstacles: list[str]) -> Told | None:
        if self.registry is None:
            return None
        letters = self.registry.dead_letters
        try:
            rows = self.registry.ledger.lines()
            states = {worker: letters.states(worker) for worker in here}
            refusing = {
                worker
                for worker in {row.worker for row in rows} - set(here)
                if any(
                    number and state != DeadLetterState.REPLAYED.value
                    for (_, state), number in letters.counts(
                        LetterFilter(worker=worker, scope=Scope.POINTS.value)
                    ).items()
                )
            }
        except PasserelleError as error:
            obstacles.append(error.detail)
            return None
        return Told(rows, states, frozenset(refusing))

    def _counted(self, devices: Sequence[DeviceKey] | None, obstacles: list[str]) -> Counted | None:
        if self.store is None:
            return None
        try:
            values = self.store.hourly(devices, start_ns=EARLIEST_NS, end_ns=LATEST_NS + 1)
            return Counted(values, self.store.keeps_s())
        except PasserelleError as error:
            obstacles.append(error.detail)
            return None
