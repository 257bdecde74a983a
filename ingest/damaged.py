"""A spool whose file is damaged: set aside under another name, never deleted, and salvaged by hand.

What was acknowledged and not yet stored is in that file and nowhere else. A worker that finds it
damaged keeps it, with its log, and begins a new one, whose account goes under another name
(`Published`), so that what the registry was told of the old one stands.
"""

from __future__ import annotations

import os
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from core.clock import NS_PER_S, Clock
from core.errors import ConfigurationError
from core.logs import logger
from devices.registry import Registry
from ingest.spool import Spool
from ingest.spool_schema import DamagedSpoolError

_log = logger("ingest.spool")
GENERATION = "generation"
"""Cursor of the spool: which of its worker's spools it is; 0 before the registry was asked."""
_LOG = "-wal"
_MARK = ".damaged-"
_NAME = re.compile(r".*\.damaged-\d{8}T\d{6}Z(-\d+)?")


def open_or_set_aside(*, path: Path, sinks: tuple[str, ...], clock: Clock) -> Spool:
    """Open a worker's spool; one that is damaged is set aside, and an empty one takes its place.

    Args:
        path: where it is.
        sinks: as `Spool`.
        clock: the time, for the new name.

    Raises:
        ConfigurationError: see `ingest.spool_schema.open_spool`; or the file cannot be set aside.
    """
    try:
        return Spool(path=path, sinks=sinks)
    except DamagedSpoolError as error:
        kept = set_aside(path, now_ns=clock.now_ns())
        _log.error(
            "spool_set_aside",
            reason=error.detail,
            kept=str(kept),
            salvage=f"passerelle spool salvage {kept}",
        )
    spool = Spool(path=path, sinks=sinks)
    try:
        spool.remember_from(kept)
    except sqlite3.Error as unreadable:
        # What the broker sends again then counts twice in the account; the store has it once.
        _log.warning("spool_identities_unreadable", reason=str(unreadable), kept=str(kept))
    return spool


def set_aside(path: Path, *, now_ns: int) -> Path:
    """Give a spool's file and its log another name in the same directory; return that of the file.

    Both names stand for a moment, so that no crash between leaves one without the other.

    Raises:
        ConfigurationError: the directory cannot be written.
    """
    moment = datetime.fromtimestamp(now_ns // NS_PER_S, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = _free(path.with_name(f"{path.name}{_MARK}{moment}"))
    log = Path(f"{path}{_LOG}")
    try:
        if log.exists():
            os.link(log, f"{kept}{_LOG}")
        os.link(path, kept)
        _sync(path.parent)
        path.unlink()
        for rest in (log, Path(f"{path}-shm")):
            rest.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"the spool {path} is damaged and cannot be set aside: {error.strerror}; move it, with "
            f"{log.name}, to another place and keep both: their messages are nowhere else"
        ) from None
    return kept


def files_set_aside(path: Path) -> list[Path]:
    """Return the spools set aside where `path` is now and not salvaged, oldest first."""
    found = path.parent.glob(f"{path.name}{_MARK}*")
    return sorted(
        one for one in found if _NAME.fullmatch(one.name) and not salvaged_name(one).exists()
    )


def salvaged_name(damaged: Path) -> Path:
    """Return where the sound copy of a damaged spool goes once what it held is stored."""
    return damaged.with_name(f"{damaged.name}.salvaged")


class Published(msgspec.Struct, frozen=True):
    """Under which name a spool's account and dead letters are told to the registry.

    The worker's own for its first spool. A later one, begun because the one before was set aside
    or is gone, gets a name of its own, `worker-1.2`: its rows would replace those of the other.

    Attributes:
        worker: name of the worker.
        generation: 1 for its first spool, 2 for the next.
    """

    worker: str
    generation: int

    @property
    def name(self) -> str:
        """The name."""
        return _name(self.worker, self.generation)

    @property
    def former(self) -> tuple[str, ...]:
        """The names of the worker's spools before it."""
        return tuple(_name(self.worker, one) for one in range(1, self.generation))


def published(spool: Spool, *, registry: Registry, worker: str) -> Published:
    """Return under which name a spool is told, and keep it in the spool.

    Args:
        spool: the worker's.
        registry: knows what was told before.
        worker: name of the worker.

    Raises:
        RegistryUnavailableError: the registry does not answer.
    """
    generation = spool.cursor(GENERATION)
    if not generation:
        generation = 1 if spool.used else registry.ledger.generations(worker) + 1
        spool.move_cursor(GENERATION, generation)
    return Published(worker, generation)


def _name(worker: str, generation: int) -> str:
    return worker if generation == 1 else f"{worker}.{generation}"


def _free(wanted: Path) -> Path:
    number = 1
    found = wanted
    while found.exists():
        number += 1
        found = wanted.with_name(f"{wanted.name}-{number}")
    return found


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
