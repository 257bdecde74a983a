"""What takes the queue: some programs that read one broker and write one store."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.child import Child
from benchmarks.influx import Bucket
from devices.registry import Device


class Stage(msgspec.Struct, frozen=True):
    """Where a run takes place.

    Attributes:
        name: of the run, unique among those on one broker.
        directory: empty, for the programs' files.
        broker_port: of Mosquitto on 127.0.0.1.
        bucket: empty.
        devices: those that will publish.
        registry_url: of an empty database for the registry; "": a file in the directory.
    """

    name: str
    directory: Path
    broker_port: int
    bucket: Bucket
    devices: tuple[Device, ...]
    registry_url: str = ""


class Contender(Protocol):
    """Programs, where they store, and what they say of the account."""

    name: str
    """As it is printed."""

    def client_ids(self, stage: Stage) -> list[str]:
        """Return the client identifiers under which the programs will connect."""
        ...

    def children(self, stage: Stage) -> list[Child]:
        """Prepare everything and return the programs, one for each client identifier."""
        ...

    def stored(self, stage: Stage) -> int:
        """Return how many messages are stored by now; the programs may run."""
        ...

    def values(self, stage: Stage) -> dict[str, int]:
        """Return how many values of each quantity are stored; the programs are stopped."""
        ...

    def account(self, stage: Stage) -> dict[str, int]:
        """Return what the stopped programs say became of the messages; empty: they keep none."""
        ...
