"""The paho source against a real Mosquitto, and a broker that says what no Mosquitto does."""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import MqttSettings
from ingest.arrival import Arrival
from ingest.source import PahoSource
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.waiting import wait_until

TOPIC = "passerelle/v1/elgazala/thermo-1/telemetry"


class Heard:
    """Collects arrivals."""

    def __init__(self) -> None:
        self.arrivals: queue.Queue[Arrival] = queue.Queue()

    def take(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            self.arrivals.put(arrival)

    def next(self) -> Arrival:
        return self.arrivals.get(timeout=20)

    def none_within(self, seconds: float) -> bool:
        try:
            self.arrivals.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


def source_for(url: str, **settings: object) -> PahoSource:
    values: dict[str, object] = {"url": url, "reconnect_min_s": 0.1, "reconnect_max_s": 1.0}
    return PahoSource(
        settings=MqttSettings.model_validate(values | settings),
        client_id="passerelle-test",
        filters=["passerelle/v1/+/+/telemetry"],
        fact_filters=[],
        clock=SystemClock(),
        metrics=Metrics(),
    )


def publish(url: str, payloads: list[bytes], *, qos: int = 1) -> None:
    host, port = url.rpartition("/")[2].split(":")
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(host, int(port))
    client.loop_start()
    for info in [client.publish(TOPIC, payload, qos) for payload in payloads]:
        info.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.mosquitto
def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    mosquitto: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = source_for(mosquitto.url, protocol=protocol)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    publish(mosquitto.url, [b"one", b"two"])
    first, second = heard.next(), heard.next()
    assert {first.payload, second.payload} == {b"one", b"two"}
    assert source.acknowledge([first]) == 1
    source.stop()

    later = source_for(mosquitto.url, protocol=protocol)
    later.start(heard.take)
    again = heard.next()
    assert (again.payload, again.mid, again.dup, again.resumed) == (
        second.payload,
        second.mid,
        True,
        True,
    )
    assert heard.none_within(0.5)
    later.stop()


@pytest.mark.mosquitto
def test_an_acknowledgement_for_an_older_connection_is_not_sent(
    mosquitto: MosquittoServer,
) -> None:
    heard = Heard()
    source = source_for(mosquitto.url)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    publish(mosquitto.url, [b"one"])
    old = heard.next()
    mosquitto.restart()
    wait_until(
        lambda: not source.connected() or heard.arrivals.qsize() > 0, what="the old link is gone"
    )
    again = heard.next()
    assert again.generation > old.generation
    assert source.acknowledge([old]) == 0
    assert source.acknowledge([again]) == 1
    source.stop()


@pytest.mark.mosquitto
def test_messages_published_while_the_worker_is_away_wait_for_it(
    mosquitto: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = source_for(mosquitto.url, protocol=protocol)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    source.stop()
    publish(mosquitto.url, [str(n).encode() for n in range(100)])
    later = source_for(mosquitto.url, protocol=protocol)
    later.start(heard.take)
    assert [heard.next().payload for _ in range(100)] == [str(n).encode() for n in range(100)]
    later.stop()


@pytest.mark.mosquitto
def test_a_message_published_at_qos_0_reaches_the_worker_at_qos_1(
    mosquitto: MosquittoServer,
) -> None:
    heard = Heard()
    source = source_for(mosquitto.url)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    publish(mosquitto.url, [b"zero"], qos=0)
    assert heard.next().qos == 1
    source.stop()


@pytest.mark.mosquitto
def test_no_more_than_receive_maximum_are_in_flight(mosquitto: MosquittoServer) -> None:
    heard = Heard()
    source = source_for(mosquitto.url, protocol="5", receive_maximum=3)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    publish(mosquitto.url, [b"%d" % n for n in range(5)])
    taken = [heard.next() for _ in range(3)]
    assert heard.none_within(0.5)
    source.acknowledge(taken)
    assert [heard.next().payload for _ in range(2)] == [b"3", b"4"]
    source.stop()


def test_a_worker_speaks_tls_with_user_password_and_certificate(
    mosquitto_factory: Callable[[MosquittoOptions], MosquittoServer], protocol: str
) -> None:
    broker = mosquitto_factory(
        MosquittoOptions(tls=True, client_certificates=True, username="worker", password="p@ss:/?")
    )
    made = broker.certificates
    assert made is not None
    heard = Heard()
    source = source_for(
        f"mqtts://worker@{broker.host}:{broker.port}",
        password="p@ss:/?",
        protocol=protocol,
        ca_file=made.ca_file,
        cert_file=made.client_cert_file,
        key_file=made.client_key_file,
    )
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed over TLS", seconds=20)
    source.stop()


def test_a_wrong_password_is_told_and_tried_again(
    mosquitto_factory: Callable[[MosquittoOptions], MosquittoServer],
) -> None:
    broker = mosquitto_factory(MosquittoOptions(username="worker", password="right"))
    source = source_for(f"mqtt://worker:wrong@{broker.host}:{broker.port}")
    source.start(Heard().take)
    wait_until(lambda: "refused" in (source.outage or ""), what="the refusal is told", seconds=20)
    assert not source.connected()
    source.stop()


@pytest.fixture
def scripted_broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker()
    yield broker
    broker.close()


class ScriptedBroker:
    """Accepts MQTT 3.1.1, refuses 5, and sends what a test tells it to, bytes as they are."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.acknowledged: queue.Queue[int] = queue.Queue()
        self._links: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, topic: bytes, payload: bytes, *, mid: int) -> None:
        body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + payload
        assert len(body) < 128
        self._links[-1].sendall(bytes((0x32, len(body))) + body)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            link.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            if self._handshake(link):
                self._links.append(link)
                threading.Thread(target=self._listen, args=(link,), daemon=True).start()

    def _handshake(self, link: socket.socket) -> bool:
        packet = link.recv(1024)
        five = packet[packet.index(b"MQTT") + 4] == 5
        link.sendall(b"\x20\x02\x00\x01" if five else b"\x20\x02\x00\x00")
        if five:
            link.close()
        return not five

    def _listen(self, link: socket.socket) -> None:
        data = b""
        while True:
            try:
                piece = link.recv(1024)
            except OSError:
                return
            if not piece:
                return
            data += piece
            while len(data) >= 2 and len(data) >= 2 + data[1]:
                packet, data = data[: 2 + data[1]], data[2 + data[1] :]
                if packet[0] == 0x82:
                    link.sendall(b"\x90\x03" + packet[2:4] + b"\x01")
                elif packet[0] == 0x40:
                    self.acknowledged.put(struct.unpack("!H", packet[2:4])[0])
                elif packet[0] == 0xC0:
                    link.sendall(b"\xd0\x00")


def test_a_broker_that_refuses_mqtt_5_gets_3_1_1(scripted_broker: ScriptedBroker) -> None:
    source = source_for(scripted_broker.url)
    source.start(Heard().take)
    wait_until(source.subscribed, what="subscribed")
    source.stop()


def test_a_topic_that_is_not_utf_8_is_handed_over_and_the_next_message_too(
    scripted_broker: ScriptedBroker,
) -> None:
    heard = Heard()
    source = source_for(scripted_broker.url)
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed")
    scripted_broker.send(b"passerelle/\xff\xfe/x", b"lost elsewhere", mid=7)
    scripted_broker.send(TOPIC.encode(), b"next", mid=8)
    bad, good = heard.next(), heard.next()
    assert (bad.topic, bad.payload, good.payload) == (
        b"passerelle/\xff\xfe/x",
        b"lost elsewhere",
        b"next",
    )
    source.acknowledge([bad, good])
    assert [scripted_broker.acknowledged.get(timeout=10) for _ in range(2)] == [7, 8]
    source.stop()
