"""The metrics of alerting, by stage."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_NOTICE_S = (0.1, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)
_DETECTION_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


class EvaluatorMetrics:
    """Those of the evaluator and of what feeds it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.active = Gauge(
            "passerelle_alerts_active",
            "1 while this process judges rules; 0 while another one does.",
            registry=registry,
        )
        self.values = Counter(
            "passerelle_alerts_values", "Values given to the evaluator.", ["source"],
            registry=registry,
        )  # fmt: skip
        self.late = Counter(
            "passerelle_alerts_late_values",
            "Values that came later than their rule allows; they were listed, not judged.",
            registry=registry,
        )
        self.verdicts = Counter(
            "passerelle_alerts_verdicts", "Changes of what rules say, by state.", ["state"],
            registry=registry,
        )  # fmt: skip
        self.watches = Gauge(
            "passerelle_alerts_watches", "Rules at work for a subject.", registry=registry
        )
        self.rules = Gauge("passerelle_alerts_rules", "Rules at work.", registry=registry)
        self.bad_rules = Gauge(
            "passerelle_alerts_unusable_rules",
            "Active rules of the registry that cannot be used: the log says why.",
            registry=registry,
        )
        self.detection = Histogram(
            "passerelle_alerts_detection_seconds",
            "From the commit of a batch in a worker until its verdicts are in the registry.",
            buckets=_DETECTION_S,
            registry=registry,
        )
        self.holes = Gauge(
            "passerelle_alerts_open_holes",
            "Parts of workers' streams that were not heard and are not read from the store yet.",
            registry=registry,
        )
        self.stream_waiting = Gauge(
            "passerelle_alerts_stream_waiting_bytes",
            "What was heard of workers' streams and is not judged yet.",
            registry=registry,
        )
        self.deaf = Gauge(
            "passerelle_alerts_deaf", "1 while no worker is heard.", registry=registry
        )
        self.looking_back = Gauge(
            "passerelle_alerts_looking_back",
            "1 while, after a restart, the past is judged anew behind rules that speak already.",
            registry=registry,
        )
        self.checkpoint_seconds = Histogram(
            "passerelle_alerts_checkpoint_seconds",
            "Time of keeping the evaluator's state.",
            registry=registry,
        )
        self.checkpoint_bytes = Gauge(
            "passerelle_alerts_checkpoint_bytes",
            "Size of the evaluator's state as it is kept.",
            registry=registry,
        )


class DeliveryMetrics:
    """Those of telling people."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "passerelle_alerts_notice_attempts",
            "Attempts to deliver a notice: delivered, retry, refused.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.failed = Counter(
            "passerelle_alerts_notices_failed",
            "Notices given up: refused for good, tried for too long, or of no channel.",
            ["channel"],
            registry=registry,
        )
        self.recovered = Counter(
            "passerelle_alerts_notices_repeated",
            "Notices tried again because a process ended in the middle of an attempt.",
            registry=registry,
        )
        self.waiting = Gauge(
            "passerelle_alerts_notices_waiting", "Notices that wait.", ["channel"],
            registry=registry,
        )  # fmt: skip
        self.held = Counter(
            "passerelle_alerts_notices_held",
            "Notices that waited because the channel had as many in an hour as it may.",
            ["channel"],
            registry=registry,
        )
        self.seconds = Histogram(
            "passerelle_alerts_notice_seconds",
            "From the order of a notice until it was delivered.",
            ["channel"],
            buckets=_NOTICE_S,
            registry=registry,
        )
        self.channel_up = Gauge(
            "passerelle_alerts_channel_up",
            "1 while the channel delivers, 0 while it is down.",
            ["channel"],
            registry=registry,
        )


class LifecycleMetrics:
    """Those of the lifecycle of alerts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge(
            "passerelle_alerts_open",
            "Alerts by severity, class and state: firing, acknowledged, pending, incomplete.",
            ["severity", "alarm_class", "state"],
            registry=registry,
        )
        self.inhibited = Gauge(
            "passerelle_alerts_inhibited",
            "Open alerts that are not told because another one explains them.",
            registry=registry,
        )
        self.silenced = Gauge(
            "passerelle_alerts_silenced",
            "Open alerts that a silence or a maintenance window mutes.",
            registry=registry,
        )
        self.flapping = Gauge(
            "passerelle_alerts_flapping",
            "Alerts that change too often for each change to be told.",
            registry=registry,
        )
        self.events = Counter(
            "passerelle_alerts_events", "What happened to alerts, by kind.", ["kind"],
            registry=registry,
        )  # fmt: skip
        self.notices = Counter(
            "passerelle_alerts_notices", "Notices ordered, by occasion.", ["occasion"],
            registry=registry,
        )  # fmt: skip
        self.turn_seconds = Histogram(
            "passerelle_alerts_turn_seconds",
            "Time of one transaction of the lifecycle.",
            registry=registry,
        )

    def show(
        self,
        states: Mapping[tuple[str, str, str], int],
        *,
        inhibited: int,
        silenced: int,
        flapping: int,
    ) -> None:
        """Show how many alerts there are.

        Args:
            states: (severity, class, state) -> how many.
            inhibited: see the metric, as the further ones.
            silenced: likewise.
            flapping: likewise.
        """
        self.open.clear()
        for labels, count in states.items():
            self.open.labels(*labels).set(count)
        self.inhibited.set(inhibited)
        self.silenced.set(silenced)
        self.flapping.set(flapping)


class AlertMetrics:
    """Those of alerting, stage by stage.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluator = EvaluatorMetrics(registry)
        self.lifecycle = LifecycleMetrics(registry)
        self.delivery = DeliveryMetrics(registry)
