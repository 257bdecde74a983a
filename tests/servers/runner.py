"""What runs a server: a process here, a container elsewhere."""

from __future__ import annotations

from typing import Protocol


class Runner(Protocol):
    """One server that can be started and ended again and again, on the same port and data."""

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        ...

    def start(self) -> None:
        """Start it; it may not answer yet."""
        ...

    def stop(self) -> None:
        """End it politely and wait until it is gone; nothing when it does not run."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL and wait until it is gone; nothing when it does not run."""
        ...

    def remove(self) -> None:
        """End it and forget what it left outside its directory."""
        ...

    def log(self) -> str:
        """Return what it printed so far."""
        ...
