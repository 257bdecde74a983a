"""Brokers that send what is no MQTT: the bulk source closes with a reason, and nothing is lost.

Standard: MQTT 5 section 4.13 (errors, their DISCONNECT), MQTT 3.1.1 section 4.8 (close).
"""

from __future__ import annotations

import contextlib
import itertools
import random
import tracemalloc

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.bulk_source import BulkSource
from tests.servers.waiting import wait_until
from tests.support.bench import TOPIC
from tests.support.bulk_fixtures import VERSIONS, Logged, NewBulk, Scripted
from tests.support.heard import Heard
from tests.support.hostile import Hostile, cases, message
from tests.support.scripted_broker import ScriptedBroker, Speaks, publish_packet

MIB = 1024 * 1024
CASES = [
    pytest.param(speaks, case, id=f"{speaks} {name}")
    for speaks in VERSIONS
    for name, case in cases(speaks).items()
]


def events(logged: Logged, name: str) -> Logged:
    return [one for one in logged if one["event"] == name]


def refuses_and_goes_on(
    source: BulkSource,
    broker: ScriptedBroker,
    case: Hostile,
    logged: Logged,
    speaks: Speaks,
) -> None:
    """Hold a source to what it promises of a broker that `script` was given to."""
    heard = Heard()
    source.start(heard.take)
    (before,) = heard.next()
    assert (before.payload, before.dup) == (b"one", False), "what came before is delivered"
    one = heard.next()[0]
    while one.generation == before.generation:  # what came behind may be, too
        one = heard.next()[0]
    (two,) = heard.next()
    assert [one.payload, one.dup, two.payload, two.dup] == [b"one", True, b"two", True]
    assert source.acknowledge([before]) == 0
    assert source.acknowledge([one, two]) == 2
    assert [broker.acknowledged.get(timeout=20) for _ in range(2)] == [1, 2]
    (told,) = events(logged, "broker_unavailable")
    assert case.words in told["reason"]
    assert "was closed" in told["reason"]
    assert (told["error"], told["log_level"]) == ("malformed_packet", "warning")
    if speaks == "5":
        assert broker.refusals.get(timeout=20) == case.code
        assert told["mqtt_reason"] == f"0x{case.code:02x}"
    assert (broker.connections, broker.ended) == (2, 1)


def script(case: Hostile, speaks: Speaks) -> tuple[bytes, bytes]:
    """Return a good message, the bad packet and one more message in one write; both again."""
    return (
        message(b"one", 1, speaks) + case.sent + message(b"two", 2, speaks),
        message(b"one", 1, speaks, again=True) + message(b"two", 2, speaks, again=True),
    )


@pytest.mark.parametrize(("speaks", "case"), CASES)
def test_a_hostile_packet_closes_the_connection_with_a_reason_and_loses_nothing(
    new_bulk: NewBulk,
    scripted: Scripted,
    logged: Logged,
    speaks: Speaks,
    case: Hostile,
) -> None:
    broker = scripted(speaks, *script(case, speaks))
    refuses_and_goes_on(new_bulk(broker, protocol=speaks), broker, case, logged, speaks)


@pytest.mark.parametrize("name", ["length bomb", "QoS 3", "SUBACK cut"])
def test_over_tls_it_is_the_same(
    new_bulk: NewBulk,
    scripted: Scripted,
    logged: Logged,
    speaks: Speaks,
    name: str,
) -> None:
    case = cases(speaks)[name]
    broker = scripted(speaks, *script(case, speaks), tls=True)
    refuses_and_goes_on(new_bulk(broker, protocol=speaks), broker, case, logged, speaks)


def test_nothing_is_acknowledged_behind_a_disconnect(new_bulk: NewBulk, scripted: Scripted) -> None:
    broker = scripted("5", *script(cases("5")["QoS 3"], "5"))
    broker.listening.clear()  # it takes a while to read the DISCONNECT
    heard = Heard()
    source = new_bulk(broker, protocol="5")
    source.start(heard.take)
    (before,) = heard.next()
    wait_until(lambda: source.outage, what="the connection is given up")
    assert source.acknowledge([before]) == 0
    broker.listening.set()
    again = heard.next(2)
    assert source.acknowledge(again) == 2
    assert [broker.acknowledged.get(timeout=20) for _ in range(2)] == [1, 2]


def test_a_topic_that_is_not_utf_8_closes_nothing_and_its_message_is_handed_over(
    new_bulk: NewBulk, scripted: Scripted, speaks: Speaks
) -> None:
    topics = [b"passerelle/\xff\xfe/x", b"passerelle/\xed\xa0\x80/x", b"passerelle/\x00/x"]
    block = b"\x00" if speaks == "5" else None
    broker = scripted(
        speaks,
        b"".join(
            publish_packet(topic, b"for a person", mid=mid, properties=block)
            for mid, topic in enumerate(topics, start=1)
        )
        + message(b"next", 4, speaks),
    )
    heard = Heard()
    source = new_bulk(broker, protocol=speaks)
    source.start(heard.take)
    taken = heard.next(4)
    assert [one.topic for one in taken] == [*topics, TOPIC.encode()]
    assert source.acknowledge(taken) == 4
    assert [broker.acknowledged.get(timeout=20) for _ in range(4)] == [1, 2, 3, 4]
    assert (broker.connections, source.outage) == (1, None)


