"""What every source promises: paho and bulk, MQTT 5 and 3.1.1, TCP and TLS, a real Mosquitto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import IngestSettings, MqttSettings
from ingest.arrival import Source
from ingest.bulk_source import BulkSource
from ingest.paho_source import PahoSource
from ingest.source import new_source
from tests.servers.fixtures import MosquittoFactory
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.bench import TOPIC
from tests.support.heard import Heard
from tests.support.publishing import publish
from tests.support.scripted_broker import ScriptedBroker, publish_packet

Kind = Literal["paho", "bulk"]
New = Callable[..., BulkSource | PahoSource]


@pytest.fixture(params=["paho", "bulk"])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["tcp", "tls"])
def broker(request: pytest.FixtureRequest, mosquitto_factory: MosquittoFactory) -> MosquittoServer:
    return mosquitto_factory(MosquittoOptions(tls=request.param == "tls"))


@pytest.fixture
def new(kind: Kind) -> Iterator[New]:
    """Makes sources; those still running at the end of the test are stopped."""
    made: list[BulkSource | PahoSource] = []

    def make(broker: MosquittoServer | str, **settings: object) -> BulkSource | PahoSource:
        values: dict[str, object] = {
            "url": broker if isinstance(broker, str) else broker.url,
            "source": kind,
            "reconnect_min_s": 0.1,
            "reconnect_max_s": 1.0,
        }
        if isinstance(broker, MosquittoServer) and broker.certificates is not None:
            values["ca_file"] = broker.certificates.ca_file
        source = new_source(
            settings=MqttSettings.model_validate(values | settings),
            ingest=IngestSettings.model_validate({}),
            client_id="passerelle-test",
            filters=["passerelle/v1/+/+/telemetry"],
            fact_filters=["facts/#"],
            clock=SystemClock(),
            metrics=Metrics(),
        )
        assert isinstance(source, BulkSource | PahoSource)
        made.append(source)
        return source

    yield make
    for source in made:
        source.stop()


def stopped(source: Source, broker: MosquittoServer) -> None:
    """Stop, and wait until the broker has read all that was sent to it.

    A broker that is given a session anew closes the old connection with what it has not read.
    """
    before = broker.log().count("disconnected")
    source.stop()
    wait_until(lambda: broker.log().count("disconnected") > before, what="the broker has noted it")


def started(source: Source, heard: Heard) -> None:
    source.start(heard.take)
    wait_until(source.subscribed, what="subscribed", seconds=20)


def send(broker: MosquittoServer, payloads: list[bytes], *, qos: int = 1) -> None:
    made = broker.certificates
    publish(broker.url, payloads, qos=qos, ca_file=made.ca_file if made else None)


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = new(broker, protocol=protocol)
    started(source, heard)
    send(broker, [b"one", b"two"])
    first, second = heard.next(2)
    assert [first.payload, second.payload] == [b"one", b"two"]
    assert source.acknowledge([first]) == 1
    stopped(source, broker)

    later = new(broker, protocol=protocol)
    later.start(heard.take)
    (again,) = heard.next()
    assert (again.payload, again.mid, again.dup, again.resumed) == (
        second.payload,
        second.mid,
        True,
        True,
    )
    assert heard.none_within(0.5)


def test_an_arrival_holds_what_was_published(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = new(broker, protocol=protocol)
    before_ns = SystemClock().now_ns()
    started(source, heard)
    payload = bytes(range(256)) * 300
    send(broker, [payload, b"", b"after"])
    large, empty, after = heard.next(3)
    assert (large.topic, large.payload) == (TOPIC.encode(), payload)
    assert (empty.payload, after.payload) == (b"", b"after")
    assert (large.qos, large.dup, large.retain, large.resumed) == (1, False, False, False)
    assert (large.properties, large.facts_only) == ({}, False)
    assert before_ns < large.received_ns < empty.received_ns < after.received_ns
    assert len({large.mid, empty.mid, after.mid}) == 3
    assert source.acknowledge([large, empty, after]) == 3


def test_an_acknowledgement_for_an_older_connection_is_not_sent(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = new(broker, protocol=protocol)
    started(source, heard)
    send(broker, [b"one"])
    (old,) = heard.next()
    broker.restart()
    (again,) = heard.next()
    assert again.generation > old.generation
    assert source.acknowledge([old]) == 0
    assert source.acknowledge([again]) == 1
    assert heard.none_within(0.2)


def test_messages_published_while_the_worker_is_away_wait_for_it(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = new(broker, protocol=protocol)
    started(source, heard)
    source.stop()
    send(broker, [b"%d" % n for n in range(3000)])
    later = new(broker, protocol=protocol)
    later.start(heard.take)
    for n in range(0, 3000, 500):
        taken = heard.next(500)
        assert [one.payload for one in taken] == [b"%d" % m for m in range(n, n + 500)]
        assert later.acknowledge(taken) == 500
    stopped(later, broker)
    last = new(broker, protocol=protocol)
    started(last, heard)
    assert heard.none_within(0.3)


def test_a_message_published_at_qos_0_reaches_the_worker_at_qos_1(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    started(new(broker, protocol=protocol), heard)
    send(broker, [b"zero"], qos=0)
    assert heard.next()[0].qos == 1


def test_what_is_subscribed_can_change_while_connected(
    new: New, broker: MosquittoServer, protocol: str
) -> None:
    heard = Heard()
    source = new(broker, protocol=protocol)
    started(source, heard)
    source.subscribe_to(["other/#"], [])
    wait_until(source.subscribed, what="subscribed anew")
    made = broker.certificates
    ca_file = made.ca_file if made else None
    publish(broker.url, [b"old"], ca_file=ca_file)
    publish(broker.url, [b"new"], topic="other/x", ca_file=ca_file)
    assert [one.payload for one in heard.next()] == [b"new"]


def test_no_more_than_receive_maximum_are_in_flight(new: New, broker: MosquittoServer) -> None:
    heard = Heard()
    source = new(broker, protocol="5", receive_maximum=3)
    started(source, heard)
    send(broker, [b"%d" % n for n in range(5)])
    taken = heard.next(3)
    assert heard.none_within(0.5)
    source.acknowledge(taken)
    assert [one.payload for one in heard.next(2)] == [b"3", b"4"]


def test_content_type_and_user_properties_are_kept(new: New, broker: MosquittoServer) -> None:
    heard = Heard()
    started(new(broker, protocol="5"), heard)
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/cbor"
    properties.UserProperty = [("firmware", "1.2"), ("site", "elgazala")]
    properties.MessageExpiryInterval = 3600
    properties.PayloadFormatIndicator = 0
    properties.ResponseTopic = "answers/here"
    properties.CorrelationData = b"\x00\x01"
    made = broker.certificates
    publish(
        broker.url,
        [b"x", b"y"],
        properties=properties,
        ca_file=made.ca_file if made else None,
    )
    for arrival, payload in zip(heard.next(2), (b"x", b"y"), strict=True):
        assert arrival.payload == payload
        assert arrival.properties == {
            "content-type": "application/cbor",
            "firmware": "1.2",
            "site": "elgazala",
        }


def test_a_message_longer_than_the_broker_was_told_holds_up_nothing(
    new: New, mosquitto: MosquittoServer
) -> None:
    heard = Heard()
    source = new(mosquitto, protocol="5", max_packet_bytes=512 * 1024)
    started(source, heard)
    publish(mosquitto.url, [b"before", bytes(600 * 1024), b"after"])
    taken = heard.next(2)
    assert [one.payload for one in taken] == [b"before", b"after"]
    assert source.acknowledge(taken) == 2
    assert source.outage is None


def test_a_fact_beside_a_shared_subscription_is_marked(
    new: New, mosquitto: MosquittoServer
) -> None:
    heard = Heard()
    started(new(mosquitto, protocol="5", shared_group="workers"), heard)
    publish(mosquitto.url, [b"fact"], topic="facts/x")
    publish(mosquitto.url, [b"message"])
    fact, message = heard.next(2)
    assert (fact.payload, fact.facts_only) == (b"fact", True)
    assert (message.payload, message.facts_only) == (b"message", False)


def test_a_worker_speaks_tls_with_user_password_and_certificate(
    new: New, mosquitto_factory: MosquittoFactory, protocol: str
) -> None:
    broker = mosquitto_factory(
        MosquittoOptions(tls=True, client_certificates=True, username="worker", password="p@ss:/?")
    )
    made = broker.certificates
    assert made is not None
    source = new(
        f"mqtts://worker@{broker.host}:{broker.port}",
        password="p@ss:/?",
        protocol=protocol,
        ca_file=made.ca_file,
        cert_file=made.client_cert_file,
        key_file=made.client_key_file,
    )
    started(source, Heard())


def test_a_wrong_password_is_told_and_tried_again(
    new: New, mosquitto_factory: MosquittoFactory, protocol: str
) -> None:
    broker = mosquitto_factory(MosquittoOptions(username="worker", password="right"))
    source = new(f"mqtt://worker:wrong@{broker.host}:{broker.port}", protocol=protocol)
    source.start(Heard().take)
    wait_until(lambda: "refused" in (source.outage or ""), what="the refusal is told", seconds=20)
    assert not source.connected()


def test_a_broker_that_is_not_there_yet_is_waited_for(new: New, mosquitto: MosquittoServer) -> None:
    mosquitto.stop()
    heard = Heard()
    source = new(mosquitto, protocol="auto")
    source.start(heard.take)
    wait_until(lambda: source.outage is not None, what="the absence is told")
    mosquitto.start()
    wait_until(source.subscribed, what="subscribed", seconds=20)
    assert source.outage is None


def test_stopping_what_never_connected_ends(new: New) -> None:
    source = new("mqtt://127.0.0.1:1")
    source.start(Heard().take)
    source.stop()
    assert not source.connected()


@pytest.fixture
def scripted_broker() -> Iterator[ScriptedBroker]:
    broker = ScriptedBroker("3.1.1")
    yield broker
    broker.close()


def test_a_broker_that_refuses_mqtt_5_gets_3_1_1(new: New, scripted_broker: ScriptedBroker) -> None:
    source = new(scripted_broker.url)
    started(source, Heard())
    source.stop()


def test_a_topic_that_is_not_utf_8_is_handed_over_and_the_next_message_too(
    new: New, scripted_broker: ScriptedBroker
) -> None:
    heard = Heard()
    source = new(scripted_broker.url)
    started(source, heard)
    scripted_broker.send(publish_packet(b"passerelle/\xff\xfe/x", b"lost elsewhere", mid=7))
    scripted_broker.send(publish_packet(TOPIC.encode(), b"next", mid=8))
    bad, good = heard.next(2)
    assert (bad.topic, bad.payload, good.payload) == (
        b"passerelle/\xff\xfe/x",
        b"lost elsewhere",
        b"next",
    )
    source.acknowledge([bad, good])
    assert [scripted_broker.acknowledged.get(timeout=10) for _ in range(2)] == [7, 8]
    source.stop()
