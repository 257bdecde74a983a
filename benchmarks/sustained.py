"""Everything on this machine at a steady rate: broker, InfluxDB, worker, API, publisher.

`python -m benchmarks.sustained --rate 16000 --minutes 5` publishes in an open loop
(`benchmarks/publisher.py`), measures all along how soon a message can be queried
(`benchmarks/probe.py`) while somebody asks the API once a second, and at the end compares what the
broker acknowledged with the ledger, as the API tells it, and with the store, value by value.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds, peak_rss_mib
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.ingest.queue import MessagesLostError
from benchmarks.load import (
    LoadRun,
    load_stage,
    publisher_process,
    run_load,
    start_api,
    start_worker,
)
from benchmarks.machine import Machine, this_machine
from benchmarks.markdown import against, machine_line, rate, table
from benchmarks.probe import WORKLOAD as PROBE_WORKLOAD
from benchmarks.probe import Latencies, MissingError
from benchmarks.report import write_documents
from benchmarks.results import RESULTS, save
from benchmarks.stack import Servers, only_local_programs, running_servers
from benchmarks.workload import QUANTITIES
from tests.servers.availability import ServerUnavailableError
from tests.servers.waiting import wait_until
from tests.support.account import Api

RATE_GOAL, VALUES_GOAL, P99_GOAL_MS = 15_000.0, 45_000.0, 1000.0
_DISK = Path(__file__).parents[1] / ".cache"
_POLL_S = 0.05
_ACCOUNT_S = 60.0
_COUNTS = ("received", "stored", "duplicate", "dead_lettered", "pending", "redelivered")


class Usage(msgspec.Struct, frozen=True):
    """What one process used during the load.

    Attributes:
        name: of the process.
        cpu_us: for each message, microseconds.
        cores: on average, of one core.
        peak_mib: greatest resident memory, MiB; None for a process that had ended.
    """

    name: str
    cpu_us: float
    cores: float
    peak_mib: float | None


class SustainedReport(msgspec.Struct, frozen=True):
    """One load, accounted for.

    Attributes:
        machine: where.
        run: what came of it.
        usage: by process.
        account: sums of the ledger, as the API tells them.
        values: stored values by quantity.
        dropped: messages that the broker says it dropped.
        asked: time of the API's answers meanwhile, milliseconds.
    """

    machine: Machine
    run: LoadRun
    usage: tuple[Usage, ...]
    account: dict[str, int]
    values: dict[str, int]
    dropped: int
    asked: Latencies

    @property
    def acknowledged(self) -> int:
        """Messages that the broker acknowledged to the publisher and the probe."""
        return self.run.published.acknowledged + self.run.probes

    @property
    def rate(self) -> float:
        """Messages stored a second, from the publisher's first until a count found the last."""
        return self.acknowledged / self.run.seconds

    @property
    def unaccounted(self) -> int:
        """How far the acknowledged, the ledger and the store are apart; 0 is the promise."""
        account, expected = self.account, self.acknowledged
        apart = [abs(account["received"] - expected), abs(account["stored"] - expected)]
        return max(*apart, *(abs(count - expected) for count in self.values.values()), self.dropped)


def measure(
    *, servers: Servers, messages_s: float, seconds: float, devices: int
) -> SustainedReport:
    """Run the load.

    Raises:
        MissingError: a message of the probe did not appear in the store.
        ProgramDiedError: a program ended.
    """
    contender = Passerelle()
    stage = load_stage(servers, name="sustained", devices=devices)
    with ExitStack() as stack:
        stack.callback(stage.bucket.delete)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        (worker,) = start_worker(servers, stage, contender, stack)
        drops = mqtt.Drops(port=stage.broker_port)
        stack.callback(drops.close)
        api_child, api = start_api(stage, contender, stack)
        publisher = publisher_process(stage, rate=messages_s, seconds=seconds, devices=devices)
        stack.callback(publisher.kill)
        meter = Meter(servers, worker, api_child)
        caller = Caller(url=str(api.client.base_url), key=str(api.client.headers["X-API-Key"]))
        caller.start()
        run = run_load(
            stage=stage, contender=contender, children=[worker, api_child], publisher=publisher,
            rate=messages_s, seconds=seconds, poll_s=_POLL_S,
        )  # fmt: skip
        usage = meter.read(run)
        asked = caller.finish()
        account = _settled(api, expected=run.published.acknowledged + run.probes)
        dropped = drops.count()
        values = stage.bucket.values()
        worker.stop()
        api_child.stop()
    return SustainedReport(
        this_machine(servers.directory), run, usage, account, values, dropped, asked
    )


class Meter:
    """The CPU of every process from now until `read`.

    Raises:
        RuntimeError: a server does not run as a process of this machine.
    """

    def __init__(self, servers: Servers, worker: Child, api: Child) -> None:
        broker, influxdb = servers.broker.pid, servers.influxdb.pid
        if broker is None or influxdb is None:
            raise RuntimeError("the servers run in containers: their CPU cannot be seen from here")
        self._pids = {
            "broker": broker,
            "InfluxDB": influxdb,
            "worker": worker.pid,
            "API": api.pid,
        }
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        self._own_s = time.process_time()
        self._began_s = time.perf_counter()

    def read(self, run: LoadRun) -> tuple[Usage, ...]:
        """Return what each process used."""
        elapsed_s = time.perf_counter() - self._began_s
        messages = run.published.acknowledged

        def usage(name: str, cpu_s: float, peak_mib: float | None = None) -> Usage:
            return Usage(name, cpu_s / messages * 1e6, cpu_s / elapsed_s, peak_mib)

        return (
            *(
                usage(name, cpu_seconds(pid) - self._before[name], peak_rss_mib(pid))
                for name, pid in self._pids.items()
            ),
            usage("publisher", run.published.cpu_s),
            usage("probe and measuring", time.process_time() - self._own_s),
        )


