"""Whether the platform itself hears: the workers, and through which holes values are missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alerts.live.hearing import Hearing, Hole
from alerts.live.platform_state import DEAF, GAP, PlatformState
from core.alert_metrics import EvaluatorMetrics

SILENT_S = 5.0
"""So long without a worker, and time stands still for rules, seconds; workers speak each second."""
_GAP_S = 120.0


class Presence:
    """Watches over the workers' streams, once a second.

    Args:
        hearing: what was heard.
        platform: is told of what is wrong.
        metrics: `deaf`, `open_holes`.
        deaf_after_s: after how long without a worker that is an alarm, seconds.
        began_s: when listening began, by the clock that never steps.
        listen: is called when somebody is heard again: silence counts from then on.
    """

    def __init__(
        self,
        *,
        hearing: Hearing,
        platform: PlatformState,
        metrics: EvaluatorMetrics,
        deaf_after_s: float,
        began_s: float,
        listen: Callable[[], None],
    ) -> None:
        self._hearing = hearing
        self._platform = platform
        self._metrics = metrics
        self._deaf_after_s = deaf_after_s
        self._began_s = began_s
        self._listen = listen
        self._since: Mapping[Hole, float] = {}
        self.deaf = False
        """Whether nobody is heard now."""

    def look(self, *, now_s: float) -> None:
        """Look at everything.

        Raises:
            LeaseLostError: another process judges rules by now.
            RegistryUnavailableError: an alarm was not written; it is said again the next time.
        """
        self._look_at_workers(now_s)
        self._look_at_holes(now_s)

    def _look_at_workers(self, now_s: float) -> None:
        silence_s = self._hearing.silence_s(now_s=now_s)
        if silence_s is None:
            silence_s = now_s - self._began_s
        deaf = silence_s >= SILENT_S
        if self.deaf and not deaf:
            self._listen()
        self.deaf = deaf
        all_deaf = silence_s >= self._deaf_after_s
        self._metrics.deaf.set(1 if all_deaf else 0)
        self._platform.say(DEAF, "", active=all_deaf, facts={"silent_s": round(silence_s)})
        silent = self._hearing.silent(now_s=now_s, for_s=self._deaf_after_s)
        for worker in {*silent, *self._platform.of(DEAF)} - {""}:
            if worker not in silent:
                self._listen()
            facts: dict[str, str | float] = {"worker": worker}
            facts["silent_s"] = round(silent.get(worker, 0.0))
            active = worker in silent and not all_deaf
            self._platform.say(DEAF, worker, active=active, facts=facts)

    def _look_at_holes(self, now_s: float) -> None:
        holes = self._hearing.holes
        self._metrics.holes.set(len(holes))
        self._since = {one: self._since.get(one, now_s) for one in holes}
        for worker in {one.worker for one in holes} | set(self._platform.of(GAP)):
            since = [at_s for one, at_s in self._since.items() if one.worker == worker]
            active = bool(since) and now_s - min(since) >= _GAP_S
            self._platform.say(GAP, worker, active=active, facts={"worker": worker})
