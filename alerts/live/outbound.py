"""Hands what the evaluator says to the lifecycle, and keeps it while the registry is away.

Verdicts are in the registry before anything is told. What cannot be written is kept in order and
written as soon as it can be; the evaluator goes on meanwhile. If the process dies before, the same
values give the same verdicts again.
"""

from __future__ import annotations

from collections.abc import Callable

from alerts.evaluate.engine import Late, Outcome
from alerts.lifecycle import Lifecycle
from alerts.model import Verdict
from core.clock import NS_PER_S, Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from devices.registry import RegistryUnavailableError


class Outbound:
    """Verdicts on their way to the registry.

    Args:
        lifecycle: makes alerts of them.
        clock: the time.
        metrics: `alerts.evaluator`.
        written: is called when something was written: there may be something to be delivered.
    """

    def __init__(
        self,
        *,
        lifecycle: Lifecycle,
        clock: Clock,
        metrics: Metrics,
        written: Callable[[], None],
    ) -> None:
        self._lifecycle = lifecycle
        self._written = written
        self._clock = clock
        self._metrics = metrics.alerts.evaluator
        self._outage = Outage(logger("alerts.outbound"), "registry")
        self._verdicts: list[Verdict] = []
        self._late: list[Late] = []
        self._since_ns: int | None = None

    @property
    def empty(self) -> bool:
        """Whether everything that was said is in the registry."""
        return not self._verdicts and not self._late

    def hear(self, outcome: Outcome) -> None:
        """Take what the evaluator says."""
        self._verdicts += outcome.verdicts
        self._late += outcome.late
        for one in outcome.verdicts:
            self._metrics.verdicts.labels(one.state.value).inc()
        self._metrics.late.inc(len(outcome.late))

    def write(self, *, since_ns: int | None = None) -> None:
        """Write what was said; what cannot be written is tried again the next time.

        Args:
            since_ns: when what decided was committed by its worker, for the metric.

        Raises:
            LeaseLostError: another process judges rules by now.
        """
        if self.empty:
            return
        self._since_ns = self._since_ns or since_ns
        try:
            self._lifecycle.apply(self._verdicts, self._late)
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            return
        self._outage.up()
        self._written()
        if self._since_ns is not None and self._verdicts:
            waited_ns = self._clock.now_ns() - self._since_ns
            self._metrics.detection.observe(max(0.0, waited_ns / NS_PER_S))
        self._verdicts, self._late, self._since_ns = [], [], None

    def tick(self) -> None:
        """Have the lifecycle do what is due.

        Raises:
            LeaseLostError: another process judges rules by now.
        """
        try:
            self._lifecycle.tick()
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
