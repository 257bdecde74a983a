"""What the worker's disk does: full, read-only, torn in the middle of a write, damaged."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.reliability.fault import Fault
from tests.reliability.rig import Rig, ended
from tests.servers.http_proxy import Answer, on_writes

_SIZE = "16m"
_BUSY = Answer(503, b'{"code":"unavailable","message":"later"}')
_BALLAST_STEP = 64 * 1024
_GARBAGE = bytes(range(1, 256)) * 8
_HEADER_BYTES = 100


def full(rig: Rig) -> None:
    """Fill the spool's disk while the store is away, and make room again."""
    disk = _small_disk(rig)
    worker = rig.start(rig.worker(spool=_spool_on(disk)))
    with rig.traffic() as traffic:
        traffic.reach(0.2)
        rig.gate.rule = on_writes(_BUSY)
        ballast = disk / "ballast"
        _fill(ballast)
        rig.until(lambda: "spool_unavailable" in worker.output(), what="the spool is full")
        rig.check("it does not say that the disk is full", holds=" is full" in worker.output())
        traffic.reach(1.0)
        ballast.unlink()
        rig.gate.rule = None
        rig.mended()
    rig.settle()


def read_only(rig: Rig) -> None:
    """Have a worker find its spool's disk read-only; it must say so and touch nothing."""
    disk = _small_disk(rig)
    where = _spool_on(disk)
    first = rig.start(rig.worker(spool=where))
    with rig.traffic() as traffic:
        traffic.reach(0.5)
        first.stop()
        _mount("-o", "remount,ro", str(disk))
        refused = rig.worker(spool=where).start()
        rig.until(lambda: ended(refused), what="the worker gives up")
        code = refused.stop()
        rig.check(f"a worker on a read-only disk ended with {code}, not 2", holds=code == 2)
        rig.check(
            f"it does not say why: {refused.output()[-300:]}",
            holds=str(disk) in refused.output() and "read" in refused.output(),
        )
        _mount("-o", "remount,rw", str(disk))
        rig.mended()
        rig.start(rig.worker(spool=where))
    rig.settle()


def torn(rig: Rig) -> None:
    """Kill the worker, and leave half of what it would have written next at the end of its log."""
    doomed = rig.running()
    with rig.traffic() as traffic:
        traffic.reach(0.4)
        doomed.kill()
        log = Path(f"{rig.spools()[0]}-wal")
        frame = 24 + 4096
        written = log.read_bytes()
        rig.check("there is no write-ahead log to tear", holds=len(written) > frame)
        log.write_bytes(written + written[-frame : -frame // 2])
        rig.mended()
        rig.running()
    rig.settle()


def damaged(rig: Rig) -> None:
    """Damage a page of the spool; salvage what waits in it once it was set aside."""
    _damage(rig, _damage_an_index)
    damaged = rig.set_aside_spool()
    told = rig.salvage(damaged)
    rig.check("the damaged file was not kept", holds=damaged.exists())
    rig.check(f"not everything was salvaged: {told}", holds=rig.told().pending == 0)


def beheaded(rig: Rig) -> None:
    """Overwrite the head of the spool's file: what waits in it can be read by no program."""

    def behead(spool: Path) -> None:
        with spool.open("r+b") as file:
            rig.overwritten = file.read(_HEADER_BYTES)
            file.seek(0)
            file.write(_GARBAGE[:_HEADER_BYTES])

    _damage(rig, behead)


def _damage(rig: Rig, how: Callable[[Path], None]) -> None:
    first = rig.running()
    rig.gate.rule = on_writes(_BUSY)
    with rig.traffic() as traffic:
        traffic.reach(0.5)
        rig.until(lambda: rig.account().pending > 0, what="messages wait for the store")
        first.stop()
        before = rig.account().received
        how(rig.spools()[0])
        rig.gate.rule = None
        damaged_s = time.monotonic()
        second = rig.running()
        rig.until(lambda: "spool_set_aside" in second.output(), what="the spool is set aside")
        rig.mended(elsewhere=before, since_s=damaged_s)
    rig.settle(expected=len(rig.acknowledged) - before)


def _damage_an_index(spool: Path) -> None:
    connection = sqlite3.connect(spool)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'ledger_version'"
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with spool.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(_GARBAGE[:size])


def _small_disk(rig: Rig) -> Path:
    """Return an empty disk of a few megabytes, which is there until the end of the fault."""
    disk = rig.directory / "disk"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={_SIZE}", "none", str(disk))
    rig.at_the_end(lambda: _as_root("umount", "--lazy", str(disk)))
    rig.spool_directory = disk
    return disk


def _spool_on(disk: Path) -> Path:
    return disk / "spool-worker-1.db"


def _mount(*arguments: str) -> None:
    _as_root("mount", *arguments)


def _as_root(*command: str) -> None:
    sudo = ["sudo", "-n"] if os.geteuid() else []
    done = subprocess.run([*sudo, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"a small disk is needed, and {' '.join(command)} failed: {done.stderr.strip()}; run "
            "the suite as root, or where sudo asks for no password"
        )


def _fill(ballast: Path) -> None:
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(bytes(_BALLAST_STEP)):
                pass
    except OSError:
        return


FAULTS = (
    Fault(name="disk-full", title="spool's disk full, then room again", act=full),
    Fault(name="disk-read-only", title="spool's disk read-only, then writable", act=read_only),
    Fault(name="spool-torn", title="spool's last page torn", act=torn),
    Fault(name="spool-damaged", title="spool damaged, set aside and salvaged", act=damaged),
    Fault(name="spool-beheaded", title="spool unreadable, set aside", act=beheaded),
)
