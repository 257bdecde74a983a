"""`python -m benchmarks.source`: the two sources on the same queue; CPU a message, and the ratio.

A queue of QoS 1 messages waits at one Mosquitto in the session of the source, which made it
itself. The source starts and puts what comes into a worker's inbox, as it always does; another
thread takes it from there in batches and acknowledges it: what `ingest.accept` does, without
judging or storing. paho and bulk take turns, on MQTT 5 and 3.1.1. CPU is user and system time of
this process, all threads, from the start of the source until everything is acknowledged; the
broker is another process, the publisher rests. Afterwards a mark is published: it must be the next
message that the session gets, so nothing was lost, and nothing that was acknowledged comes again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from benchmarks import mqtt
from benchmarks.machine import Machine, this_machine
from benchmarks.markdown import machine_line, rate, table
from benchmarks.publisher import Publisher
from benchmarks.report import write_documents
from benchmarks.results import RESULTS, load, save
from benchmarks.stack import BROKER, only_local_programs
from benchmarks.workload import PASSERELLE_JSON, SITE, Workload
from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import IngestSettings, MqttSettings, SpoolSettings
from ingest.arrival import Arrival
from ingest.inbox import Inbox
from ingest.protocol import Protocol
from ingest.source import BulkSource, PahoSource, new_source
from tests.servers.availability import ServerUnavailableError
from tests.servers.mosquitto import MosquittoServer, new_mosquitto
from tests.servers.waiting import wait_until

NAME = "source"
Kind = Literal["paho", "bulk"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PROTOCOLS: tuple[Protocol, ...] = ("5", "3.1.1")
_CLIENT = "bench-source"
_TOPIC = PASSERELLE_JSON.topic.format(site=SITE, device="mark")
_MARK = b"the mark"
_STALL_S = 30.0
_DISK = Path(__file__).parents[1] / ".cache"


class LostError(Exception):
    """A message that the broker had acknowledged did not come, or came again."""


class SourceRun(msgspec.Struct, frozen=True):
    """What one run came to.

    Attributes:
        kind: which source.
        protocol: version of MQTT.
        messages: in the queue; all were received and acknowledged once.
        seconds: from the start of the source to the last acknowledgement.
        cpu_s: CPU of this process meanwhile.
    """

    kind: Kind
    protocol: Protocol
    messages: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU for each message, microseconds."""
        return self.cpu_s / self.messages * 1e6


class SourceReport(msgspec.Struct, frozen=True):
    """Every run.

    Attributes:
        machine: where.
        runs: in the order in which they took place.
    """

    machine: Machine
    runs: tuple[SourceRun, ...]

    def of(self, kind: Kind, protocol: Protocol) -> list[SourceRun]:
        """Return the runs of one source on one version of MQTT."""
        return [run for run in self.runs if (run.kind, run.protocol) == (kind, protocol)]

    def median(self, kind: Kind, protocol: Protocol, figure: Callable[[SourceRun], float]) -> float:
        """Return the median of a figure over those runs."""
        return statistics.median(figure(run) for run in self.of(kind, protocol))

    def ratio(self, protocol: Protocol) -> float:
        """Return CPU for each message, paho over bulk."""
        paho, bulk = (self.median(kind, protocol, lambda run: run.cpu_us) for kind in KINDS)
        return paho / bulk


class _Receiver:
    """One start of a source, and the thread that acknowledges what it delivers: this one."""

    def __init__(self, broker: MosquittoServer, kind: Kind, protocol: Protocol) -> None:
        ingest = IngestSettings.model_validate({})
        self._spool = SpoolSettings.model_validate({})
        self._inbox = Inbox(
            max_messages=ingest.queue_messages, max_bytes=ingest.queue_bytes, clock=SystemClock()
        )
        made = new_source(
            settings=MqttSettings.model_validate(
                {"url": broker.url, "source": kind, "protocol": protocol}
            ),
            ingest=ingest,
            client_id=_CLIENT,
            filters=[PASSERELLE_JSON.topic.format(site="+", device="+")],
            fact_filters=[],
            clock=SystemClock(),
            metrics=Metrics(),
        )
        assert isinstance(made, BulkSource | PahoSource)  # noqa: S101 - there are these two
        self.source = made

    def start(self) -> None:
        self.source.start(self._put)

    def take(self) -> list[Arrival]:
        """Return what came, acknowledged.

        Raises:
            LostError: nothing comes any more.
        """
        arrivals = self._inbox.take(
            limit=self._spool.batch_messages,
            limit_bytes=self._spool.batch_bytes,
            first_s=_STALL_S,
            fill_s=self._spool.batch_wait_s,
        )
        if not arrivals:
            raise LostError(f"nothing came for {_STALL_S:g} s: {self.source.outage}")
        acknowledged = self.source.acknowledge(arrivals)
        if acknowledged != len(arrivals):
            raise LostError(f"{acknowledged} of {len(arrivals)} messages were acknowledged")
        self._inbox.done(len(arrivals))
        return arrivals

    def stop(self) -> None:
        self.source.stop()
        self._inbox.close()

    def _put(self, arrivals: Sequence[Arrival]) -> None:
        self._inbox.put(arrivals)


