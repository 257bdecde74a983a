"""Threads that carry out orders: so many at once, each order to one outcome.

Each thread claims the oldest order of its directory, writes its file and notes progress; between
orders it removes files that have expired. A process that stops, or is killed, leaves its orders to
be done again from their beginning: by itself after a restart, or by another process of the same
directory, which has the lock then.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread

import msgspec

from api.exports.files import ExportFiles
from api.exports.work import Work
from core.clock import Clock
from core.errors import ExportsUnavailableError
from core.logs import Outage, logger
from devices.registry import ExportRecord, ExportState, Registry, RegistryUnavailableError

LOOK_EVERY_S = 2.0
"""How often it is looked for orders of other processes, and for files that have expired, seconds.
Orders of this process are begun at once."""


class Runner:
    """Carries out orders from `start` to `stop`.

    Args:
        files: the directory.
        registry: the orders.
        work: makes one file.
        clock: where now comes from.
        threads: how many.
    """

    def __init__(
        self,
        *,
        files: ExportFiles,
        registry: Registry,
        work: Work,
        clock: Clock,
        threads: int,
    ) -> None:
        self._files = files
        self._registry = registry
        self._work = work
        self._clock = clock
        self._count = threads
        self._threads: list[Thread] = []
        self._stop = Event()
        self._wake = Event()
        self._locking = Lock()
        self._locked = False
        self._unsettled: list[ExportRecord] = []
        log = logger("exports")
        self._registry_outage = Outage(log, "registry")
        self._files_outage = Outage(log, "exports")

    def start(self) -> None:
        """Start the threads."""
        self._stop.clear()
        for number in range(self._count):
            thread = Thread(target=self._run, name=f"exports-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """Let the threads look for orders now."""
        self._wake.set()

    def stop(self) -> None:
        """Interrupt what is under way, at the next batch of rows, and end the threads."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._locked:
            self._again(lambda: self._registry.exports.requeue(self._files.owner()))
            self._files.unlock()
            self._locked = False

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            if not self._again(self._everything):
                self._wake.wait(LOOK_EVERY_S)

    def _again(self, action: Callable[[], object]) -> bool:
        """Do something that outages may prevent; return its truth, or False."""
        try:
            done = bool(action())
        except RegistryUnavailableError as error:
            self._registry_outage.down(error.detail)
            return False
        except ExportsUnavailableError as error:
            self._files_outage.down(error.detail)
            return False
        self._registry_outage.up()
        self._files_outage.up()
        return done

    def _everything(self) -> bool:
        """Carry out one order; return whether there was one."""
        if not self._take_over():
            return False
        self._settle()
        self._expire()
        owner = self._files.owner()
        record = self._registry.exports.claim(owner, now_ns=self._clock.now_ns())
        if record is None:
            return False
        try:
            self._work.carry_out(record, stop=self._stop)
        except RegistryUnavailableError:
            self._unsettled.append(record)
            raise
        return True

    def _settle(self) -> None:
        """Let what ended while the registry was away be done again: its outcome was not noted."""
        while self._unsettled:
            record = self._unsettled.pop()
            try:
                again = msgspec.structs.replace(record, state=ExportState.QUEUED.value)
                self._registry.exports.change(again, was=ExportState.RUNNING)
            except RegistryUnavailableError:
                self._unsettled.append(record)
                raise

    def _take_over(self) -> bool:
        """Return whether this process makes the files; begin to, when nobody else does."""
        with self._locking:
            if self._locked:
                return True
            if not self._files.lock():
                return False
            try:
                self._files.sweep()
                self._registry.exports.requeue(self._files.owner())
            except BaseException:
                self._files.unlock()
                raise
            self._locked = True
            return True

    def _expire(self) -> None:
        owner = self._files.owner()
        for record in self._registry.exports.expired(owner, now_ns=self._clock.now_ns()):
            gone = msgspec.structs.replace(record, state=ExportState.EXPIRED.value)
            if self._registry.exports.change(gone, was=ExportState.DONE):
                self._files.file(record.id, record.format).unlink(missing_ok=True)
