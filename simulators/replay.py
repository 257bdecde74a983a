"""Publishing a recorded series or a recording of MQTT traffic, at its own pace or another.

A series becomes Passerelle JSON (`docs/firmware.md`) with the times and the units of the record:
converting them is the platform's work. A recording is published as it was.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.clock import NS_PER_S, Clock, SystemClock, iso
from core.errors import ConfigurationError
from core.quantities import quantity
from simulators.account import Account, ProgressCallback
from simulators.bad_row import BadRow
from simulators.formats.wire import Packet
from simulators.instants import Instants
from simulators.login import BrokerLogin, MqttVersion
from simulators.outgoing import Outgoing
from simulators.recording import Recorded, read_recording
from simulators.report import Report, Row
from simulators.series import SeriesMapping, SeriesRow, read_series

_BOOTS_SINCE_NS = 1_577_836_800 * NS_PER_S  # 2020-01-01
_LONGEST_WAIT_S = 0.1

BadRowCallback = Callable[[BadRow], None]


class _Due(msgspec.Struct, frozen=True):
    """A message, and when it was recorded."""

    time_ns: int
    message: Outgoing
    qos: int


def replay(
    source: Path,
    *,
    broker_url: str,
    mapping: SeriesMapping | None = None,
    speed: float = 1.0,
    strict: bool = False,
    stop: threading.Event,
    clock: Clock | None = None,
    on_bad_row: BadRowCallback | None = None,
    on_progress: ProgressCallback | None = None,
    ca_file: Path | None = None,
    version: MqttVersion = "3.1.1",
    grace_s: float = 30.0,
) -> Report:
    """Publish `source` and return the exact account.

    Args:
        source: a CSV file (with `mapping`), or JSON lines (without).
        broker_url: `mqtt://` or `mqtts://`.
        mapping: how the CSV is to be read.
        speed: recorded seconds in a second; infinity: as fast as the broker takes it.
        strict: stop at the first line that cannot be used.
        stop: set it to end early; what is in flight is still waited for.
        clock: the wall clock; default: the machine's.
        on_bad_row: told of each line that is left out.
        on_progress: told about ten times a second.
        ca_file: certificate authority for mqtts (PEM).
        version: MQTT version.
        grace_s: how long to wait for the last acknowledgements.

    Raises:
        ConfigurationError: an address, file or mapping that a person has to correct; with
            `strict`, the first line that cannot be used.
        BrokerUnavailableError: the broker cannot be reached at the beginning.
    """
    clock = clock or SystemClock()
    if not speed > 0:
        raise ConfigurationError(f"speed must be more than 0, not {speed:g}")
    login = BrokerLogin.parse(broker_url, ca_file=ca_file, version=version)
    report = Report(
        name=source.name, seed=None, started_ns=clock.now_ns(), simulated_from_ns=clock.now_ns()
    )
    boot = max(0, clock.now_ns() - _BOOTS_SINCE_NS) // NS_PER_S

    def left_out(row: BadRow) -> None:
        report.bad_rows += 1
        if strict:
            raise ConfigurationError(f"{source.name}, line {row.line}: {row.why}")
        if on_bad_row is not None:
            on_bad_row(row)

    messages = (
        _of_recording(read_recording(source), report, left_out)
        if mapping is None
        else _of_series(read_series(source, mapping), mapping.checked(), report, left_out, boot)
    )
    account = Account(
        report=report,
        login=login,
        name="passerelle-replay",
        wills=[None],
        qos=1,
        on_progress=on_progress,
        total_s=None,
    )
    # the first line is read, and a wrong mapping found, before anything is connected
    first = next(messages, None)
    account.courier.connect()
    try:
        if first is not None:
            _publish(first, messages, account, report, clock=clock, speed=speed, stop=stop)
    except BaseException:
        account.close(timeout_s=0)
        raise
    account.close(timeout_s=grace_s)
    report.finished_ns = clock.now_ns()
    report.stopped = stop.is_set()
    return report


def _publish(
    first: _Due,
    others: Iterable[_Due],
    account: Account,
    report: Report,
    *,
    clock: Clock,
    speed: float,
    stop: threading.Event,
) -> None:
    begun_s = clock.monotonic_s()
    report.simulated_from_ns = report.simulated_to_ns = first.time_ns
    done_s = 0.0

    def waiting() -> bool:
        account.tell(done_s)
        return stop.is_set()

    for due in _chained(first, others):
        done_s = (due.time_ns - first.time_ns) / NS_PER_S
        while not math.isinf(speed) and not stop.is_set():
            wait_s = done_s / speed - (clock.monotonic_s() - begun_s)
            if wait_s <= 0:
                break
            account.tell(done_s)
            account.courier.pump(min(wait_s, _LONGEST_WAIT_S))
        message = due.message
        if stop.is_set() or not account.courier.publish(
            0, message.packet, message, stopped=waiting, qos=due.qos
        ):
            return
        report.simulated_from_ns = min(report.simulated_from_ns, due.time_ns)
        report.simulated_to_ns = max(report.simulated_to_ns, due.time_ns)
        account.tell(done_s)


def _chained(first: _Due, others: Iterable[_Due]) -> Iterator[_Due]:
    yield first
    yield from others


def _of_recording(
    lines: Iterable[Recorded | BadRow], report: Report, left_out: BadRowCallback
) -> Iterator[_Due]:
    rows: dict[str, int] = {}
    for line in lines:
        if isinstance(line, BadRow):
            left_out(line)
            continue
        row = rows.get(line.topic)
        if row is None:
            row = rows[line.topic] = len(report.rows)
            report.rows.append(Row(site="", device=line.topic, external_id=line.topic, profile=""))
        packet = Packet(topic=line.topic, payload=line.payload, retain=line.retain)
        yield _Due(line.time_ns, Outgoing(row=row, packet=packet), line.qos)


def _of_series(
    lines: Iterable[SeriesRow | BadRow],
    mapping: SeriesMapping,
    report: Report,
    left_out: BadRowCallback,
    boot: int,
) -> Iterator[_Due]:
    units = {
        column.quantity: column.unit
        for column in mapping.columns.values()
        if column.unit is not None and quantity(column.quantity).type != "boolean"
    }
    encoder = msgspec.json.Encoder()
    devices: dict[str, _Device] = {}
    for line in lines:
        if isinstance(line, BadRow):
            left_out(line)
            continue
        device = devices.get(line.device)
        if device is None:
            device = devices[line.device] = _Device(row=len(report.rows))
            report.rows.append(
                Row(
                    site=mapping.site,
                    device=line.device,
                    external_id=line.device,
                    profile="passerelle",
                )
            )
        told: dict[str, Any] = {
            name: {"v": value, "u": units[name]} if name in units else value
            for name, value in line.values.items()
        }
        document = {
            "seq": device.seq,
            "boot": boot,
            "t": iso(device.instants.apart(line.time_ns)),
            "v": told,
        }
        packet = Packet(
            topic=f"passerelle/v1/{mapping.site}/{line.device}/telemetry",
            payload=encoder.encode(document),
            readings=len(told),
        )
        late = line.time_ns <= device.latest_ns
        device.seq += 1
        device.latest_ns = max(device.latest_ns, line.time_ns)
        yield _Due(line.time_ns, Outgoing(row=device.row, packet=packet, out_of_order=late), 1)


class _Device(msgspec.Struct):
    row: int
    seq: int = 0
    latest_ns: int = -1
    instants: Instants = msgspec.field(default_factory=Instants)
