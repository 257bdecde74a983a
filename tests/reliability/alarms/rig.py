"""Alerting as it runs: broker, InfluxDB behind a proxy, a worker, processes that judge, a witness.

One platform for all faults of a run, each with devices of its own: what a fault did to the others'
alarms would be seen there as well.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import NS_PER_S, SystemClock, iso
from core.settings import load_settings
from devices.registry import Device, Registry
from devices.registry.alert_records import AlertRecord
from devices.registry.alerts import AlertFilter
from devices.seeding import prepare
from tests.reliability.alarms.truth import COOL, HOT, QUANTITY, Value, alarms
from tests.reliability.alarms.witness import Witness
from tests.reliability.fault import BROKER
from tests.reliability.rig import ended
from tests.servers.http_proxy import HttpProxy
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import new_mosquitto
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.alerting import HOT as HOT_RULE
from tests.support.alerting import judging, receiving, wait_judging, working
from tests.support.programs import Program
from tests.support.site import Site

SITE = "elgazala"
_SILENT = """\
rule: silent
title: {en: Silent, fr: Muet}
when: {absence: {after: 2h}}
"""
_POLICY = """\
channels:
  hook: {{webhook: "{url}", secret: "not-very-secret-at-all", timeout: 5s}}
default:
  channels: [hook]
  group_by: []
  group_interval: 1s
