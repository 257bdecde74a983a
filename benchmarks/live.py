"""How soon does a reader of the live stream see what a device published?

`python -m benchmarks.live --rate 1000 --readers 100` runs Mosquitto, a worker and the API
as programs of their own, with that many readers in one more (half server-sent events, half
WebSocket), and publishes in an open loop. A message's instant is when it was due, so what is sent
late counts. It prints p50 and p99 from there to the reader, the ratio to the goal of 50 ms, the CPU
of each process, and what the host of a virtual machine gave to others meanwhile: tails follow it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.live_readers import Seen
from benchmarks.load import load_stage, publisher_process, start_api, start_worker
from benchmarks.machine import stolen_s
from benchmarks.stack import running_servers
from tests.servers.availability import ServerUnavailableError
from tests.servers.waiting import wait_until

GOAL_MS = 50.0
_READY_S = 60.0
_AFTER_S = 3.0
_TICK_S = 0.001


def quantile(ordered: list[float], share: float) -> float:
    """Return the value that `share` of the ordered ones do not exceed (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure(
    directory: Path, *, rate: float, readers: int, seconds: float, devices: int
) -> tuple[Seen, int, dict[str, float]]:
    """Run it; return what the readers saw, how many points were due, and cores used by process."""
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers(directory))
        contender = Passerelle()
        stage = load_stage(servers, name="live", devices=devices)
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        (worker,) = start_worker(servers, stage, contender, stack)
        api, asked_of = start_api(stage, contender, stack)
        url, key = str(asked_of.client.base_url), str(asked_of.client.headers["X-API-Key"])
        report = stage.directory / "seen.json"
        looking = Child.python(
            "-m", "benchmarks.live_readers",
            "--url", url, "--key", key, "--readers", str(readers),
            "--seconds", str(seconds + _AFTER_S), "--report", str(report),
            name="readers", environment={}, log=stage.directory / "readers.log",
        )  # fmt: skip
        looking.start()
        stack.callback(looking.kill)
        wait_until(lambda: "ready" in looking.output(), seconds=_READY_S, what="readers look on")
        publisher = publisher_process(
            stage, rate=rate, seconds=seconds, devices=devices, tick_s=_TICK_S
        )
        broker = servers.broker.pid
        watched = {"worker": worker.pid, "API": api.pid} | ({"broker": broker} if broker else {})
        before = {name: cpu_seconds(pid) for name, pid in watched.items()}
        stolen_before_s = stolen_s()
        publisher.start()
        publisher.wait(seconds=seconds + _READY_S)
        cores = {name: (cpu_seconds(pid) - before[name]) / seconds for name, pid in watched.items()}
        cores["taken by the host"] = (stolen_s() - stolen_before_s) / seconds
        looking.wait(seconds=_READY_S)
        seen = msgspec.json.decode(report.read_bytes(), type=Seen)
        worker.stop()
        api.stop()
        return seen, round(rate * seconds), cores | {"readers": seen.cpu_s / (seconds + _AFTER_S)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=1000.0, help="messages a second")
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--devices", type=int, default=1000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        try:
            seen, due, cores = measure(
                Path(directory),
                rate=chosen.rate,
                readers=chosen.readers,
                seconds=chosen.seconds,
                devices=chosen.devices,
            )
        except ServerUnavailableError as error:
            sys.exit(f"NOT MEASURED: {error}")
    ordered = sorted(seen.latencies_ms)
    p50, p99 = quantile(ordered, 0.5), quantile(ordered, 0.99)
    print(
        f"{chosen.rate:,.0f} messages/s, {seen.readers} readers ({seen.looking} look at every "
        f"value): {seen.points:,} of {due * seen.looking:,} seen, {seen.missed} told to have "
        f"missed something, {seen.bytes / 1e6:,.0f} MB"
    )
    print(
        f"publish to reader: p50 {p50:.1f} ms, p99 {p99:.1f} ms, goal {GOAL_MS:.0f} ms, ratio "
        f"{p99 / GOAL_MS:.2f}"
    )
    print("cores: " + ", ".join(f"{name} {used:.2f}" for name, used in cores.items()))


if __name__ == "__main__":
    main()
