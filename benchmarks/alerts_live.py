"""How soon is somebody told that a value crossed a limit, on a large platform at work?

`make benchmark-alerts-live` runs Mosquitto, InfluxDB, PostgreSQL (as a site has it; `--sqlite`: a
file instead), a worker and `python -m alerts` as programs of their own, with 5,000 rules over
20,000 series (5,000 devices in 500 zones), and publishes 5,000 values a second in an open loop,
four a message, for a minute. One message in 997 crosses a limit. A message's instant is when it was
due, so what is sent late counts. It prints the latency from there to the alert in the registry and
to who is told (a webhook and a client of the broker), what waits to be judged, the CPU and the
memory of the process that judges, and how long it takes to judge again after SIGKILL at that load.
The baseline is the same load without a rule.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import msgspec
import paho.mqtt.client as mqtt_client
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks import mqtt
from benchmarks.child import Child, cpu_seconds
from benchmarks.ingest.contender import Stage
from benchmarks.ingest.passerelle import Passerelle, open_registry
from benchmarks.load import publisher_process, start_worker
from benchmarks.machine import this_machine
from benchmarks.markdown import against, machine_line, table
from benchmarks.publisher import Published
from benchmarks.stack import Servers, running_servers
from benchmarks.workload import HOT_EVERY, PASSERELLE_FOUR, SITE, Workload, is_hot
from core.clock import NS_PER_S
from devices.registry import Registry
from devices.registry.alert_records import AlertRecord, AlertState
from devices.registry.alerts import AlertFilter
from tests.servers.availability import ServerUnavailableError
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres, new_postgres
from tests.servers.waiting import wait_until
from tests.support.receivers import HookReceiver

GOAL_MS = 1000.0
SERIES = 4
"""Series of each device."""
_ZONES = 500
_WARM_S = 15.0  # what cannot be said before there are some values is written meanwhile
_READY_S = 300.0
_AGAIN_S = 20.0
_ON_THE_WAY_S = 1.0
"""How long a notice may take from the broker to who listens, seconds."""
_SAMPLE_S = 0.5
_PAGE = 1000
_NS_PER_MS = 1_000_000
_DETECTION = "passerelle_alerts_detection_seconds"
_FOUND = AlertFilter(states=(AlertState.FIRING.value, AlertState.RESOLVED.value))
_DISK = Path(__file__).parents[1] / ".cache"
_TOPIC = "passerelle/v1/{site}/alerts"
_POLICY = f"""\
channels:
  hook: {{{{webhook: "{{url}}", secret: "not-very-secret-at-all", timeout: 5s}}}}
  siren: {{{{mqtt: "{_TOPIC.replace("{", "{{").replace("}", "}}")}"}}}}
default:
  channels: [hook, siren]
  group_by: []
