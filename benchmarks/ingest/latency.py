"""From publish to queryable at a steady rate that one worker carries easily."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from benchmarks import mqtt
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.ingest.queue import MessagesLostError
from benchmarks.load import LoadRun, load_stage, publisher_process, run_load, start_worker
from benchmarks.machine import Machine, this_machine
from benchmarks.markdown import machine_line, rate, table
from benchmarks.stack import Servers

_DEVICES = 200
_POLL_S = 0.01


class LatencyReport(msgspec.Struct, frozen=True):
    """One load.

    Attributes:
        machine: where.
        run: what came of it.
    """

    machine: Machine
    run: LoadRun


def measure_latency(*, servers: Servers, messages_s: float, seconds: float) -> LatencyReport:
    """Publish at a rate and measure how soon it can be queried.

    Raises:
        MessagesLostError: not everything was stored.
    """
    contender = Passerelle()
    stage = load_stage(servers, name="latency", devices=_DEVICES)
    with ExitStack() as stack:
        stack.callback(stage.bucket.delete)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        children = start_worker(servers, stage, contender, stack)
        publisher = publisher_process(stage, rate=messages_s, seconds=seconds, devices=_DEVICES)
        stack.callback(publisher.kill)
        run = run_load(
            stage=stage, contender=contender, children=children, publisher=publisher,
            rate=messages_s, seconds=seconds, poll_s=_POLL_S,
        )  # fmt: skip
        for child in children:
            child.stop()
    expected = run.published.acknowledged + run.probes
    if run.stored != expected:
        raise MessagesLostError(f"{expected} messages were acknowledged, {run.stored} are stored")
    return LatencyReport(this_machine(servers.directory), run)


def markdown(report: LatencyReport) -> str:
    """Return what is printed and documented."""
    latencies = report.run.latencies
    row = [
        rate(report.run.rate),
        *(f"{latencies.at(share):.0f}" for share in (0.5, 0.99)),
        f"{latencies.max:.0f}",
        f"{len(latencies.ms):,}",
    ]
    asked = f"InfluxDB was asked every {_POLL_S * 1000:.0f} ms, which is in the figure. "
    return "\n\n".join(
        [
            "### From publish to queryable",
            table(["messages/s", "p50, ms", "p99, ms", "greatest, ms", "samples"], [row]),
            asked + machine_line(report.machine),
        ]
    )
