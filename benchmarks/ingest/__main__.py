"""The same queue of messages taken by Passerelle and by Telegraf, in turn.

`python -m benchmarks.ingest [--messages 200000] [--runs 3]` (or `make benchmark`): one Mosquitto,
one InfluxDB 2.10, every contestant with a session of its own on the broker, which queues the same
QoS 1 messages for each. A run ends when InfluxDB holds a value for every message; one missing fails
the benchmark. Messages a second are counted from the first that is seen stored to the last. CPU is
that of the contestant's process, user and system; what it takes to start with nothing to do is
measured before and given apart.

Passerelle runs as installed: fsync before each PUBACK, validation, duplicates, ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks.ingest import telegraf
from benchmarks.ingest.processes import Contestant
from benchmarks.publisher import NS_PER_MS, Publisher, message
from core.clock import SystemClock
from core.settings import load_settings
from devices.registry import Device, Registry
from devices.seeding import prepare
from tests.servers.influxdb2 import InfluxDB2, new_influxdb2
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer, new_mosquitto

DEVICES = 200
_PART = 1000
_IDLE_S = 4.0
_LONGEST_S = 900.0
_POLL_S = 0.1
PASSERELLE, MEMORY, DISK = "Passerelle", "Telegraf, memory buffer", "Telegraf, disk buffer"


class Run(msgspec.Struct, frozen=True):
    """One contestant, one queue.

    Attributes:
        name: the contestant.
        rate: messages a second, from the first that is seen stored to the last.
        cpu_us: CPU per message without that of starting, microseconds.
        start_cpu_s: CPU that starting takes, seconds.
        peak_mib: most memory, MiB.
        messages: how many.
    """

    name: str
    rate: float
    cpu_us: float
    start_cpu_s: float
    peak_mib: float
    messages: int


class Arena:
    """The servers, and the contestants in front of them."""

    def __init__(self, *, directory: Path, broker: MosquittoServer, store: InfluxDB2) -> None:
        self._directory = directory
        self._broker = broker
        self._store = store
        self._http = httpx.Client(
            base_url=store.url, headers={"Authorization": f"Token {store.token}"}, timeout=60
        )
        self._now_ns = SystemClock().now_ns()
        self._fills = 0
        self._buckets: dict[str, str] = {}
        self._start_cpu_s: dict[str, float] = {}
        self._stored = 0

    def contestants(self, names: Sequence[str]) -> list[Contestant]:
        """Return them, each with its session made on the broker and its idle CPU measured."""
        made = [
            self._passerelle() if name == PASSERELLE else self._telegraf(name) for name in names
        ]
        for one in made:
            one.start()
            time.sleep(_IDLE_S)  # what is measured is doing nothing
            self._start_cpu_s[one.name] = one.cpu_s()
            one.stop()
        return made

    def fill(self, messages: int) -> None:
        """Let the broker queue further messages for every contestant."""
        self._fills += 1
        self._stored += messages
        first = self._now_ns - self._stored * NS_PER_MS
        with Publisher(host="127.0.0.1", port=self._broker.port, name="bench-publisher") as link:
            for start in range(0, messages, _PART):
                part = range(start, min(start + _PART, messages))
                link.publish(
                    [message(n, devices=DEVICES, start_ns=first, boot=self._fills) for n in part]
                )
            link.finish()

    def run(self, one: Contestant, messages: int) -> Run:
        """Let a contestant take its queue."""
        deadline_s = time.monotonic() + _LONGEST_S
        before = self._stored - messages
        first_s, first = 0.0, before
        one.start()
        try:
            while (count := self._count(one.name)) < self._stored:
                now_s = time.monotonic()
                if now_s > deadline_s:
                    raise RuntimeError(
                        f"{one.name}: InfluxDB holds {count} of {self._stored} messages after "
                        f"{_LONGEST_S:.0f} s"
                    )
                if count > before and first == before:
                    first_s, first = now_s, count
                time.sleep(_POLL_S)
            seconds = time.monotonic() - first_s
            start = self._start_cpu_s[one.name]
            cpu_us = (one.cpu_s() - start) / messages * 1e6
            rate = (self._stored - first) / seconds
            return Run(one.name, rate, cpu_us, start, one.peak_mib(), messages)
        finally:
            one.stop()

    def _count(self, name: str) -> int:
        query = 'SELECT count("air_temperature") FROM "environment"'
        answer = self._http.get("/query", params={"db": self._buckets[name], "q": query})
        answer.raise_for_status()
        series = answer.json()["results"][0].get("series")
        return int(series[0]["values"][0][1]) if series else 0

    def _bucket(self, name: str) -> str:
        bucket = f"bench-{len(self._buckets)}"
        org = self._http.get("/api/v2/orgs", params={"org": self._store.org}).json()["orgs"][0]
        self._http.post(
            "/api/v2/buckets", json={"orgID": org["id"], "name": bucket, "retentionRules": []}
        ).raise_for_status()
        self._buckets[name] = bucket
        return bucket

    def _passerelle(self) -> Contestant:
        data = self._directory / "passerelle"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PASSERELLE_CONFIG": str(self._directory / "none.toml"),
            "PASSERELLE_DATA_DIR": str(data),
            "PASSERELLE_MQTT__URL": self._broker.url,
            "PASSERELLE_STORE__URL": f"influxdb+{self._store.url}",
            "PASSERELLE_STORE__TOKEN": self._store.token,
            "PASSERELLE_STORE__ORG": self._store.org,
            "PASSERELLE_STORE__BUCKET": self._bucket(PASSERELLE),
        }
        data.mkdir()
        registry = Registry.open(f"sqlite:///{data / 'registry.db'}", clock=SystemClock())
        prepare(registry, load_settings(data_dir=data))
        registry.devices.add_many(
            [
                Device(id=name, site="elgazala", profile="passerelle", external_id=name)
                for name in (f"bench-{number:05d}" for number in range(DEVICES))
            ]
        )
        registry.close()
        return Contestant(
            name=PASSERELLE,
            command=[sys.executable, "-m", "ingest"],
            environment=environment,
            log=self._directory / "passerelle.log",
        )

    def _telegraf(self, name: str) -> Contestant:
        program = telegraf.binary()
        if program is None:
            raise SystemExit("there is no Telegraf; build it with: make benchmark-servers")
        path = self._directory / f"telegraf-{len(self._buckets)}.conf"
        telegraf.configure(
            path,
            name=path.stem,
            mqtt=self._broker.port,
            influxdb=self._store.url,
            token=self._store.token,
            org=self._store.org,
            bucket=self._bucket(name),
            disk=self._directory / "buffer" if name == DISK else None,
        )
        return Contestant(
            name=name,
            command=[str(program), "--config", str(path)],
            environment={"PATH": os.environ["PATH"], "HOME": str(self._directory)},
            log=self._directory / f"{path.stem}.log",
        )


@contextmanager
def arena(directory: Path) -> Iterator[Arena]:
    """Start the servers; stop them at the end."""
    broker_at, store_at = directory / "mosquitto", directory / "influxdb"
    broker_at.mkdir()
    store_at.mkdir()
    store = new_influxdb2(store_at)
    options = MosquittoOptions(persistence=False, max_inflight_messages=0, max_queued_messages=0)
    broker = new_mosquitto(broker_at, options)
    with ExitStack() as started:
        for server in (broker, store):
            server.start()
            started.callback(server.stop)
        yield Arena(directory=directory, broker=broker, store=store.access)


def report(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Return the table and the ratios, as Markdown."""
    lines = [
        "| contestant | messages/s | CPU a message | peak memory | start-up CPU |",
        "|---|---|---|---|---|",
    ]
    rate: dict[str, float] = {}
    cpu: dict[str, float] = {}
    for name in names:
        mine = [run for run in runs if run.name == name]
        rate[name] = statistics.median(run.rate for run in mine)
        cpu[name] = statistics.median(run.cpu_us for run in mine)
        peak = max(run.peak_mib for run in mine)
        lines.append(
            f"| {name} | {rate[name]:,.0f} | {cpu[name]:.1f} us | {peak:.0f} MiB | "
            f"{mine[0].start_cpu_s:.2f} s |"
        )
    lines.append("")
    if MEMORY in cpu:
        lines.append(
            f"CPU, Passerelle to Telegraf's memory buffer: {cpu[PASSERELLE] / cpu[MEMORY]:.2f}"
        )
    if DISK in rate:
        lines.append(
            f"Throughput, Passerelle to Telegraf's disk buffer: {rate[PASSERELLE] / rate[DISK]:.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark with the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without", choices=[MEMORY, DISK], action="append", default=[])
    parser.add_argument("--json", type=Path, help="also write every run there")
    asked = parser.parse_args()
    names = [name for name in (PASSERELLE, MEMORY, DISK) if name not in asked.without]
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as made, arena(Path(made)) as ring:
        contestants = ring.contestants(names)
        for turn in range(asked.runs):
            ring.fill(asked.messages)
            order = contestants if turn % 2 == 0 else contestants[::-1]
            for one in order:
                run = ring.run(one, asked.messages)
                runs.append(run)
                sys.stdout.write(
                    f"run {turn + 1}: {run.name}: {run.rate:,.0f} messages/s, "
                    f"{run.cpu_us:.1f} us CPU a message, {run.peak_mib:.0f} MiB\n"
                )
                sys.stdout.flush()
    sys.stdout.write(f"\n{report(runs, names)}\n")
    if asked.json:
        asked.json.write_text(json.dumps(msgspec.to_builtins(runs), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
