"""The count of a simulated fleet is what a real broker has, message by message."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_S
from core.errors import ConfigurationError
from simulators.account import Progress
from simulators.fleet import Fleet
from simulators.login import BrokerUnavailableError
from simulators.report import Report
from simulators.runner import Connections, simulate
from simulators.scenario import Scenario, load_scenario
from tests.servers.fixtures import MosquittoFactory
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.listener import Link, Listener

ROOT = Path(__file__).parents[2]


def run(
    fleet: Fleet, url: str, *, duration_s: float = 900, connections: Connections = "site"
) -> Report:
    return simulate(
        fleet,
        broker_url=url,
        speed=math.inf,
        duration_s=duration_s,
        stop=threading.Event(),
        connections=connections,
    )


def device_of(topic: str, names: dict[tuple[str, str], str]) -> str:
    """Return the device of a topic, worked out from the topic alone."""
    levels = topic.split("/")
    if levels[0] in {"passerelle", "senml"}:
        return names[levels[2], levels[3]]
    if levels[1] == "tele":
        return names[levels[0], levels[2]]
    name = "/".join(levels[2:]).removesuffix("/availability")
    return "zigbee2mqtt/bridge" if name == "bridge/devices" else names[levels[0], name]


def assert_heard(listener: Listener, fleet: Fleet, report: Report) -> None:
    """Every device's count is what was heard of it; only injected duplicates are equal."""
    names = {(d.site, d.external_id): d.id for d in fleet.devices}
    heard: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    seen: set[tuple[str, bytes]] = set()
    for topic, payload in listener.heard:
        device = device_of(topic, names)
        heard[device] += 1
        copies[device] += bool(payload) and (topic, payload) in seen
        seen.add((topic, payload))
    published: Counter[str] = Counter()
    for row in report.rows:
        published[row.device] += row.published
        assert copies[row.device] == row.duplicates, row
    assert published == heard


@pytest.mark.parametrize("connections", ["site", 5, "device"])
def test_every_device_has_published_exactly_what_the_report_says(
    mosquitto: MosquittoServer, connections: Connections
) -> None:
    fleet = Fleet(load_scenario("rough-day"), devices=120)
    with Listener(mosquitto.url) as listener:
        report = run(fleet, mosquitto.url, connections=connections)
        totals = report.totals()
        listener.wait_for(totals["published"])
        listener.wait_for_last("the/end")
    assert report.exact
    assert_heard(listener, fleet, report)
    for fault in ("duplicates", "malformed", "defective", "out_of_order", "backfilled"):
        assert totals[fault] > 0, fault
    assert totals["telemetry"] + totals["availability"] + totals["metadata"] == totals["published"]


def test_a_stopped_run_counts_what_it_had_published(mosquitto: MosquittoServer) -> None:
    fleet = Fleet(load_scenario("two-parks"))
    stop = threading.Event()

    def on_progress(step: Progress) -> None:
        if step.published > 300:
            stop.set()

    with Listener(mosquitto.url) as listener:
        report = simulate(
            fleet, broker_url=mosquitto.url, speed=2000, stop=stop, on_progress=on_progress
        )
        listener.wait_for_last("the/end")
    assert report.stopped
    assert report.exact
    assert report.totals()["published"] > 300
    assert_heard(listener, fleet, report)


def test_what_a_broken_connection_may_have_doubled_is_told(mosquitto: MosquittoServer) -> None:
    fleet = Fleet(load_scenario("load"))
    cuts, deaf = 0, False
    with Listener(mosquitto.url) as listener, Link(mosquitto.url) as link:

        def on_progress(step: Progress) -> None:
            # deaf for a while, then cut: the broker has messages whose PUBACK never came
            nonlocal cuts, deaf
            if not deaf and cuts < 3 and step.published > (cuts + 1) * 2000:
                deaf = True
                link.deafen()
            elif deaf and step.in_flight >= 300:
                deaf = False
                cuts += 1
                link.cut()

        report = simulate(
            fleet,
            broker_url=link.url,
            speed=math.inf,
            duration_s=300,
            stop=threading.Event(),
            on_progress=on_progress,
            connections=1,
        )
        listener.wait_for(report.totals()["published"])
        listener.wait_for_last("the/end")
    totals = report.totals()
    assert report.connections_lost == 3
    assert totals["unacknowledged"] == 0
    assert totals["published"] == 100 * 300
    assert len(set(listener.heard)) == totals["published"]
    surplus = len(listener.heard) - totals["published"]
    assert 0 < surplus <= totals["resent"]
    assert not report.exact
    by_device = Counter(tuple(topic.split("/")[2:4]) for topic, _ in listener.heard)
    for row in report.rows:
        heard = by_device[row.site, row.external_id]
        assert row.published <= heard <= row.published + row.resent


def test_a_run_outlives_a_restart_of_the_broker(mosquitto: MosquittoServer) -> None:
    fleet = Fleet(load_scenario("two-parks"))
    restarted = threading.Event()

    def on_progress(step: Progress) -> None:
        if step.published > 200 and not restarted.is_set():
            restarted.set()
            mosquitto.restart()

    report = simulate(
        fleet,
        broker_url=mosquitto.url,
        speed=math.inf,
        duration_s=1200,
        stop=threading.Event(),
        on_progress=on_progress,
    )
    assert restarted.is_set()
    assert report.connections_lost == 2
    assert report.totals()["unacknowledged"] == 0


