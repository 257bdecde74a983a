"""What every real server has in common: start, stop, kill, restart, and being ready."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from tests.servers.process import ServerProcess
from tests.servers.runner import Runner
from tests.servers.waiting import wait_until

READY_SECONDS = 60.0


class Server(ABC):
    """One server of one test or session; a context manager that starts and removes it."""

    name: str
    """What it is called in messages."""

    def __init__(self, *, runner: Runner) -> None:
        self._runner = runner

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether it serves requests now."""

    @property
    def running(self) -> bool:
        """Whether its process or container is alive."""
        return self._runner.running

    @property
    def pid(self) -> int | None:
        """Its process id; None before its first start, and where a container runs it."""
        return self._runner.pid if isinstance(self._runner, ServerProcess) else None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended instead; the message holds its output.
            TimeoutError: it did not answer in time.
        """
        self._runner.start()
        try:
            wait_until(
                lambda: not self._runner.running or self.answers(),
                seconds=READY_SECONDS,
                what=f"{self.name} answers",
            )
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self._runner.log()}") from None
        if not self._runner.running:
            raise RuntimeError(f"{self.name} ended at once:\n{self._runner.log()}")

    def stop(self) -> None:
        """End it politely (SIGTERM or what the server takes for it); its data stay."""
        self._runner.stop()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._runner.kill()

    def restart(self) -> None:
        """Stop it politely and start it again, on the same port and data."""
        self.stop()
        self.start()

    def log(self) -> str:
        """Return what it printed so far."""
        return self._runner.log()

    def remove(self) -> None:
        """End it for good."""
        self._runner.remove()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()