def run_source(
    *, broker: MosquittoServer, kind: Kind, protocol: Protocol, messages: int
) -> SourceRun:
    """Have a source take a queue once.

    Raises:
        LostError: something is missing, or came again.
    """
    first = _Receiver(broker, kind, protocol)
    first.start()
    wait_until(first.source.subscribed, seconds=30, what="the subscription is granted")
    first.stop()
    publisher = Publisher(port=broker.port, workload=Workload(PASSERELLE_JSON))
    try:
        publisher.fill(messages, start_ms=time.time_ns() // 1_000_000)
    finally:
        publisher.close()
    receiver = _Receiver(broker, kind, protocol)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    receiver.start()
    received = again = 0
    while received < messages:
        arrivals = receiver.take()
        received += len(arrivals)
        again += sum(one.dup for one in arrivals)
    cpu_s, seconds = time.process_time() - cpu_s, time.perf_counter() - began_s
    with mqtt.Connection(port=broker.port, client_id="bench-mark") as connection:
        connection.publish(_TOPIC, _MARK)
    marks = [one.payload for one in receiver.take()]
    receiver.stop()
    mqtt.forget_session(port=broker.port, client_id=_CLIENT)
    if again or received != messages or marks != [_MARK]:
        raise LostError(
            f"{kind}, MQTT {protocol}: {received} of {messages} messages came, {again} of them "
            f"again; behind them came {len(marks)} more, {marks[0][:60]!r} first"
        )
    return SourceRun(kind, protocol, messages, seconds, cpu_s)


def measure(*, directory: Path, messages: int, rounds: int) -> SourceReport:
    """Have both sources take turns, in an order that is turned round every time.

    Raises:
        LostError: something is missing, or came again.
        ServerUnavailableError: there is no Mosquitto on this machine.
    """
    runs: list[SourceRun] = []
    with new_mosquitto(directory.absolute(), BROKER) as broker:
        for number in range(rounds):
            for protocol in PROTOCOLS:
                for kind in KINDS if number % 2 == 0 else reversed(KINDS):
                    run = run_source(broker=broker, kind=kind, protocol=protocol, messages=messages)
                    sys.stderr.write(
                        f"{number + 1}/{rounds}: {kind}, MQTT {protocol}: {run.rate:,.0f} "
                        f"messages/s, {run.cpu_us:.2f} us CPU a message\n"
                    )
                    runs.append(run)
    return SourceReport(this_machine(directory), tuple(runs))


def markdown(report: SourceReport) -> str:
    """Return what is printed and documented."""
    rows = []
    for protocol in PROTOCOLS:
        for kind in KINDS:
            cpus = sorted(run.cpu_us for run in report.of(kind, protocol))
            rows.append(
                [
                    f"{kind}, MQTT {protocol}",
                    f"{statistics.median(cpus):.2f}",
                    f"{cpus[0]:.2f} to {cpus[-1]:.2f}",
                    rate(report.median(kind, protocol, lambda run: run.rate)),
                ]
            )
    ratios = " and ".join(f"{report.ratio(one):.1f} (MQTT {one})" for one in PROTOCOLS)
    rounds = len(report.of("bulk", "5"))
    return "\n\n".join(
        [
            "### The two sources alone",
            table(["", "µs CPU a message", "runs", "messages/s"], rows),
            f"- CPU for each message, paho / bulk: **{ratios}**",
            (
                f"{report.runs[0].messages:,} messages in the queue, median of {rounds} runs each, "
                "in turn; received, handed over and acknowledged, not judged, not stored. "
                f"{machine_line(report.machine)}"
            ),
        ]
    )


def documented(results: Path) -> str | None:
    """Return what stands in the page; None when it was not measured here."""
    report = load(NAME, SourceReport, directory=results)
    return None if report is None else markdown(report)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and keep; return 1 when a message was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="in each queue")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each source and version")
    parser.add_argument("--directory", type=Path, default=_DISK, help="for the broker's files")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are written")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the figures into the documentation"
    )
    asked = parser.parse_args(arguments)
    only_local_programs()
    asked.directory.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="source-", dir=asked.directory) as directory:
            report = measure(
                directory=Path(directory), messages=asked.messages, rounds=asked.rounds
            )
    except ServerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LostError as error:
        sys.stderr.write(f"MESSAGES WERE LOST: {error}\n")
        return 1
    save(NAME, report, directory=asked.results)
    print(f"\n{markdown(report)}\n")
    if asked.write_docs:
        write_documents(results=asked.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
