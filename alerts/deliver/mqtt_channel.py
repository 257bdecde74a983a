"""MQTT: each notice on the topic of its site, and the present state retained beside it.

`passerelle/v1/{site}/alerts` carries the JSON of `alerts.deliver.payload`, QoS 1, not retained, so
that a siren reacts once; `passerelle/v1/{site}/alerts/state` carries how many alerts are open, by
severity, retained, so that a lamp that is switched on later knows. It is published whenever it
changes, and every `SHOWN_AGAIN_S` seconds: a lamp that hears nothing for longer knows that nobody
watches. The platform's own alarms have `platform` in the place of the site.

A notice is delivered when the broker acknowledged it (PUBACK). MQTT 3.1.1 says nothing else: a
broker that lets nobody publish there acknowledges too.

Threads: paho has one of its own, which only notes whether there is a connection; everything else is
done by the caller's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import paho.mqtt.client as mqtt

from alerts.deliver.channel import DeliveryError
from alerts.deliver.payload import VERSION, payload_of
from alerts.deliver.site_states import PLATFORM, SiteState
from alerts.deliver.spec import SITE, ChannelSpec
from alerts.deliver.templates.message import Wording
from alerts.model import Notice
from core.clock import Clock, iso
from core.errors import ConfigurationError
from core.mqtt import passing_client
from core.settings import MqttSettings

SHOWN_AGAIN_S = 60.0
"""How often the state is published though nothing changed, seconds."""


class StateBody(msgspec.Struct, frozen=True):
    """What is retained."""

    version: int
    site: str
    time: str
    firing: Mapping[str, int]
    acknowledged: Mapping[str, int]
    muted: int
    worst: str


class MqttChannel:
    """The broker of the platform's settings.

    Args:
        spec: of the channel; its address is a topic with `{site}` in it.
        wording: how its texts are worded.
        settings: the broker.
        clock: time of the state.
        states: gives the state of every site.
    """

    def __init__(
        self,
        spec: ChannelSpec,
        *,
        wording: Wording,
        settings: MqttSettings,
        clock: Clock,
        states: Callable[[], Mapping[str, SiteState]],
    ) -> None:
        self._topic = spec.address.get_secret_value()
        self._spec = spec
        self._wording = wording
        self._settings = settings
        self._clock = clock
        self._states = states
        self._client: mqtt.Client | None = None
        self._connected = threading.Event()
        self._refusal = ""
        self._shown: dict[str, SiteState] = {}
        self._shown_at_s: float | None = None

    def deliver(self, notice: Notice) -> str:
        """Publish a notice to each of its sites; see `alerts.deliver.channel.Channel`."""
        for site, part in _by_site(notice):
            self._publish(self._of(site), payload_of(part, self._wording), retain=False)
        return "PUBACK"

    def show_state(self) -> None:
        """Publish the state of each site where it changed, or of all when it is time to."""
        states = self._states()
        now_s = self._clock.monotonic_s()
        again = self._shown_at_s is None or now_s - self._shown_at_s >= SHOWN_AGAIN_S
        time = iso(self._clock.now_ns())
        for site, state in states.items():
            if again or self._shown.get(site) != state:
                body = StateBody(
                    VERSION, site, time, state.firing, state.acknowledged, state.muted, state.worst
                )
                self._publish(f"{self._of(site)}/state", msgspec.json.encode(body), retain=True)
                self._shown[site] = state
        if again:
            self._shown_at_s = now_s

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        self._connected.clear()
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _of(self, site: str) -> str:
        return self._topic.replace(SITE, site)

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish and wait for the acknowledgement.

        After a failure the client is dropped with what it would have sent later by itself: the
        notice is tried again, and must not be there twice.
        """
        client = self._client or self._connect()
        if not self._connected.wait(self._spec.timeout_s):
            refusal = self._refusal
            self.close()
            raise DeliveryError(
                f"the broker refuses the connection: {refusal}"
                if refusal
                else "the broker cannot be reached",
                retry=True,
            )
        try:
            told = client.publish(topic, payload, qos=1, retain=retain)
            told.wait_for_publish(self._spec.timeout_s)
            arrived = told.is_published()
        except (RuntimeError, ValueError) as error:
            self.close()
            raise DeliveryError(f"it cannot be published: {error}", retry=True) from None
        if not arrived:
            self.close()
            raise DeliveryError("the broker did not acknowledge it in time", retry=True)

    def _connect(self) -> mqtt.Client:
        try:
            client = passing_client(self._settings)
        except ConfigurationError as error:
            raise DeliveryError(error.detail, retry=True) from None
        self._refusal = ""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.loop_start()
        self._client = client
        return client

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self._shown_at_s = None  # the broker may be another one, or have forgotten
        self._connected.set()

    def _on_disconnect(self, client: mqtt.Client, *_: Any) -> None:
        if client is self._client:
            self._connected.clear()


def _by_site(notice: Notice) -> Iterator[tuple[str, Notice]]:
    """Give the part of a notice that is about each site; about the platform where it is of none."""
    if not notice.alerts:
        yield PLATFORM, notice
    sites = dict.fromkeys(view.subject.site or PLATFORM for view in notice.alerts)
    for site in sites:
        alerts = tuple(one for one in notice.alerts if (one.subject.site or PLATFORM) == site)
        yield site, msgspec.structs.replace(notice, alerts=alerts)