def test_wherever_a_broker_stops_in_the_middle_of_a_packet_what_came_before_is_kept(
    new_bulk: NewBulk, scripted: Scripted, logged: Logged, speaks: Speaks
) -> None:
    one, two = message(b"one", 1, speaks), message(b"two" * 50, 2, speaks)
    cuts = range(1, len(two))
    broker = scripted(speaks, *(one + two[:cut] for cut in cuts), one + two, then_ends=True)
    heard = Heard()
    source = new_bulk(broker, protocol=speaks, reconnect_min_s=0.001, reconnect_max_s=0.002)
    source.start(heard.take)
    taken = heard.next(len(cuts) + 2)
    assert [arrival.payload for arrival in taken] == [b"one"] * (len(cuts) + 1) + [b"two" * 50]
    assert source.acknowledge(taken) == 2
    ends = events(logged, "broker_unavailable")
    assert len(ends) == len(cuts)
    for told in ends:
        assert "the broker closed it in the middle of a packet" in told["reason"]


def test_a_broker_that_never_behaves_is_told_of_once_and_asked_ever_more_rarely(
    new_bulk: NewBulk, scripted: Scripted, logged: Logged, speaks: Speaks
) -> None:
    broker = scripted(speaks, *[b"\x36\x00"] * 100)
    least_s = 0.02
    source = new_bulk(broker, protocol=speaks, reconnect_min_s=least_s, reconnect_max_s=60.0)
    source.start(Heard().take)
    wait_until(lambda: broker.connections >= 6, what="it was connected to six times", seconds=30)
    source.stop()
    at_s = broker.connected_s
    waits_s = [later - earlier for earlier, later in itertools.pairwise(at_s)]
    for turn, waited_s in enumerate(waits_s):
        assert waited_s >= least_s / 2 * 2**turn, "half of it is jitter"
    assert len(events(logged, "broker_unavailable")) == 1
    assert not events(logged, "broker_back")


def test_the_broker_is_back_when_a_connection_has_lasted(
    new_bulk: NewBulk, scripted: Scripted, logged: Logged, speaks: Speaks
) -> None:
    broker = scripted(speaks, b"\x36\x00", b"\x36\x00", b"\x36\x00")
    source = new_bulk(broker, protocol=speaks)
    source.start(Heard().take)
    wait_until(lambda: events(logged, "broker_back"), what="the broker is back", seconds=20)
    assert source.outage is None
    assert (broker.connections, len(events(logged, "broker_unavailable"))) == (4, 1)
    assert len(events(logged, "broker_back")) == 1


def test_a_length_bomb_takes_no_more_memory_than_a_packet_may(
    new_bulk: NewBulk, scripted: Scripted, speaks: Speaks
) -> None:
    broker = scripted(speaks, message(b"one", 1, speaks))
    heard = Heard()
    source = new_bulk(broker, protocol=speaks, max_packet_bytes=MIB)
    source.start(heard.take)
    heard.next()
    piece = bytes(MIB)
    greatest_allowed = message(bytes(MIB - 100), 2, speaks)
    tracemalloc.start()
    try:
        broker.send(greatest_allowed)
        broker.send(b"\x32\xff\xff\xff\x7f")
        with contextlib.suppress(OSError):  # it is closed somewhere in between
            for _ in range(256):
                broker.send(piece)
        wait_until(lambda: broker.connections == 2, what="it has connected again", seconds=20)
        _, greatest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(one.payload) for one in heard.next()] == [MIB - 100]
    assert greatest < 4 * MIB, "its pieces, the whole, the payload"


def test_a_broker_is_told_the_longest_packet(new_bulk: NewBulk, scripted: Scripted) -> None:
    broker = scripted("5")
    source = new_bulk(broker, protocol="5", max_packet_bytes=MIB)
    source.start(Heard().take)
    wait_until(source.subscribed, what="subscribed")
    told, _ = Properties(PacketTypes.CONNECT).unpack(broker.greetings[0][12:])  # type: ignore[no-untyped-call]
    assert told.MaximumPacketSize == MIB
    assert not hasattr(told, "TopicAliasMaximum"), "no alias is offered"


def noise(chance: random.Random, good: bytes) -> bytes:
    """Return bytes that are nearly messages, or not at all."""
    made = bytearray(good * chance.randrange(1, 4))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(made))
        match chance.randrange(4):
            case 0:
                made[at] = chance.randrange(256)
            case 1:
                made[at:at] = chance.randbytes(chance.randrange(1, 8))
            case 2:
                del made[at : at + chance.randrange(1, 8)]
                made += good
            case _:
                made[at] ^= 1 << chance.randrange(8)
    return bytes(made) + chance.randbytes(chance.randrange(60))


def test_no_stream_of_bytes_stops_the_source_or_costs_it_a_message(
    new_bulk: NewBulk, scripted: Scripted, speaks: Speaks
) -> None:
    chance = random.Random(4)
    streams = 200
    goods = [message(b"good %d" % n, n + 1, speaks) for n in range(streams)]
    hostile = [case.sent for case in cases(speaks).values()]
    scripts = [
        good + (noise(chance, good) if n % 3 else noise(chance, chance.choice(hostile)))
        for n, good in enumerate(goods)
    ]
    end = message(b"end", 65000, speaks)
    broker = scripted(speaks, *scripts, end, then_ends=True)
    heard = Heard()
    source = new_bulk(broker, protocol=speaks, reconnect_min_s=0.001, reconnect_max_s=0.005)
    source.start(heard.take)
    payloads: list[bytes] = []
    while b"end" not in payloads:
        (last,) = heard.next()
        payloads.append(last.payload)
    assert {b"good %d" % n for n in range(streams)} <= set(payloads)
    assert source.acknowledge([last]) == 1
    assert broker.connections == streams + 1