def test_with_a_connection_each_the_broker_says_who_went_without_a_word(
    mosquitto: MosquittoServer,
) -> None:
    script = (
        "import threading\n"
        "from simulators.fleet import Fleet\n"
        "from simulators.runner import simulate\n"
        "from simulators.scenario import load_scenario\n"
        "simulate(Fleet(load_scenario('two-parks'), devices=20), broker_url="
        f"{mosquitto.url!r}, stop=threading.Event(), connections='device')\n"
    )
    fleet = Fleet(load_scenario("two-parks"), devices=20)
    telling = {d.id for d in fleet.devices if d.profile != "senml"}
    with Listener(mosquitto.url) as listener:
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
        try:
            wait_until(
                lambda: sum(b"nline" in payload for _, payload in listener.heard) == len(telling),
                seconds=30,
                what="every device is on line",
            )
        finally:
            process.kill()
            process.wait()
        wait_until(
            lambda: sum(b"ffline" in payload for _, payload in listener.heard) == len(telling),
            what="the broker published every will",
        )


def test_ctrl_c_ends_cleanly_and_the_count_is_exact(
    mosquitto: MosquittoServer, tmp_path: Path
) -> None:
    target = tmp_path / "report.json"
    script = (
        "import typer\nfrom simulators.commands import simulate\n"
        "app = typer.Typer()\napp.command()(simulate)\napp()\n"
    )
    with Listener(mosquitto.url) as listener:
        process = subprocess.Popen(
            [
                sys.executable, "-c", script, "two-parks", "--broker", mosquitto.url,
                "--speed", "600x", "--report", str(target),
            ],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            listener.wait_for(400)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        listener.wait_for_last("the/end")
    assert process.returncode == 0, told
    report = msgspec.json.decode(target.read_bytes())
    assert report["stopped"] is True
    assert report["exact"] is True
    assert report["totals"]["published"] == len(listener.heard)
    assert f"stopped: {len(listener.heard):,} messages" in told


def test_accelerated_time_keeps_the_distances_of_the_devices(mosquitto: MosquittoServer) -> None:
    fleet = Fleet(load_scenario("load"), devices=4)
    with Listener(mosquitto.url) as listener:
        report = simulate(
            fleet,
            broker_url=mosquitto.url,
            speed=60,
            duration_s=120,
            stop=threading.Event(),
        )
        listener.wait_for_last("the/end")
    assert report.wall_s < 120
    assert report.totals()["published"] == len(listener.heard) == 4 * 120
    told = (datetime.fromisoformat(json.loads(payload)["t"]) for _, payload in listener.heard)
    assert max(told).timestamp() * NS_PER_S <= report.finished_ns
    assert report.simulated_to_ns - report.simulated_from_ns == 120 * NS_PER_S


def test_quality_of_service_0_is_counted_when_it_is_written(mosquitto: MosquittoServer) -> None:
    spec = load_scenario("load").model_copy(update={"qos": 0})
    fleet = Fleet(Scenario.model_validate(spec.model_dump()), devices=20)
    with Listener(mosquitto.url) as listener:
        report = run(fleet, mosquitto.url, duration_s=60)
        listener.wait_for(1200)
        listener.wait_for_last("the/end")
    assert report.exact
    assert report.totals()["published"] == len(listener.heard) == 1200


def test_messages_that_the_broker_refuses_are_told_apart(
    mosquitto_factory: MosquittoFactory, tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    rules.write_text(
        "topic readwrite passerelle/v1/elgazala/#\ntopic read #\ntopic write the/end\n"
    )
    rules.chmod(0o644)
    tmp_path.chmod(0o755)
    broker = mosquitto_factory(MosquittoOptions(lines=(f"acl_file {rules}",)))
    fleet = Fleet(load_scenario("load"), devices=10)
    report = simulate(
        fleet,
        broker_url=broker.url,
        speed=math.inf,
        duration_s=30,
        stop=threading.Event(),
        version="5",
    )
    for row in report.rows:
        counts = (30, 0) if row.site == "elgazala" else (0, 30)
        assert (row.published, row.refused) == counts, row


def test_tls_and_a_password_are_spoken(mosquitto_factory: MosquittoFactory) -> None:
    options = MosquittoOptions(tls=True, username="fleet", password="a-secret")
    broker = mosquitto_factory(options)
    assert broker.certificates is not None
    fleet = Fleet(load_scenario("load"), devices=10)
    report = simulate(
        fleet,
        broker_url=broker.url,
        speed=math.inf,
        duration_s=60,
        stop=threading.Event(),
        ca_file=broker.certificates.ca_file,
    )
    assert report.exact
    assert report.totals()["published"] == 600
    with pytest.raises(BrokerUnavailableError, match="TLS"):
        run(fleet, broker.url)


def test_a_broker_that_does_not_let_us_in_is_named_with_its_reason(
    mosquitto_factory: MosquittoFactory,
) -> None:
    broker = mosquitto_factory(MosquittoOptions(username="fleet", password="a-secret"))
    fleet = Fleet(load_scenario("load"), devices=2)
    with pytest.raises(BrokerUnavailableError, match=r"refuses us: .*[Nn]ot authorized"):
        run(fleet, f"mqtt://fleet:wrong@{broker.host}:{broker.port}")


def test_a_speed_of_nothing_is_refused(mosquitto: MosquittoServer) -> None:
    with pytest.raises(ConfigurationError, match="speed"):
        simulate(
            Fleet(load_scenario("load"), devices=1),
            broker_url=mosquitto.url,
            speed=0,
            stop=threading.Event(),
        )
