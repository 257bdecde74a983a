"""Alerts and notices for tests of delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from alerts.deliver.bodies import record_of
from alerts.deliver.channel import Channel
from alerts.deliver.outbox import Outbox
from alerts.deliver.spec import ChannelSpec, read_channel
from alerts.model import AlarmClass, AlertView, Notice, Occasion, Severity, Subject
from core.alert_metrics import AlertMetrics
from core.clock import NS_PER_S, Clock
from core.metrics import Metrics
from core.reading import Reading
from core.settings import MqttSettings
from devices.registry import Registry
from devices.registry.alert_records import NoticeRecord

AT_NS = 1_795_428_000 * NS_PER_S
"""2026-11-23T10:00:00Z: 11:00 in Tunis."""
SECRET = "an-ordinary-webhook-secret"


def view(**more: Any) -> AlertView:
    """Return an alert of a room that is too hot."""
    device, site = "elg-env-004", "elgazala"
    fields: dict[str, Any] = {
        "id": "a1b2c3d4",
        "rule": "server-room-hot",
        "title": {"en": "Server room too hot", "fr": "Salle serveur trop chaude"},
        "severity": Severity.CRITICAL,
        "alarm_class": AlarmClass.MEASURED,
        "subject": Subject(site, building="A", zone="server-1", device=device),
        "state": "firing",
        "at_ns": AT_NS,
        "resolved_ns": None,
        "value": 29.4,
        "unit": "Cel",
        "facts": {"above": 28.0, "quantity": "air_temperature", "unit": "Cel", "value": 29.4},
        "evidence": (Reading(site, device, "air_temperature", AT_NS, 29.4, 0),),
        "zone": "Africa/Tunis",
        "site_name": "El Gazala",
        "device_name": "Salle serveurs, nord",
    }
    return AlertView(**(fields | more))


def patient(**more: Any) -> AlertView:
    """Return an alert of a person's early warning score."""
    fields: dict[str, Any] = {
        "id": "e5f6a7b8",
        "rule": "news2-urgent",
        "title": {"en": "Early warning score", "fr": "Score d'alerte précoce"},
        "subject": Subject("diamniadio", person="p-017"),
        "value": None,
        "unit": "",
        "facts": {
            "score": 7,
            "score_heart_rate": 2,
            "score_respiratory_rate": 3,
            "missing": "supplemental_oxygen, body_temperature",
        },
        "evidence": (Reading("diamniadio", "dia-vit-01", "heart_rate", AT_NS, 127.0, 0),),
        "zone": "Africa/Dakar",
        "site_name": "Diamniadio",
        "device_name": "",
    }
    return view(**(fields | more))


def notice(**more: Any) -> Notice:
    """Return the notice that the room is too hot."""
    fields: dict[str, Any] = {
        "id": "0123456789abcdef",
        "occasion": Occasion.FIRING,
        "channel": "ward-mail",
        "created_ns": AT_NS + 5 * NS_PER_S,
        "alerts": (view(),),
    }
    return Notice(**(fields | more))


def spec(name: str, /, **said: Any) -> ChannelSpec:
    """Return a channel as the policy file would have it."""
    return read_channel(name, said, ("channels", name), environ={})


class Channels(msgspec.Struct, frozen=True):
    """What the outbox needs of a policy."""

    channels: Mapping[str, ChannelSpec]


class Post:
    """A registry of SQLite, an outbox, and what was said of its channels.

    Args:
        directory: where the registry is.
        specs: the channels.
        clock: the present.
        mqtt: the broker.
        make: makes a channel; default: the real ones.
        holder: of the lease, or None.
    """

    def __init__(
        self,
        directory: Path,
        *specs: ChannelSpec,
        clock: Clock,
        mqtt: MqttSettings | None = None,
        make: Callable[[ChannelSpec], Channel] | None = None,
        holder: str | None = None,
    ) -> None:
        self.clock = clock
        self.url = f"sqlite:///{directory / 'registry.db'}"
        self.registry = Registry.open(self.url, clock=clock)
        self.registry.migrate()
        self.registry.seed([], [])
        self.said: list[tuple[str, bool, str]] = []
        self.metrics = Metrics()
        alerts: AlertMetrics = self.metrics.alerts
        self.outbox = Outbox(
            registry=self.registry,
            policy=Channels({one.name: one for one in specs}),
            clock=clock,
            metrics=alerts,
            on_channel=lambda *told: self.said.append(told),
            mqtt=mqtt or MqttSettings.model_validate({}),
            public_url="https://passerelle.example",
            holder=holder,
            random=Random(7),
            make=make,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.outbox.stop()
        self.registry.close()

    def order(self, name: str, **more: Any) -> None:
        """Order a notice, now."""
        made = notice(**({"id": name, "created_ns": self.clock.now_ns()} | more))
        self.registry.notices.add([record_of(made)])

    def got(self, name: str) -> NoticeRecord:
        """Return how far a notice is."""
        return self.registry.notices.get(name)

    def details(self, name: str) -> list[tuple[str, str]]:
        """Return outcome and detail of each attempt at a notice."""
        return [(one.outcome, one.detail) for one in self.registry.notices.attempts(name)]
