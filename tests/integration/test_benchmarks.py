"""The benchmarks themselves, with a few messages: they count right, and a loss makes them fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from benchmarks import alerts_live, mqtt
from benchmarks.child import Child
from benchmarks.influx import Bucket
from benchmarks.ingest.contender import Stage
from benchmarks.ingest.passerelle import Passerelle
from benchmarks.ingest.queue import MessagesLostError, QueueRun, run_queue
from benchmarks.probe import MissingError, Probe
from benchmarks.publisher import Publisher
from benchmarks.source import KINDS, PROTOCOLS, Kind, run_source
from benchmarks.stack import Servers
from benchmarks.workload import CONVENTIONS, PASSERELLE_JSON, Convention, Workload
from ingest.protocol import Protocol
from tests.servers.fixtures import MosquittoFactory
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.waiting import wait_until

MESSAGES = 500
DEVICES = 20
QUIET_S = 3.0


@contextmanager
def queue_of(broker: MosquittoServer, topic: str) -> Iterator[None]:
    """Have a session wait at the broker."""
    with mqtt.Connection(port=broker.port, client_id="waiting", clean=False) as connection:
        connection.socket.sendall(mqtt.subscribe(topic))
        assert connection.packet()[1][-1] == 1
    yield
    mqtt.forget_session(port=broker.port, client_id="waiting")


def waiting(broker: MosquittoServer, count: int) -> list[dict[str, object]]:
    """Return the payloads that wait in that session, without acknowledging them."""
    payloads = []
    with mqtt.Connection(port=broker.port, client_id="waiting", clean=False) as connection:
        for _ in range(count):
            _, body = connection.packet()
            payloads.append(msgspec.json.decode(body[4 + int.from_bytes(body[:2]) :]))
    return payloads


@pytest.fixture
def servers(
    mosquitto_factory: MosquittoFactory, influxdb2_server: InfluxDB2Server, tmp_path: Path
) -> Servers:
    options = MosquittoOptions(max_queued_messages=0, lines=("log_type subscribe",))
    return Servers(broker=mosquitto_factory(options), influxdb=influxdb2_server, directory=tmp_path)


def run(servers: Servers, contender: Passerelle, convention: Convention) -> QueueRun:
    return run_queue(
        servers=servers,
        contender=contender,
        workload=Workload(convention, DEVICES),
        messages=MESSAGES,
        name="test",
        stall_s=QUIET_S,
    )


def test_a_queue_holds_every_message_once_in_the_order_of_each_device(
    mosquitto: MosquittoServer,
) -> None:
    topic = PASSERELLE_JSON.topic.format(site="+", device="+")
    with queue_of(mosquitto, topic):
        publisher = Publisher(port=mosquitto.port, workload=Workload(PASSERELLE_JSON, DEVICES))
        published = publisher.fill(MESSAGES, start_ms=time.time_ns() // 1_000_000)
        publisher.close()
        payloads = waiting(mosquitto, MESSAGES)
    assert published.acknowledged == MESSAGES
    assert len({payload["t"] for payload in payloads}) == MESSAGES
    assert sorted(payload["seq"] for payload in payloads) == sorted(  # type: ignore[type-var]
        index // DEVICES for index in range(MESSAGES)
    )


def test_a_paced_message_carries_the_instant_at_which_it_was_due(
    mosquitto: MosquittoServer,
) -> None:
    topic = PASSERELLE_JSON.topic.format(site="+", device="+")
    with queue_of(mosquitto, topic):
        publisher = Publisher(
            port=mosquitto.port, workload=Workload(PASSERELLE_JSON, DEVICES), connections=1
        )
        published = publisher.pace(rate=1000, seconds=0.5)
        publisher.close()
        instants = [str(payload["t"]) for payload in waiting(mosquitto, MESSAGES)]
    assert published.acknowledged == MESSAGES
    assert instants == sorted(instants)
    assert len(set(instants)) == MESSAGES


def test_a_rate_that_would_give_two_messages_of_a_device_one_instant_is_refused(
    mosquitto: MosquittoServer,
) -> None:
    publisher = Publisher(port=mosquitto.port, workload=Workload(PASSERELLE_JSON, 2))
    with pytest.raises(ValueError, match="need 3 devices"):
        publisher.pace(rate=2500, seconds=1)
    publisher.close()


@pytest.mark.parametrize("convention", [CONVENTIONS[0], CONVENTIONS[2]], ids=lambda one: one.name)
def test_a_queue_taken_by_the_worker_is_counted_in_store_and_account(
    servers: Servers, convention: Convention
) -> None:
    result = run(servers, Passerelle(), convention)
    assert (result.messages, result.stored, result.lost) == (MESSAGES, MESSAGES, 0)
    assert 0 < result.startup_cpu_s < min(result.fixed_cpu_s, result.cpu_s)


class Forgetful(Passerelle):
    """A contender that does not know one of the devices: its messages are not stored."""

    def children(self, stage: Stage) -> list[Child]:
        """Register all devices but the last."""
        return super().children(msgspec.structs.replace(stage, devices=stage.devices[:-1]))


def test_a_message_that_is_not_in_the_store_makes_the_benchmark_fail(servers: Servers) -> None:
    with pytest.raises(MessagesLostError, match="acknowledged 501 messages, the store has 476"):
        run(servers, Forgetful(), PASSERELLE_JSON)


def test_a_message_of_the_probe_that_never_appears_is_an_error(
    mosquitto: MosquittoServer, influxdb2: InfluxDB2, influxdb2_bucket: Callable[[], str]
) -> None:
    bucket = Bucket(access=influxdb2, name=influxdb2_bucket())
    probe = Probe(port=mosquitto.port, bucket=bucket, interval_ms=1)
    probe.start()
    wait_until(lambda: probe.published, what="a message is published")
    with pytest.raises(MissingError, match="not in the store"):
        probe.finish(timeout_s=0.2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_source_takes_a_queue_whole_and_once(
    mosquitto: MosquittoServer, kind: Kind, protocol: Protocol
) -> None:
    for _ in range(2):  # the session of the first run is forgotten
        run = run_source(broker=mosquitto, kind=kind, protocol=protocol, messages=MESSAGES)
        assert (run.kind, run.protocol, run.messages) == (kind, protocol, MESSAGES)
        assert min(run.cpu_us, run.rate) > 0


def test_a_limit_that_is_crossed_is_measured_from_its_publication_to_whoever_is_told(
    servers: Servers,
) -> None:
    # Each device sends every 1.5 s: what is over within a pause of the machine is told as past.
    run = alerts_live.measure(
        servers, rules=40, devices=300, values_s=800, seconds=12, again_s=8, warm_s=0.5
    )
    assert run.due == run.found > 0
    assert len(run.written_ms) == len(run.hook_ms) == len(run.mqtt_ms) > 0
    assert all(0 < one < another for one, another in zip(run.written_ms, run.hook_ms, strict=True))
    assert run.watched.values > 0
    assert "found" in alerts_live.markdown(run, run, series=1200, values_s=800, machine="here")
