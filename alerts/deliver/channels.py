"""Making the channel that the policy describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alerts.deliver.channel import Channel
from alerts.deliver.mqtt_channel import MqttChannel
from alerts.deliver.privacy import veiled
from alerts.deliver.site_states import SiteState
from alerts.deliver.spec import ChannelKind, ChannelSpec, Health
from alerts.deliver.templates.message import Wording
from alerts.deliver.webhook import WebhookChannel
from alerts.model import Notice
from core.clock import Clock
from core.settings import MqttSettings


def channel_of(
    spec: ChannelSpec,
    *,
    mqtt: MqttSettings,
    public_url: str,
    clock: Clock,
    states: Callable[[], Mapping[str, SiteState]],
) -> Channel:
    """Return the channel that a spec describes; nothing is connected yet.

    Args:
        spec: of the channel.
        mqtt: the broker, for channels on MQTT.
        public_url: address of the dashboard, or "": no links.
        clock: the present.
        states: the open alerts of each site, for channels that show them.

    Raises:
        ConfigurationError: the address cannot be used.
    """
    wording = Wording(languages=spec.languages, zone=spec.zone, public_url=public_url)
    channel: Channel
    if spec.kind is ChannelKind.MQTT:
        channel = MqttChannel(spec, wording=wording, settings=mqtt, clock=clock, states=states)
    elif spec.kind is ChannelKind.WEBHOOK:
        channel = WebhookChannel(spec, wording=wording, clock=clock)
    else:
        # Apprise's many modules are loaded only where it is used: it takes seconds.
        from alerts.deliver.apprise_channel import AppriseChannel  # noqa: PLC0415

        channel = AppriseChannel(spec, wording=wording)
    return channel


def told(spec: ChannelSpec, notice: Notice) -> Notice:
    """Return what a channel may tell of a notice."""
    return notice if spec.health is Health.SHOWN else veiled(notice)
