"""Alerting as it runs: broker, InfluxDB, a worker, processes that judge, somebody who is told.

Everything is a program of its own, so that each can be killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.broker import BrokerAddress
from core.clock import NS_PER_S, SystemClock, iso
from core.settings import load_settings
from devices.registry import Device, Registry
from devices.registry.alert_records import AlertRecord, AlertState
from devices.registry.alerts import AlertFilter
from devices.seeding import prepare
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.programs import Program
from tests.support.site import Site

SITE = "elgazala"
HOT = """\
rule: hot
title: {en: Hot, fr: Chaud}
severity: critical
when: {threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}
"""
POLICY = """\
channels:
  hook: {{webhook: "{url}", secret: "not-very-secret-at-all", timeout: 5s}}
default:
  channels: [hook]
  group_by: []
  group_interval: 1s
  retroactive: each
"""


class AlertingSite:
    """A site whose alerts are judged.

    Args:
        directory: where data and logs go.
        broker: the broker's address.
        influxdb: the InfluxDB.
        bucket: where values are stored.
        told: address of who is told.
        devices: how many devices there are: `d1`, `d2`...
        interval_s: how often they are expected to publish, seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        broker: str,
        influxdb: InfluxDB2,
        bucket: str,
        told: str,
        devices: int = 3,
        interval_s: float | None = None,
    ) -> None:
        self.policy = directory / "policy.yaml"
        self.policy.write_text(POLICY.format(url=told))
        self.broker = broker
        self.clock = SystemClock()
        self.site = Site(
            directory,
            PASSERELLE_MQTT__URL=broker,
            PASSERELLE_MQTT__RECONNECT_MAX_S="1",
            PASSERELLE_ALERTS__POLICY=str(self.policy),
            PASSERELLE_ALERTS__CHECKPOINT_S="1",
            PASSERELLE_ALERTS__LEASE_S="3",
            **influxdb.settings(bucket),
        )
        settings = load_settings(data_dir=directory / "data", mqtt={"url": broker})
        settings.data_dir.mkdir(parents=True)
        self.registry = Registry.open(settings.registry_url, clock=self.clock)
        prepare(self.registry, settings)
        self.devices = [f"d{number}" for number in range(1, devices + 1)]
        self.registry.devices.add_many(
            [
                Device(
                    id=name,
                    site=SITE,
                    profile="passerelle",
                    external_id=name,
                    interval_s=interval_s,
                )
                for name in self.devices
            ]
        )
        self._seq = 0
        self._client = self._connected()

    def close(self) -> None:
        """Let go of the registry and the broker."""
        self._client.disconnect()
        self._client.loop_stop()
        self.registry.close()

    def worker(self) -> Program:
        """Return a worker, not started, with a port of its own for its health."""
        program = self.site.program("-m", "ingest", log="worker")
        program.environment["PASSERELLE_INGEST__METRICS_PORT"] = str(free_port())
        return program

    def alerts(self, name: str = "alerts") -> Program:
        """Return a process that judges, not started, with a port of its own for its health."""
        program = self.site.program("-m", "alerts", log=name)
        program.environment["PASSERELLE_ALERTS__METRICS_PORT"] = str(free_port())
        return program

    def rule(self, source: str = HOT, *, name: str = "hot") -> None:
        """Put a rule."""
        self.registry.rules.put(name, source, author="a test", reason="it is tested")

    def publish(
        self,
        *values: tuple[str, float],
        seconds_ago: float = 0.0,
        quantity: str = "air_temperature",
    ) -> None:
        """Publish a value of some devices, measured so long ago; return once it is acknowledged."""
        at_ns = self.clock.now_ns() - round(seconds_ago * NS_PER_S)
        sent = []
        for device, value in values:
            self._seq += 1
            body = {"seq": self._seq, "boot": 1, "t": iso(at_ns), "v": {quantity: value}}
            topic = f"passerelle/v1/{SITE}/{device}/telemetry"
            sent.append(self._client.publish(topic, json.dumps(body), qos=1))
        for one in sent:
            one.wait_for_publish(60)

    def alerts_of(self, *devices: str, states: Iterable[AlertState] = ()) -> list[AlertRecord]:
        """Return the alerts of devices, the newest first."""
        wanted = AlertFilter(states=tuple(one.value for one in states))
        found = self.registry.alerts.list(wanted, limit=1000)
        return [one for one in found if one.device in devices]

    def wait_alert(self, device: str, state: AlertState, *, seconds: float = 30) -> AlertRecord:
        """Wait until the newest alert of a device is in a state; return it."""

        def is_there() -> bool:
            found = self.alerts_of(device)
            return bool(found) and found[0].state == state

        wait_until(is_there, seconds=seconds, what=f"an alert of {device} is {state}")
        return self.alerts_of(device)[0]

    def _connected(self) -> mqtt.Client:
        address = BrokerAddress.parse(self.broker)
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.reconnect_delay_set(1, 1)
        client.connect(address.host, address.port)
        client.loop_start()
        wait_until(client.is_connected, seconds=20, what="the publisher is connected")
        return client


def judging(program: Program) -> bool:
    """Return whether a process says that it judges."""
    return bool(_health(program, "PASSERELLE_ALERTS__METRICS_PORT").get("judging"))


def receiving(worker: Program) -> bool:
    """Return whether a worker is connected to the broker and the store."""
    return bool(_health(worker, "PASSERELLE_INGEST__METRICS_PORT").get("ok"))


def wait_judging(*programs: Program, seconds: float = 60) -> Program:
    """Wait until one of some processes judges; return it."""
    wait_until(
        lambda: any(judging(one) for one in programs), seconds=seconds, what="a process judges"
    )
    return next(one for one in programs if judging(one))


@contextmanager
def working(worker: Program) -> Iterator[Program]:
    """Run a worker; what is published from the beginning of the block on is received."""
    with worker:
        wait_until(
            lambda: receiving(worker),
            seconds=60,
            what="the worker is connected",
        )
        yield worker


def _health(program: Program, variable: str) -> dict[str, object]:
    try:
        answer = httpx.get(f"http://127.0.0.1:{program.environment[variable]}/health", timeout=2)
    except httpx.HTTPError:
        return {}
    found: dict[str, object] = answer.json()
    return found
