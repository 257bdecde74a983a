"""An hour's outage of the store: what was spooled meanwhile, and how long it takes to write it."""

from __future__ import annotations

import time
from contextlib import ExitStack

import msgspec

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds, peak_rss_mib
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.ingest.queue import MessagesLostError, newest_now_ms, wait_stored
from benchmarks.load import load_stage, start_worker
from benchmarks.machine import Machine, this_machine
from benchmarks.markdown import machine_line, rate, table
from benchmarks.publisher import Publisher
from benchmarks.stack import Servers
from benchmarks.workload import PASSERELLE_JSON, Workload
from tests.servers.waiting import wait_until

_DEVICES = 200
_SPOOL_S = 900.0
_STALL_S = 120.0


class BacklogReport(msgspec.Struct, frozen=True):
    """One outage.

    Attributes:
        machine: where.
        messages_s: rate of the devices.
        outage_s: how long the store was down for them, seconds.
        messages: spooled while the store was down.
        spool_s: how long it took to publish and spool them, as fast as they were taken.
        spool_mib: size of the spool's file with all of them.
        first_s: from the store's first answer to the first point in it: the back-off.
        drain_s: from the first point to the last.
        cpu_us: CPU of the worker for each message drained, microseconds.
        peak_mib: greatest resident memory of the worker, MiB.
    """

    machine: Machine
    messages_s: float
    outage_s: float
    messages: int
    spool_s: float
    spool_mib: float
    first_s: float
    drain_s: float
    cpu_us: float
    peak_mib: float


def measure_backlog(*, servers: Servers, messages_s: float, outage_s: float) -> BacklogReport:
    """Stop InfluxDB, publish what an hour brings, start it again, and time the drain.

    Raises:
        MessagesLostError: not everything was stored.
    """
    contender = Passerelle()
    workload = Workload(PASSERELLE_JSON, _DEVICES)
    messages = round(messages_s * outage_s)
    stage = load_stage(servers, name="backlog", devices=_DEVICES)
    with ExitStack() as stack:
        stack.callback(stage.bucket.delete)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        (worker,) = start_worker(servers, stage, contender, stack)
        publisher = Publisher(port=stage.broker_port, workload=workload)
        stack.callback(publisher.close)
        servers.influxdb.stop()
        began_s = time.perf_counter()
        publisher.fill(messages, start_ms=newest_now_ms(workload, messages))

        def spooled() -> bool:
            worker.check()
            return contender.received(stage) == messages

        wait_until(spooled, seconds=_SPOOL_S, what="everything is spooled", every=0.1)
        spool_s = time.perf_counter() - began_s
        spool_mib = sum(path.stat().st_size for path in stage.directory.glob("spool-*")) / 2**20
        cpu_s = cpu_seconds(worker.pid)
        servers.influxdb.start()
        answers_s = time.perf_counter()
        wait_stored(contender, stage, [worker], expected=1, stall_s=_STALL_S)
        first_s = time.perf_counter()
        stored = wait_stored(contender, stage, [worker], expected=messages, stall_s=_STALL_S)
        done_s = time.perf_counter()
        cpu_s = cpu_seconds(worker.pid) - cpu_s
        peak = peak_rss_mib(worker.pid)
        worker.stop()
        _check(contender.account(stage), messages, stored, worker)
    return BacklogReport(
        machine=this_machine(servers.directory),
        messages_s=messages_s,
        outage_s=outage_s,
        messages=messages,
        spool_s=spool_s,
        spool_mib=spool_mib,
        first_s=first_s - answers_s,
        drain_s=done_s - first_s,
        cpu_us=cpu_s / messages * 1e6,
        peak_mib=peak,
    )


def markdown(report: BacklogReport) -> str:
    """Return what is printed and documented."""
    row = [
        f"{report.messages:,}",
        f"{report.spool_mib:.0f}",
        f"{report.first_s:.1f}",
        f"{report.drain_s:.1f}",
        rate(report.messages / report.drain_s),
        f"{report.cpu_us:.1f}",
        f"{report.peak_mib:.0f}",
    ]
    head = [
        "messages in the spool", "spool, MiB", "first point after, s", "drained in, s",
        "messages/s", "µs CPU a message", "peak memory, MiB",
    ]  # fmt: skip
    remark = (
        f"What {report.outage_s / 60:g} minutes at {report.messages_s:g} messages/s bring while "
        "InfluxDB is down, published faster than that; then InfluxDB starts. What passes before "
        "the first point is the worker's wait between two attempts. " + machine_line(report.machine)
    )
    return "\n\n".join(["### A backlog drained", table(head, [row]), remark])


def _check(account: dict[str, int], messages: int, stored: int, worker: Child) -> None:
    if (stored, account["stored"], account["received"]) != (messages, messages, messages):
        raise MessagesLostError(
            f"{messages} messages were acknowledged, the store has {stored}, the account of "
            f"{worker.name} says {account}"
        )
