"""Running a fleet: every device measures at its own times, and everything goes to the broker."""

from __future__ import annotations

import heapq
import threading
from pathlib import Path
from typing import Literal

from core.clock import NS_PER_S, Clock, SystemClock
from core.errors import ConfigurationError
from simulators.account import Account, ProgressCallback
from simulators.fleet import Fleet
from simulators.formats.wire import Packet
from simulators.formats.zigbee2mqtt import bridge_devices
from simulators.login import BrokerLogin, MqttVersion
from simulators.outgoing import Outgoing
from simulators.pace import Pace
from simulators.report import Report, Row, bridge_row
from simulators.telling import DeviceStream

Connections = int | Literal["site", "device"]

_BOOTS_SINCE_NS = 1_577_836_800 * NS_PER_S  # 2020-01-01
_LONGEST_WAIT_S = 0.1
_MOST_CONNECTIONS = 10_000


def simulate(
    fleet: Fleet,
    *,
    broker_url: str,
    speed: float = 1.0,
    duration_s: float | None = None,
    stop: threading.Event,
    clock: Clock | None = None,
    on_progress: ProgressCallback | None = None,
    start_ns: int | None = None,
    connections: Connections = "site",
    ca_file: Path | None = None,
    version: MqttVersion = "3.1.1",
    grace_s: float = 30.0,
) -> Report:
    """Let `fleet` publish until its time is over or `stop` is set, and return the exact account.

    Args:
        fleet: the devices.
        broker_url: `mqtt://` or `mqtts://`.
        speed: simulated seconds in a second; infinity: as fast as the broker takes it.
        duration_s: how long, in simulated seconds; None: until `stop`. Every message due in that
            time is published, however slow the broker is.
        stop: set it to end the run early; what is in flight is still waited for.
        clock: the wall clock; default: the machine's.
        on_progress: told about ten times a second.
        start_ns: the first simulated instant; see `simulators.pace` for the default.
        connections: one for each site (as a gateway has), for each device (then each with its
            will), or a number among which the devices are shared out.
        ca_file: certificate authority for mqtts (PEM).
        version: MQTT version.
        grace_s: how long to wait for the last acknowledgements.

    Raises:
        ConfigurationError: an address, option or file that a person has to correct.
        BrokerUnavailableError: the broker cannot be reached at the beginning.
    """
    clock = clock or SystemClock()
    if not speed > 0:
        raise ConfigurationError(f"speed must be more than 0, not {speed:g}")
    login = BrokerLogin.parse(broker_url, ca_file=ca_file, version=version)
    pace = Pace(clock=clock, speed=speed, duration_s=duration_s, start_ns=start_ns)
    # a real device counts its boots; a simulated one has no memory but the clock, which also grows
    boot = max(0, clock.now_ns() - _BOOTS_SINCE_NS) // NS_PER_S
    streams = fleet.streams(start_ns=pace.start_ns, boot=boot)
    lines, wills = _lines(fleet, streams, connections)
    report = Report(
        name=fleet.scenario.name,
        seed=fleet.seed,
        started_ns=clock.now_ns(),
        simulated_from_ns=pace.start_ns,
        rows=[
            Row(site=d.site, device=d.id, external_id=d.external_id, profile=d.profile)
            for d in fleet.devices
        ],
    )
    lists = []
    for packet in bridges(fleet):
        line = lines[_first_of(fleet, packet)]
        lists.append((line, Outgoing(row=len(report.rows), packet=packet, kind="metadata")))
        report.rows.append(bridge_row(packet.topic.partition("/")[0]))
    account = Account(
        report=report,
        login=login,
        name=f"passerelle-sim-{fleet.scenario.name}",
        wills=wills,
        qos=fleet.scenario.qos,
        on_progress=on_progress,
        total_s=duration_s,
    )
    account.courier.connect()
    run = _Run(account=account, pace=pace, lines=lines, stop=stop)
    try:
        run.publish(lists)
        if fleet.scenario.status:
            run.publish([(lines[row], m) for row, s in enumerate(streams) for m in s.begin()])
        run.work(streams)
        run.finish(streams, status=fleet.scenario.status)
    except BaseException:
        account.close(timeout_s=0)
        raise
    account.close(timeout_s=grace_s)
    for row, device_stream in zip(report.rows, streams, strict=False):
        row.measurements_lost = device_stream.losses.measurements_lost
        row.reboots = device_stream.losses.reboots
    report.finished_ns = clock.now_ns()
    report.simulated_to_ns = run.reached_ns
    report.stopped = stop.is_set()
    account.tell((run.reached_ns - pace.start_ns) / NS_PER_S, at_once=True)
    return report


