"""`python -m tests.support.faulty_alerts`: alerting whose life and clock files decide.

`PASSERELLE_TEST_ORDERS` names a directory. A file `crash` in it names a point: the process is
killed with SIGKILL when it next passes that point with an alarm in hand. `judged`, `written` and
`kept` are those of `alerts.live.turn`; `begun`, `sent` and `recorded` are of delivery: an attempt
is in the registry and nothing was sent, it was sent and that is not in the registry, it is. A file
`clock` holds a number of seconds, by which its wall clock is off. `PASSERELLE_TEST_DEFECT` makes it
what the fault suite is there to find: `drop` writes down as delivered what it never sends, `hasty`
sends before it is written down that it will. `PASSERELLE_TEST_HURRY` shortens, in seconds, the
waits that only cost a short run its time. The product knows none of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from alerts.__main__ import run
from alerts.deliver.lane import Lane
from alerts.live import turn
from alerts.live.outbound import Outbound
from alerts.model import State
from core.clock import NS_PER_S, SystemClock
from core.logs import configure_logging
from core.settings import Settings
from devices.registry import leases
from devices.registry.alert_records import Attempt
from devices.registry.notices import NoticeRepository


class FaultySettings(Settings):
    """The product's settings, and what goes wrong."""

    test_orders: Path
    test_defect: str = Field("", pattern=r"^(|drop|hasty)$")
    test_hurry: float | None = None


class OrderedClock(SystemClock):
    """The machine's clock, off by what a file says.

    Args:
        file: holds a number of seconds; it may be missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_ns(self) -> int:
        """Return the time that the wall clock shows, nanoseconds since the epoch."""
        off_s = float(self._file.read_text()) if self._file.exists() else 0.0
        return super().now_ns() + round(off_s * NS_PER_S)


class Death:
    """Kills the process at the point that a file names, once there is an alarm in hand.

    Args:
        file: names it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._in_hand = False

    def take(self, verdicts: Any) -> None:
        """Note that an alarm was found."""
        self._in_hand |= any(one.state is State.FIRING for one in verdicts)

    def passes(self, point: str) -> None:
        """Pass a point of the judging loop, or die there."""
        if self._in_hand:
            self.at(point)

    def at(self, point: str) -> None:
        """Pass a point, or die there."""
        if self._file.exists() and self._file.read_text() == point:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Judge until SIGTERM, or until it dies."""
    settings = FaultySettings.model_validate({})
    configure_logging(settings.logging)
    death = Death(settings.test_orders / "crash")
    _watch(Outbound, "hear", before=lambda _, outcome: death.take(outcome.verdicts))
    _watch(NoticeRepository, "begin", after=lambda: death.at("begun"))
    _watch(
        NoticeRepository, "finish",
        before=lambda *_, **__: death.at("sent"), after=lambda: death.at("recorded"),
    )  # fmt: skip
    if settings.test_defect == "drop":
        _exchange(Lane, "send", lambda *_: "dropped")
    if settings.test_defect == "hasty":
        _begin_late()
    values: Settings = settings
    if settings.test_hurry is not None:
        values = _hurried(settings, settings.test_hurry)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    clock = OrderedClock(settings.test_orders / "clock")
    run(values, stopping=stopping, checkpoint=death.passes, clock=clock)


def _watch(
    owner: type,
    name: str,
    *,
    before: Callable[..., None] = lambda *_, **__: None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Have something done around each call of a method."""
    step = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        found = step(*args, **kwargs)
        after()
        return found

    _exchange(owner, name, call)


def _exchange(owner: type, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)


def _begin_late() -> None:
    begin, finish = NoticeRepository.begin, NoticeRepository.finish

    def later(_self: Any, notice: str, now_ns: int, **_: Any) -> Attempt:
        return Attempt(notice=notice, number=1, started_ns=now_ns)

    def both(self: Any, attempt: Attempt, *args: Any, **kwargs: Any) -> None:
        begin(self, attempt.notice, attempt.started_ns, holder=kwargs["holder"])
        finish(self, attempt, *args, **kwargs)

    _exchange(NoticeRepository, "begin", later)
    _exchange(NoticeRepository, "finish", both)


def _hurried(settings: Settings, seconds: float) -> Settings:
    """Return settings, and set constants, with leases and catching up as short as asked for."""
    leases.GRACE_NS = round(seconds * NS_PER_S)
    turn._CATCH_UP_S = 3 * seconds
    alerts = settings.alerts.model_copy(update={"lease_s": seconds})
    return settings.model_copy(update={"alerts": alerts})


if __name__ == "__main__":
    main()
