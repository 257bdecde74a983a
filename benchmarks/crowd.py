"""Do people who read slow the ingest down?

`python -m benchmarks.crowd --rate 2000 --readers 200` publishes in an open loop twice, to a worker
beside the API: once while nobody reads, once while that many clients each ask again and again, with
a pause between (newest values of a site, an hour of a device, a page of the ledger; in turn). It
prints how many messages a second were stored until a count in the store found the last one, with
readers and without, how soon a message could be queried, and how long the answers took.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds
from benchmarks.crowd_readers import Asked
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.load import (
    LoadRun,
    load_stage,
    publisher_process,
    run_load,
    start_api,
    start_worker,
)
from benchmarks.probe import Latencies
from benchmarks.stack import Servers, running_servers
from tests.servers.availability import ServerUnavailableError

GOAL = 0.9
_READY_S = 60.0
_POLL_S = 0.05


class Crowded(msgspec.Struct, frozen=True):
    """One load.

    Attributes:
        run: what came of it.
        asked: what the readers saw, or None.
        worker_us: CPU of the worker for each message, microseconds.
        api_cores: that the API used.
    """

    run: LoadRun
    asked: Asked | None
    worker_us: float
    api_cores: float

    @property
    def rate(self) -> float:
        """Messages stored a second."""
        return (self.run.published.acknowledged + self.run.probes) / self.run.seconds


def measure(
    servers: Servers, *, rate: float, seconds: float, devices: int, readers: int, pause_s: float
) -> Crowded:
    """Run one load beside so many readers."""
    contender = Passerelle()
    stage = load_stage(servers, name=f"crowd-{readers}", devices=devices)
    with ExitStack() as stack:
        stack.callback(stage.bucket.delete)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        (worker,) = start_worker(servers, stage, contender, stack)
        api, asked_of = start_api(stage, contender, stack, PASSERELLE_API__RATE_LIMIT_PER_S="0")
        url, key = str(asked_of.client.base_url), str(asked_of.client.headers["X-API-Key"])
        report = stage.directory / "asked.json"
        crowd = Child.python(
            "-m", "benchmarks.crowd_readers", "--url", url, "--key", key,
            "--readers", str(readers), "--pause", str(pause_s), "--seconds", str(seconds),
            "--report", str(report),
            name="readers", environment={}, log=stage.directory / "readers.log",
        )  # fmt: skip
        stack.callback(crowd.kill)
        if readers:
            crowd.start()
        before = cpu_seconds(worker.pid), cpu_seconds(api.pid)
        run = run_load(
            stage=stage, contender=contender, children=[worker, api],
            publisher=publisher_process(stage, rate=rate, seconds=seconds, devices=devices),
            rate=rate, seconds=seconds, poll_s=_POLL_S,
        )  # fmt: skip
        after = cpu_seconds(worker.pid), cpu_seconds(api.pid)
        asked = None
        if readers:
            crowd.wait(seconds=_READY_S)
            asked = msgspec.json.decode(report.read_bytes(), type=Asked)
        worker.stop()
        api.stop()
        messages = run.published.acknowledged + run.probes
        return Crowded(
            run=run,
            asked=asked,
            worker_us=(after[0] - before[0]) / messages * 1e6,
            api_cores=(after[1] - before[1]) / run.seconds,
        )


def _line(what: str, crowded: Crowded) -> str:
    latencies = crowded.run.latencies
    return (
        f"{what}: {crowded.rate:,.0f} messages/s stored, publish to queryable "
        f"p50 {latencies.at(0.5):.0f} ms, p99 {latencies.at(0.99):.0f} ms; "
        f"worker {crowded.worker_us:.0f} us CPU a message, API {crowded.api_cores:.2f} cores"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second")
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--pause", type=float, default=1.0, help="of a reader, seconds")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1000)
    chosen = parser.parse_args()
    found: list[Crowded] = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            with running_servers(Path(directory)) as servers:
                for readers in (0, chosen.readers):
                    one = measure(
                        servers,
                        rate=chosen.rate,
                        seconds=chosen.seconds,
                        devices=chosen.devices,
                        readers=readers,
                        pause_s=chosen.pause,
                    )
                    print(_line(f"{readers} readers", one), flush=True)
                    found.append(one)
        except ServerUnavailableError as error:
            sys.exit(f"NOT MEASURED: {error}")
    alone, crowded = found
    if crowded.asked is not None:
        answers = Latencies(tuple(sorted(crowded.asked.ms)))
        print(
            f"answers: {len(answers.ms):,} ({crowded.asked.refused} refused), "
            f"p50 {answers.at(0.5):.0f} ms, p99 {answers.at(0.99):.0f} ms"
        )
    print(
        f"rate with readers / without: {crowded.rate / alone.rate:.3f} (goal {GOAL} or more); "
        f"median latency {crowded.run.latencies.at(0.5) / alone.run.latencies.at(0.5):.2f} times"
    )


if __name__ == "__main__":
    main()
