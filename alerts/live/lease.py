"""Who judges rules: one process of all, for as long as it prolongs its lease.

Threads: one of its own prolongs the lease, however long the judging thread is busy. It says that
the lease is lost only when the registry says so: while the registry is away nobody can take it
over, and whatever is written is checked against it in the same transaction.
"""

from __future__ import annotations

import secrets
import threading

from core.errors import PasserelleError
from core.logs import Outage, logger
from core.settings import host_name
from devices.registry import Registry, RegistryUnavailableError
from devices.registry.notices import LEASE

_SHARE = 3


def holder_name() -> str:
    """Return a name for this process that no other has."""
    return f"{host_name()[:60]}-{secrets.token_hex(6)}"


class LeaseKeeper:
    """Takes the lease as soon as it is free, and prolongs it.

    Args:
        registry: where leases are.
        holder: name of this process.
        for_s: for how long the lease is taken each time, seconds.
    """

    def __init__(self, *, registry: Registry, holder: str, for_s: float) -> None:
        self._registry = registry
        self.holder = holder
        self._for_s = for_s
        self.refused = False
        """Whether another process was found to hold it, the last time that it was asked for."""
        self._outage = Outage(logger("alerts.lease"), "registry")
        self._stopping = threading.Event()
        self._held = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts-lease", daemon=True)

    @property
    def held(self) -> bool:
        """Whether this process judges rules."""
        return self._held.is_set()

    def start(self) -> None:
        """Begin to ask for it."""
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is held; return whether it is."""
        return self._held.wait(timeout_s)

    def lost(self) -> None:
        """Take note that a transaction found it lost."""
        self._held.clear()

    def stop(self) -> None:
        """Give it up, so that another process takes over at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._held.clear()
        try:
            self._registry.leases.let_go(LEASE, holder=self.holder)
        except PasserelleError:
            self._outage.down("the lease could not be given up; it runs out by itself")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                held = self._registry.leases.hold(LEASE, holder=self.holder, for_s=self._for_s)
            except RegistryUnavailableError as error:
                self._outage.down(error.detail)
            else:
                self._outage.up()
                self.refused = not held
                if held:
                    self._held.set()
                else:
                    self._held.clear()
            self._stopping.wait(self._for_s / _SHARE)