class _Run:
    """The loop of one simulation."""

    def __init__(
        self, *, account: Account, pace: Pace, lines: list[int], stop: threading.Event
    ) -> None:
        self._account = account
        self._courier = account.courier
        self._pace = pace
        self._lines = lines
        self._stop = stop
        self.reached_ns = pace.start_ns

    def publish(self, messages: list[tuple[int, Outgoing]]) -> bool:
        """Hand messages to the courier; False when the run was stopped meanwhile."""
        for line, message in messages:
            if not self._courier.publish(line, message.packet, message, stopped=self._waiting):
                return False
        return True

    def work(self, streams: list[DeviceStream]) -> None:
        """Let every device measure when its time has come, until the end."""
        end_ns = self._pace.end_ns
        queue = [(stream.due_ns, row) for row, stream in enumerate(streams)]
        heapq.heapify(queue)
        while queue and not self._stop.is_set():
            due_ns, row = queue[0]
            if end_ns is not None and due_ns >= end_ns:
                break
            wait_s = self._pace.wait_s(due_ns)
            if wait_s > 0:
                self._account.tell(self._done_s())
                self._courier.pump(min(wait_s, _LONGEST_WAIT_S))
                continue
            stream = streams[row]
            line = self._lines[row]
            if not self.publish([(line, message) for message in stream.tick()]):
                break
            self.reached_ns = due_ns
            heapq.heapreplace(queue, (stream.due_ns, row))
            self._account.tell(self._done_s())
        if end_ns is not None and not self._stop.is_set():
            self.reached_ns = end_ns

    def finish(self, streams: list[DeviceStream], *, status: bool) -> None:
        """Let every device say its last: what it held back, and that it goes."""
        for row, stream in enumerate(streams):
            for message in stream.finish():
                if status or message.kind != "availability":
                    # a stopped run still says good-bye, unless the connection is gone
                    self._courier.publish(
                        self._lines[row], message.packet, message, stopped=self._gone
                    )
        self._account.tell(self._done_s())

    def _waiting(self) -> bool:
        """Say how far the run is while it has to wait; return whether to wait no longer."""
        self._account.tell(self._done_s())
        return self._stop.is_set()

    def _gone(self) -> bool:
        return self._stop.is_set() and not self._courier.all_up

    def _done_s(self) -> float:
        return (self.reached_ns - self._pace.start_ns) / NS_PER_S


def _lines(
    fleet: Fleet, streams: list[DeviceStream], connections: Connections
) -> tuple[list[int], list[Packet | None]]:
    """Return the connection of each device, and the will of each connection."""
    if connections == "device":
        wills = [stream.will() if fleet.scenario.status else None for stream in streams]
        return list(range(len(streams))), wills
    if connections == "site":
        sites = fleet.sites
        return [sites.index(device.site) for device in fleet.devices], [None] * len(sites)
    if not 1 <= connections <= _MOST_CONNECTIONS:
        raise ConfigurationError(
            f"connections must be site, device or 1 to {_MOST_CONNECTIONS}, not {connections}"
        )
    number = min(connections, len(streams))
    return [row % number for row in range(len(streams))], [None] * number


def bridges(fleet: Fleet) -> list[Packet]:
    """Return the retained device lists that the sites' Zigbee bridges publish, one a site."""
    made = []
    for site in fleet.sites:
        devices = [d for d in fleet.devices if d.site == site and d.profile == "zigbee2mqtt"]
        if devices:
            made.append(
                bridge_devices(
                    site, [(d.address, d.external_id, _EXPOSED[d.kind]) for d in devices]
                )
            )
    return made


def _first_of(fleet: Fleet, packet: Packet) -> int:
    """Return the row of the first device of the site that a bridge's list speaks of."""
    site = packet.topic.partition("/")[0]
    return next(row for row, device in enumerate(fleet.devices) if device.site == site)


_CLIMATE = ("air_temperature", "relative_humidity")
_EXPOSED: dict[str, tuple[str, ...]] = {
    "thermometer": (*_CLIMATE, "battery_level"),
    "room_climate": (*_CLIMATE, "carbon_dioxide"),
    "motion": ("occupancy", "illuminance", "battery_level"),
    "door": ("door_open", "battery_level"),
    "power_meter": ("active_power", "current", "voltage", "energy_imported"),
}