"""
_READY_S = 120.0


class AlarmRig:
    """The platform; a context manager.

    Args:
        directory: empty, on a disk.
        store: a running InfluxDB.
        devices: names of all devices of all faults.
        hurry_s: leases, and the patience with a store that is away, as short as this, seconds;
            None: as shipped.
        defect: see `tests.support.faulty_alerts`.

    Attributes:
        values: what the broker has acknowledged.
        gate: the way to the store.
        witness: who is told.
    """

    def __init__(
        self,
        *,
        directory: Path,
        store: InfluxDB2,
        devices: Iterable[str],
        hurry_s: float | None,
        defect: str = "",
    ) -> None:
        self.directory = directory
        self.values: list[Value] = []
        self._store = store
        self._devices = list(devices)
        self._defect = defect
        self._hurry_s = hurry_s
        self._seq = 0
        self._programs: list[Program] = []
        self._stack = ExitStack()
        (directory / "mosquitto").mkdir()
        self._orders = directory / "orders"
        self._orders.mkdir()
        self.broker = new_mosquitto(directory / "mosquitto", BROKER)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.broker)
            self.gate = stack.enter_context(HttpProxy(self._store.url))
            stack.callback(self._kill_all)
            data = self.directory / "data"
            data.mkdir()
            self.registry = Registry.open(f"sqlite:///{data / 'registry.db'}", clock=SystemClock())
            stack.callback(self.registry.close)
            prepare(self.registry, load_settings(data_dir=data))
            self.registry.devices.add_many(
                [
                    Device(id=name, site=SITE, profile="passerelle", external_id=name)
                    for name in self._devices
                ]
            )
            for name, source in (("hot", HOT_RULE), ("silent", _SILENT)):
                self.registry.rules.put(name, source, author="the fault suite", reason="faults")
            self.witness = stack.enter_context(Witness(self.registry))
            policy = self.directory / "policy.yaml"
            policy.write_text(_POLICY.format(url=self.witness.url))
            self.site = Site(
                self.directory,
                PASSERELLE_MQTT__URL=self.broker.url,
                PASSERELLE_MQTT__RECONNECT_MAX_S="1",
                PASSERELLE_ALERTS__POLICY=str(policy),
                PASSERELLE_ALERTS__CHECKPOINT_S="1",
                PASSERELLE_TEST_ORDERS=str(self._orders),
                PASSERELLE_TEST_DEFECT=self._defect,
                **self._store.settings(self._store.create_bucket()),
            )
            self.site.environment["PASSERELLE_STORE__URL"] = f"influxdb+{self.gate.url}"
            if self._hurry_s is not None:
                self.site.environment["PASSERELLE_TEST_HURRY"] = str(self._hurry_s)
            self._client = self._connected(stack)
            self.worker = self._worker(stack)
            self.alerts = self.judge()
            wait_judging(self.alerts, seconds=_READY_S)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def judge(self) -> Program:
        """Start a process that judges, or waits until it may."""
        program = self.site.program(
            "-m", "tests.support.faulty_alerts", log=f"alerts-{len(self._programs)}"
        )
        program.environment["PASSERELLE_ALERTS__METRICS_PORT"] = str(free_port())
        self._programs.append(program)
        return program.start()

    def again(self) -> None:
        """Start alerting anew, as a supervisor does; return at once."""
        self.order("crash", "")
        self.alerts = self.judge()

    def wait_judging(self, program: Program | None = None) -> None:
        """Wait until a process, the usual one, judges."""
        wait_judging(program or self.alerts, seconds=_READY_S)

    def order(self, what: str, said: str) -> None:
        """Have the processes that judge find an order (`tests.support.faulty_alerts`)."""
        new = self._orders / f"{what}.new"
        new.write_text(said)
        new.replace(self._orders / what)

    def publish(self, *values: Value) -> None:
        """Publish values; return once the broker has acknowledged them."""
        self.until(self._client.is_connected, what="the publisher is connected")
        sent = []
        for one in values:
            self._seq += 1
            body = {
                "seq": self._seq, "boot": 1, "t": iso(one.time_ns), "v": {QUANTITY: one.value},
            }  # fmt: skip
            topic = f"passerelle/v1/{SITE}/{one.device}/telemetry"
            sent.append(self._client.publish(topic, json.dumps(body), qos=1))
        for told in sent:
            told.wait_for_publish(60)
        self.values += values

    def heat(self, devices: Iterable[str], *, behind_s: float = 0.0) -> None:
        """Have devices measure a value above the limit, now by their clock."""
        self._measure(devices, HOT, behind_s)

    def cool(self, devices: Iterable[str], *, behind_s: float = 0.0) -> None:
        """Have devices measure a value below the limit, now by their clock."""
        self._measure(devices, COOL, behind_s)

    def alerts_of(self, devices: frozenset[str]) -> list[AlertRecord]:
        """Return the alerts of some devices."""
        found: list[AlertRecord] = []
        after = None
        while page := self.registry.alerts.list(AlertFilter(), limit=500, after=after):
            found += [one for one in page if one.device in devices]
            after = (page[-1].opened_ns, page[-1].id)
        return found

    def until(self, condition: Callable[[], object], *, what: str, seconds: float = 60.0) -> None:
        """Wait for something that the fault is about."""
        wait_until(condition, seconds=seconds, what=what, every=0.05)

    def mend(self) -> None:
        """Take back what a fault that was not brought to its end has left."""
        self.gate.rule = None
        self.witness.refusing = 0
        self.witness.hold.set()
        self.order("clock", "0")
        if ended(self.alerts):
            self.again()

    def settle(self, devices: frozenset[str], *, seconds: float) -> None:
        """Wait until every alarm of some devices is found and told, or give up: the row tells."""
        with contextlib.suppress(TimeoutError):
            self.until(lambda: self._settled(devices), what="all is told", seconds=seconds)

    def receiving(self) -> bool:
        """Return whether the worker is connected to the broker."""
        return receiving(self.worker)

    def pause(self, seconds: float) -> None:
        """Let time pass: a fault that lasts."""
        until_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= until_s, what="it lasted", seconds=seconds + 30)

    def freeze(self, program: Program) -> None:
        """Stop a process as a machine that is paused does."""
        self._process(program).send_signal(signal.SIGSTOP)

    def thaw(self, program: Program) -> None:
        """Have it go on."""
        self._process(program).send_signal(signal.SIGCONT)

    def judging(self, program: Program) -> bool:
        """Return whether a process judges."""
        return judging(program)

    def output(self) -> str:
        """Return what all processes that judge have logged."""
        return "\n".join(one.output() for one in self._programs)

    def _settled(self, devices: frozenset[str]) -> bool:
        due = alarms(one for one in self.values if one.device in devices)
        found = {(one.device, one.at_ns, one.until_ns) for one in self.alerts_of(devices)}
        if not found >= {(one.device, one.at_ns, one.until_ns) for one in due}:
            return False
        told = self.witness.told()
        return all(told[one.device, iso(one.at_ns)] for one in due) and not (
            self.registry.notices.waiting()
        )

    def _measure(self, devices: Iterable[str], value: float, behind_s: float) -> None:
        now_ns = time.time_ns() - round(behind_s * NS_PER_S)
        self.publish(*[Value(name, now_ns, value) for name in devices])

    @staticmethod
    def _process(program: Program) -> subprocess.Popen[bytes]:
        assert program.process is not None
        return program.process

    def _worker(self, stack: ExitStack) -> Program:
        program = self.site.program("-m", "ingest", log="worker")
        program.environment["PASSERELLE_INGEST__METRICS_PORT"] = str(free_port())
        return stack.enter_context(working(program))

    def _connected(self, stack: ExitStack) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)
        wait_until(client.is_connected, seconds=20, what="the publisher is connected")
        return client

    def _kill_all(self) -> None:
        for program in self._programs:
            if program.process is not None and program.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    program.process.send_signal(signal.SIGCONT)
                program.kill()
