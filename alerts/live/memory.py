"""The evaluator's state in the registry: what another process takes up."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from alerts.evaluate.watch import Told
from alerts.live.checkpoint import Checkpoint, CheckpointError, decode, encode
from alerts.live.hearing import Hearing
from alerts.live.judging import Judging, ToldAlerts
from alerts.model import Subject
from core.alert_metrics import EvaluatorMetrics
from core.clock import NS_PER_S, Clock
from core.logs import logger
from devices.registry import Registry
from devices.registry.alert_records import AlertRecord, AlertState
from devices.registry.alerts import AlertFilter

_log = logger("alerts")
NAME = "evaluator"
"""Name of the checkpoint in the registry."""
_TOLD = 10_000
_DAY_NS = 86_400 * NS_PER_S


class Memory:
    """Keeps and takes up what the evaluator remembers.

    Args:
        registry: holds it.
        holder: of the lease: nobody else may keep anything.
        clock: the time.
        metrics: how long it takes and how large it is.
    """

    def __init__(
        self, *, registry: Registry, holder: str, clock: Clock, metrics: EvaluatorMetrics
    ) -> None:
        self._registry = registry
        self._holder = holder
        self._clock = clock
        self._metrics = metrics

    def load(self) -> Checkpoint | None:
        """Return what was kept; None: nothing that can be used.

        Raises:
            RegistryUnavailableError: the registry does not answer.
        """
        found = self._registry.alerts.checkpoint(NAME)
        if found is None:
            return None
        try:
            return decode(found.blob)
        except CheckpointError as error:
            _log.warning("checkpoint_not_used", reason=error.detail)
            return None

    def keep(self, judging: Judging, hearing: Hearing) -> None:
        """Keep what is remembered now; everything that was said must be in the registry.

        Raises:
            RegistryUnavailableError: the registry does not answer; what was kept before stays.
            LeaseLostError: another process judges rules by now.
        """
        now_ns = self._clock.now_ns()
        again_ns = now_ns - judging.again_for_ns
        holes = tuple((one.worker, one.from_ns, one.until_ns) for one in hearing.holes)
        with self._metrics.checkpoint_seconds.time():
            watches = tuple(judging.save(entries_before_ns=again_ns))
            blob = encode(Checkpoint(now_ns, again_ns, dict(hearing.heard), holes, watches))
            facts = msgspec.json.encode({"watches": len(watches)}).decode()
            self._registry.alerts.keep_checkpoint(NAME, blob, facts, now_ns, holder=self._holder)
        self._metrics.checkpoint_bytes.set(len(blob))

    def told(self, *, since_ns: int | None = None) -> ToldAlerts:
        """Return the alerts that people were told of and that late values may still change.

        Args:
            since_ns: also of those that are over and were opened since then, or a day before.

        Raises:
            RegistryUnavailableError: the registry does not answer.
        """
        alerts = list(self._registry.alerts.open_alerts())
        if since_ns is not None:
            wanted = AlertFilter(states=(AlertState.RESOLVED.value,), since_ns=since_ns - _DAY_NS)
            alerts += self._registry.alerts.list(wanted, limit=_TOLD)
        found: dict[tuple[str, Subject], list[Told]] = defaultdict(list)
        for one in alerts:
            if not one.rule.startswith("platform."):
                found[one.rule, subject_of_alert(one)].append(Told(one.at_ns, one.until_ns))
        return found


def subject_of_alert(one: AlertRecord) -> Subject:
    """Return of what an alert speaks."""
    return Subject(one.site, one.building, one.zone, one.device, one.quantity, one.person)