"""
_HOT = "{threshold: {quantity: air_temperature, above: 30, margin: 1}}"
_WHEN = (
    _HOT,
    "{rate: {quantity: relative_humidity, over: 5m, above: 60}}",
    "{absence: {after: 10m}}",
    "{count: {of: {threshold: {quantity: carbon_dioxide, above: 2000}}, at_least: 3}}",
    f"{{all: [{_HOT}, {{not: {{absence: {{after: 10m}}}}}}]}}",
)
_COUNTS_ZONES = 3


class Watched(msgspec.Struct, frozen=True):
    """What was seen of the process that judges, under a load.

    Attributes:
        cores: its CPU, of one core.
        rss_mib: its memory at the end.
        waited_mib: the most that waited to be judged.
        values: judged, by its own count, a second.
        detected_ms: from the worker's commit until the alert was in the registry, the mean.
        detected_at_once: share of that within a second.
    """

    cores: float
    rss_mib: float
    waited_mib: float
    values: float
    detected_ms: float
    detected_at_once: float


class Run(msgspec.Struct, frozen=True):
    """What came of a load.

    Attributes:
        rules: how many there are.
        ready_s: from the start of the process that judges until it did.
        watched: what was seen of it.
        again_s: from its start after SIGKILL until it judged again, at that load.
        due: values that crossed the limit, counted.
        found: of those, for how many every alert is in the registry.
        written_ms: from the instant of the value until the alert was opened, sorted.
        hook_ms: until the receiver of the webhook had the notice.
        mqtt_ms: until a client of the broker had it.
        late_ms: the longest that a message was sent after it was due.
    """

    rules: int
    ready_s: float
    watched: Watched
    again_s: float
    due: int
    found: int
    written_ms: tuple[float, ...]
    hook_ms: tuple[float, ...]
    mqtt_ms: tuple[float, ...]
    late_ms: float


class Heard(HookReceiver):
    """The receiver of a webhook and a client of the broker, which note when they had a notice.

    Attributes:
        hook: (alert, occasion) -> when, nanoseconds since the epoch.
        mqtt: the same, over the broker.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self.hook: dict[tuple[str, str], int] = {}
        self.mqtt: dict[tuple[str, str], int] = {}
        self._client = mqtt_client.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: _note(self.mqtt, message.payload)
        self._client.on_connect = lambda client, *_: client.subscribe(
            _TOPIC.format(site=SITE), qos=1
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Note when a notice came, and answer."""
        _note(self.hook, body)
        handler.send_response(204)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def _note(seen: dict[tuple[str, str], int], body: bytes | bytearray) -> None:
    now_ns = time.time_ns()
    told = json.loads(body)
    for alert in told["alerts"]:
        seen.setdefault((alert["id"], told["occasion"]), now_ns)


def sources(count: int, *, zones: int) -> list[tuple[str, str]]:
    """Return so many rules, by name, each over the devices of one zone; every kind in each zone."""
    found = []
    for number in range(count):
        kind = number // zones % len(_WHEN)
        name = f"r-{number:05d}"
        source = (
            f"rule: {name}\ntitle: {{en: A rule, fr: Une règle}}\n"
            f"per: {'zone' if kind == _COUNTS_ZONES else 'device'}\nwhen: {_WHEN[kind]}\n"
            f"for: {'0s' if number // zones < len(_WHEN) else '1m'}\n"
            f"select: {{site: {SITE}, zone: zone-{number % zones:03d}}}\n"
        )
        found.append((name, source))
    return found


class Alerting:
    """`python -m alerts` under measurement.

    Args:
        stage: where it runs.
        contender: the worker beside it.
        url: of who is told.
    """

    def __init__(self, stage: Stage, contender: Passerelle, *, url: str) -> None:
        policy = stage.directory / "policy.yaml"
        policy.write_text(_POLICY.format(url=url))
        self._port = free_port()
        self.child = Child.python(
            "-m", "alerts",
            name="alerts",
            environment=contender.environment(stage)
            | {
                "PASSERELLE_ALERTS__POLICY": str(policy),
                "PASSERELLE_ALERTS__METRICS_PORT": str(self._port),
                "PASSERELLE_ALERTS__LEASE_S": "3",
            },
            log=stage.directory / "alerts.log",
        )  # fmt: skip

    def start(self) -> float:
        """Start it; return how long it took until it judged, seconds."""
        began_s = time.perf_counter()
        self.child.start()
        wait_until(self._judging, seconds=_READY_S, what="it judges", every=0.1)
        return time.perf_counter() - began_s

    def metric(self, name: str, *, label: str = "") -> float:
        """Return the sum of a metric over its labels, or over those that hold a text."""
        text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=10).text
        found = re.findall(rf"^{name}({{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in found if label in labels)

    def rss_mib(self) -> float:
        """Return the memory that it has now."""
        text = Path(f"/proc/{self.child.pid}/status").read_text("ascii", errors="replace")
        found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0

    def _judging(self) -> bool:
        self.child.check()
        try:
            answer = httpx.get(f"http://127.0.0.1:{self._port}/health", timeout=10)
        except httpx.HTTPError:
            return False
        return bool(answer.json().get("judging"))


def measure(
    servers: Servers,
    *,
    rules: int,
    devices: int,
    values_s: float,
    seconds: float,
    again_s: float,
    warm_s: float = _WARM_S,
    postgres: Postgres | None = None,
) -> Run:
    """Run the load; return what was seen.

    Args:
        servers: running.
        rules: how many.
        devices: each of four series.
        values_s: values a second.
        seconds: how long it is watched.
        again_s: for how much longer the load goes on after the process was killed.
        warm_s: for how long it goes on before it is watched.
        postgres: where the registry is; None: a SQLite file.
    """
    if not devices % HOT_EVERY:
        raise ValueError(f"{devices} devices: the same ones would be hot again and again")
    zones = min(_ZONES, max(1, devices // 10))
    with ExitStack() as stack:
        contender = Passerelle()
        stage = _stage(
            servers,
            name=f"rules-{rules}",
            devices=devices,
            zones=zones,
            registry_url="" if postgres is None else postgres.create_database(),
        )
        for client_id in contender.client_ids(stage):
            stack.callback(mqtt.forget_session, port=stage.broker_port, client_id=client_id)
        (worker,) = start_worker(servers, stage, contender, stack)
        registry = open_registry(stage)
        stack.callback(registry.close)
        _put(registry, sources(rules, zones=zones))
        heard = stack.enter_context(Heard(stage.broker_port))
        stack.callback(heard.close)
        alerting = Alerting(stage, contender, url=heard.url)
        stack.callback(alerting.child.kill)
        ready_s = alerting.start()
        rate = values_s / SERIES
        length_s = warm_s + seconds + again_s
        publisher = publisher_process(
            stage, rate=rate, seconds=length_s, devices=devices, convention=PASSERELLE_FOUR
        )
        stack.callback(publisher.kill)
        publisher.start()
        time.sleep(warm_s)
        watched = _watch(alerting, seconds=seconds)
        alerting.child.kill()
        taken_s = alerting.start()
        publisher.wait(seconds=length_s + _READY_S)
        published = msgspec.json.decode(
            (stage.directory / "published.json").read_bytes(), type=Published
        )
        truth = _crossings(published, rate=rate, devices=devices) if rules else {}
        expected = _per_crossing(rules, zones)
        alerts = _found(registry, truth, expected=expected)
        _wait_told(registry)
        alerting.child.stop()
        worker.stop()
        from_ns = published.began_ns + round(warm_s * NS_PER_S)
        until_ns = from_ns + round((seconds - 1) * NS_PER_S)
        within = [
            one for some in alerts.values() for one in some if from_ns <= one.at_ns < until_ns
        ]
        return Run(
            rules=rules,
            ready_s=ready_s,
            watched=watched,
            again_s=taken_s,
            due=len(truth),
            found=sum(1 for one in alerts.values() if len(one) == expected),
            written_ms=_ms([(one.at_ns, one.opened_ns) for one in within]),
            hook_ms=_ms(_told(within, heard.hook)),
            mqtt_ms=_ms(_told(within, heard.mqtt)),
            late_ms=published.late_ms,
        )


def _watch(alerting: Alerting, *, seconds: float) -> Watched:
    """Look at the process for a while, twice a second."""
    began_s, cpu_s = time.perf_counter(), cpu_seconds(alerting.child.pid)
    values = alerting.metric("passerelle_alerts_values_total")
    count, total_s, fast = _detected(alerting)
    waited = 0.0
    stopping = threading.Event()
    while (left_s := began_s + seconds - time.perf_counter()) > 0:
        stopping.wait(min(left_s, _SAMPLE_S))
        waited = max(waited, alerting.metric("passerelle_alerts_stream_waiting_bytes"))
    taken_s = time.perf_counter() - began_s
    after, after_s, after_fast = _detected(alerting)
    detected = after - count or float("nan")
    return Watched(
        cores=(cpu_seconds(alerting.child.pid) - cpu_s) / taken_s,
        rss_mib=alerting.rss_mib(),
        waited_mib=waited / 1024**2,
        values=(alerting.metric("passerelle_alerts_values_total") - values) / taken_s,
        detected_ms=(after_s - total_s) * 1000 / detected,
        detected_at_once=(after_fast - fast) / detected,
    )


def _detected(alerting: Alerting) -> tuple[float, float, float]:
    """Return how often verdicts were written, the time until then, and how often within 1 s."""
    return (
        alerting.metric(f"{_DETECTION}_count"),
        alerting.metric(f"{_DETECTION}_sum"),
        alerting.metric(f"{_DETECTION}_bucket", label='le="1.0"'),
    )


def _stage(servers: Servers, *, name: str, devices: int, zones: int, registry_url: str) -> Stage:
    directory = servers.directory / name
    directory.mkdir()
    registered = [
        msgspec.structs.replace(
            one, building="a", zone=f"zone-{number % zones:03d}", interval_s=SERIES
        )
        for number, one in enumerate(Workload(PASSERELLE_FOUR, devices).devices())
    ]
    return Stage(
        name=name,
        directory=directory,
        broker_port=servers.broker.port,
        bucket=servers.bucket(),
        devices=tuple(registered),
        registry_url=registry_url,
    )


def _put(registry: Registry, rules: Sequence[tuple[str, str]]) -> None:
    for name, source in rules:
        registry.rules.put(name, source, author="benchmark", reason="it is measured")


def _per_crossing(rules: int, zones: int) -> int:
    """Return how many alerts a value that crosses the limit makes at once."""
    found = sources(rules, zones=zones)
    of_zone = [source for _, source in found if source.endswith("zone: zone-000}\n")]
    return sum(1 for source in of_zone if _HOT in source and "for: 0s" in source)


def _crossings(published: Published, *, rate: float, devices: int) -> dict[tuple[str, int], int]:
    """Return what was published above the limit: (device, instant in ms) -> its number."""
    names = Workload(PASSERELLE_FOUR, devices).names()
    start_ms = published.began_ns // _NS_PER_MS
    return {
        (names[index % devices], start_ms + int(index / (rate / 1000))): index
        for index in range(published.acknowledged)
        if is_hot(index)
    }


def _found(
    registry: Registry, truth: dict[tuple[str, int], int], *, expected: int
) -> dict[tuple[str, int], list[AlertRecord]]:
    """Return the alerts of each crossing, once each has as many as expected, or after a minute."""
    found: dict[tuple[str, int], list[AlertRecord]] = {}

    def all_there() -> bool:
        found.clear()
        for one in _alerts(registry):
            if (key := (one.device, one.at_ns // _NS_PER_MS)) in truth:
                found.setdefault(key, []).append(one)
        return len(found) == len(truth) and all(len(one) == expected for one in found.values())

    try:
        wait_until(all_there, seconds=60, what="every crossing was found", every=2.0)
    except TimeoutError:
        return found
    return found


def _alerts(registry: Registry) -> list[AlertRecord]:
    found: list[AlertRecord] = []
    after = None
    while page := registry.alerts.list(_FOUND, limit=_PAGE, after=after):
        found += page
        after = (page[-1].opened_ns, page[-1].id)
    return found


def _wait_told(registry: Registry) -> None:
    """Wait until no notice waits; what was found late is told in one for many (a digest)."""
    what = "everybody was told of everything"
    wait_until(lambda: not registry.notices.waiting(), seconds=60, what=what, every=0.5)
    time.sleep(_ON_THE_WAY_S)


def _told(alerts: Sequence[AlertRecord], seen: dict[tuple[str, str], int]) -> list[tuple[int, int]]:
    return [(one.at_ns, seen[one.id, "firing"]) for one in alerts if (one.id, "firing") in seen]


def _ms(spans: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    return tuple(sorted((end - start) / _NS_PER_MS for start, end in spans))


def at(ordered: Sequence[float], share: float) -> float:
    """Return the value that `share` of the ordered ones do not exceed (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def markdown(run: Run, idle: Run, *, series: int, values_s: float, machine: str) -> str:
    """Return what is printed."""
    rows = [
        [name, f"{len(ms):,}", f"{at(ms, 0.5):,.0f}", f"{at(ms, 0.99):,.0f}", f"{at(ms, 1):,.0f}"]
        for name, ms in (
            ("alert in the registry", run.written_ms),
            ("webhook at its receiver", run.hook_ms),
            ("notice at a client of the broker", run.mqtt_ms),
        )
    ]
    seen, none = run.watched, idle.watched
    beside = [
        ["cores", f"{seen.cores:.2f}", f"{none.cores:.2f}", f"{seen.cores / none.cores:.2f}"],
        [
            "memory, MiB", f"{seen.rss_mib:,.0f}", f"{none.rss_mib:,.0f}",
            f"{seen.rss_mib / none.rss_mib:.2f}",
        ],
        ["most that waited, MiB", f"{seen.waited_mib:.2f}", f"{none.waited_mib:.2f}", ""],
        ["values/s judged", f"{seen.values:,.0f}", f"{none.values:,.0f}", ""],
        ["ready after start, s", f"{run.ready_s:.1f}", f"{idle.ready_s:.1f}", ""],
        ["again after SIGKILL at that load, s", f"{run.again_s:.1f}", f"{idle.again_s:.1f}", ""],
    ]  # fmt: skip
    a_series = (seen.rss_mib - none.rss_mib) * 1024 / series
    return "\n\n".join(
        [
            f"### {run.rules:,} rules, {series:,} series, {values_s:,.0f} values/s",
            "\n".join(
                [
                    against(
                        "publish to the alert in the registry, ms: p99",
                        at(run.written_ms, 0.99), goal=GOAL_MS, at_most=True,
                    ),
                    against("cores", seen.cores, goal=1, at_most=True),
                    against(
                        "values/s judged, of what is published", seen.values / values_s,
                        goal=0.99, at_most=False,
                    ),
                    against(
                        f"crossings not found (of {run.due:,}; SIGKILL within)",
                        run.due - run.found, goal=0, at_most=True,
                    ),
                    (
                        f"- of that, from the worker's commit on: {seen.detected_ms:.0f} ms in the "
                        f"mean, {seen.detected_at_once:.1%} within a second"
                    ),
                    f"- memory a series, less what it is without a rule: {a_series:.1f} kB",
                    f"- sent later than due, at most (it is in the latency): {run.late_ms:.0f} ms",
                ]
            ),
            table(["from publish, ms", "alerts", "p50", "p99", "greatest"], rows),
            table(["the process that judges", "with rules", "without", "ratio"], beside),
            machine,
        ]
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 when a crossing was not found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rules", type=int, default=5000)
    parser.add_argument("--devices", type=int, default=5000, help="each of four series")
    parser.add_argument("--rate", type=float, default=5000.0, help="values a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--again", type=float, default=_AGAIN_S, help="load after SIGKILL, seconds")
    parser.add_argument(
        "--sqlite", action="store_true", help="the registry in a SQLite file, not in PostgreSQL"
    )
    parser.add_argument("--directory", type=Path, default=_DISK, help="on a disk, for all files")
    chosen = parser.parse_args(arguments)
    chosen.directory.mkdir(parents=True, exist_ok=True)
    load = {
        "devices": chosen.devices, "values_s": chosen.rate, "seconds": chosen.seconds,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="alerts-", dir=chosen.directory) as directory:
        try:
            with ExitStack() as stack:
                servers = stack.enter_context(running_servers(Path(directory)))
                postgres = None
                if not chosen.sqlite:
                    server = stack.enter_context(new_postgres(durable=True))
                    server.start()
                    postgres = server.access
                idle = measure(servers, rules=0, again_s=1.0, postgres=postgres, **load)
                run = measure(
                    servers, rules=chosen.rules, again_s=chosen.again, postgres=postgres, **load
                )
        except ServerUnavailableError as error:
            sys.stderr.write(f"NOT MEASURED: {error}\n")
            return 2
    told = markdown(
        run,
        idle,
        series=chosen.devices * SERIES,
        values_s=chosen.rate,
        machine=machine_line(this_machine(chosen.directory)),
    )
    print(f"\n{told}\n")
    return 0 if run.found == run.due else 1


if __name__ == "__main__":
    sys.exit(main())
