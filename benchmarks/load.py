"""An open-loop load on one running worker, with the probe beside it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.child import Child
from benchmarks.ingest.contender import Stage
from benchmarks.ingest.passerelle import Passerelle, open_registry
from benchmarks.ingest.queue import start_subscribed, wait_stored
from benchmarks.probe import WORKLOAD as PROBE_WORKLOAD
from benchmarks.probe import Latencies, Probe
from benchmarks.publisher import Published
from benchmarks.stack import Servers
from benchmarks.workload import PASSERELLE_JSON, Convention, Workload
from core.access import EVERYTHING
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.account import Api


class LoadRun(msgspec.Struct, frozen=True):
    """What came of a load.

    Attributes:
        rate: messages a second asked for.
        published: what the publisher says.
        probes: messages of the probe.
        stored: points in the store at the end, the probe's too.
        seconds: from the publisher's first message until a count in the store had found all.
        latencies: from publish to queryable, of the probe's messages.
    """

    rate: float
    published: Published
    probes: int
    stored: int
    seconds: float
    latencies: Latencies


def load_stage(servers: Servers, *, name: str, devices: int) -> Stage:
    """Return a stage whose devices are those of a load and the probe."""
    directory = servers.directory / name
    directory.mkdir()
    registered = [*Workload(PASSERELLE_JSON, devices).devices(), *PROBE_WORKLOAD.devices()]
    return Stage(name, directory, servers.broker.port, servers.bucket(), tuple(registered))


def start_worker(
    servers: Servers, stage: Stage, contender: Passerelle, stack: ExitStack
) -> list[Child]:
    """Start the contender, ready to receive; the stack ends it."""
    children = contender.children(stage)
    for child in children:
        stack.callback(child.kill)
    start_subscribed(servers, stage, contender, children)
    return children


def start_api(
    stage: Stage, contender: Passerelle, stack: ExitStack, **settings: str
) -> tuple[Child, Api]:
    """Start the API, ready to answer, with a key that may read everything; the stack ends it."""
    port = free_port()
    registry = open_registry(stage)
    try:
        key, _ = registry.keys.create("benchmark", grants=EVERYTHING)
    finally:
        registry.close()
    child = Child.python(
        "-m", "api",
        name="api",
        environment=contender.environment(stage)
        | {"PASSERELLE_API__PORT": str(port), "PASSERELLE_API__HOST": "127.0.0.1"}
        | settings,
        log=stage.directory / "api.log",
    )  # fmt: skip
    stack.callback(child.kill)
    child.start()
    api = stack.enter_context(Api(f"http://127.0.0.1:{port}", key))
    wait_until(api.alive, seconds=60, what="the API answers")
    return child, api


def publisher_process(
    stage: Stage,
    *,
    rate: float,
    seconds: float,
    devices: int,
    tick_s: float = 0.005,
    convention: Convention = PASSERELLE_JSON,
) -> Child:
    """Return the publisher as a process of its own, not started; it writes `published.json`."""
    return Child.python(
        "-m", "benchmarks.publisher",
        "--port", str(stage.broker_port),
        "--rate", str(rate),
        "--seconds", str(seconds),
        "--devices", str(devices),
        "--tick", str(tick_s),
        "--convention", convention.name,
        "--report", str(_report(stage)),
        name="publisher", environment={}, log=stage.directory / "publisher.log",
    )  # fmt: skip


def run_load(
    *,
    stage: Stage,
    contender: Passerelle,
    children: list[Child],
    publisher: Child,
    rate: float,
    seconds: float,
    poll_s: float,
    stall_s: float = 120.0,
) -> LoadRun:
    """Have the publisher publish, and wait until everything is stored.

    Raises:
        MissingError: a message of the probe did not appear.
        ProgramDiedError: a program ended.
    """
    probe = Probe(port=stage.broker_port, bucket=stage.bucket.again(), poll_s=poll_s)
    publisher.start()
    probe.start()
    try:
        publisher.wait(seconds=seconds + stall_s)
    finally:
        latencies = probe.finish(timeout_s=max(stall_s, seconds))
    published = msgspec.json.decode(_report(stage).read_bytes(), type=Published)
    expected = published.acknowledged + probe.published
    stored = wait_stored(contender, stage, children, expected=expected, stall_s=stall_s)
    return LoadRun(
        rate=rate,
        published=published,
        probes=probe.published,
        stored=stored,
        seconds=(time.time_ns() - published.began_ns) / 1e9,
        latencies=latencies,
    )


def _report(stage: Stage) -> Path:
    return stage.directory / "published.json"