class Caller:
    """Somebody who asks the API for the probe's latest reading, once a second.

    Args:
        url: of the API.
        key: an API key.
    """

    def __init__(self, *, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60.0)
        self._ms: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller")
        self._failures: list[str] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> Latencies:
        """End; return how long the answers took.

        Raises:
            RuntimeError: an answer was none.
        """
        self._stopping.set()
        self._thread.join()
        self._client.close()
        if self._failures:
            raise RuntimeError(f"{len(self._failures)} answers failed: {self._failures[0]}")
        return Latencies(tuple(sorted(self._ms)))

    def _run(self) -> None:
        path = f"/v1/devices/{PROBE_WORKLOAD.names()[0]}/latest"
        while not self._stopping.is_set():
            asked_s = time.perf_counter()
            try:
                answer = self._client.get(path)
            except httpx.HTTPError as error:
                self._failures.append(repr(error))
            else:
                self._ms.append((time.perf_counter() - asked_s) * 1000)
                if not answer.is_success:
                    self._failures.append(answer.text)
            self._stopping.wait(1.0)


def markdown(report: SustainedReport) -> str:
    """Return what is printed, and written into the documentation and the README."""
    run = report.run
    latencies = run.latencies
    told = {
        "published, each acknowledged by the broker": report.acknowledged,
        "received, by the ledger": report.account["received"],
        "stored, by the ledger": report.account["stored"],
        "duplicate": report.account["duplicate"],
        "dead-lettered": report.account["dead_lettered"],
        "pending": report.account["pending"],
        **{f"values of {name} in InfluxDB": count for name, count in report.values.items()},
        "dropped, by the broker": report.dropped,
        "**unaccounted**": report.unaccounted,
    }
    processes = [
        [
            one.name,
            f"{one.cpu_us:.1f}",
            f"{one.cores:.2f}",
            "" if one.peak_mib is None else f"{one.peak_mib:.0f}",
        ]
        for one in report.usage
    ]
    minutes = run.published.acknowledged / run.rate / 60
    head = f"### {minutes:.3g} minutes at {rate(run.rate)} messages a second, all on one machine"
    return "\n\n".join(
        [
            head,
            "\n".join(
                [
                    against("messages/s", report.rate, goal=RATE_GOAL, at_most=False),
                    against(
                        "values/s", report.rate * len(QUANTITIES), goal=VALUES_GOAL, at_most=False
                    ),
                    against(
                        f"publish to queryable, ms: p50 {latencies.at(0.5):.0f}, greatest "
                        f"{latencies.max:.0f}; p99",
                        latencies.at(0.99), goal=P99_GOAL_MS, at_most=True,
                    ),
                    against("unaccounted", report.unaccounted, goal=0, at_most=True),
                    _beside(report),
                ]
            ),
            table(["account", "messages"], [[name, f"{n:,}"] for name, n in told.items()]),
            table(["process", "µs CPU a message", "cores", "peak memory, MiB"], processes),
            machine_line(report.machine),
        ]
    )  # fmt: skip


def _beside(report: SustainedReport) -> str:
    asked = report.asked
    return (
        f"- the API's answers meanwhile, ms: p50 {asked.at(0.5):.0f}, p99 {asked.at(0.99):.0f}\n"
        "- latest that a message left the publisher after it was due: "
        f"{report.run.published.late_ms:.0f} ms, which is in its latency"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and keep it; return 1 when something is unaccounted for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sustained", description=__doc__)
    parser.add_argument("--rate", type=float, default=16_000.0, help="messages a second")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--directory", type=Path, default=_DISK, help="on a disk, for all files")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--write-docs", action="store_true", help="put it into the documentation")
    asked = parser.parse_args(arguments)
    only_local_programs()
    asked.directory.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="sustained-", dir=asked.directory) as directory,
            running_servers(Path(directory)) as servers,
        ):
            report = measure(
                servers=servers, messages_s=asked.rate, seconds=asked.minutes * 60,
                devices=asked.devices,
            )  # fmt: skip
    except ServerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (MessagesLostError, MissingError) as error:
        sys.stderr.write(f"MESSAGES WERE LOST: {error}\n")
        return 1
    save("sustained", report, directory=asked.results)
    print(f"\n{markdown(report)}\n")
    if asked.write_docs:
        write_documents(results=asked.results)
    if report.unaccounted:
        sys.stderr.write(f"UNACCOUNTED FOR: {report.unaccounted}\n")
    return 1 if report.unaccounted else 0


def _sums(api: Api) -> dict[str, int]:
    rows = api.account().values()
    return {column: sum(row[column] for row in rows) for column in _COUNTS}


def _settled(api: Api, *, expected: int) -> dict[str, int]:
    """Return the account once it tells of everything, or what it tells after a minute."""
    with contextlib.suppress(TimeoutError):
        wait_until(
            lambda: (sums := _sums(api))["received"] >= expected and not sums["pending"],
            seconds=_ACCOUNT_S,
            what="the account tells of everything",
            every=0.2,
        )
    return _sums(api)


if __name__ == "__main__":
    sys.exit(main())
