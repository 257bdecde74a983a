"""The scanner: what an independent encoder writes is read, however it is cut, and nothing worse."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.arrival import Arrival
from ingest.packet_error import PacketError, Refusal
from ingest.packets import PacketScanner
from tests.support.scripted_broker import packet, publish_packet

TOPIC = b"passerelle/v1/elgazala/thermo-1/telemetry"
BOUND = 64 * 1024
CONNACK = {True: b"\x20\x03\x00\x00\x00", False: b"\x20\x02\x00\x00"}
RESUMED = {True: b"\x20\x03\x01\x00\x00", False: b"\x20\x02\x01\x00"}
OTHERS = {
    True: [b"\xd0\x00", b"\x90\x04\x00\x07\x00\x01", b"\xe0\x02\x8b\x00", b"\x40\x02\x00\x09"],
    False: [b"\xd0\x00", b"\x90\x03\x00\x07\x01", b"\xb0\x02\x00\x07", b"\x40\x02\x00\x09"],
}
Read = tuple[list[Arrival], bytes, str | None]

versions = pytest.mark.parametrize("five", [True, False], ids=["5", "3.1.1"])


def scanner(*, five: bool) -> PacketScanner:
    return PacketScanner(five=five, max_packet_bytes=BOUND, generation=3)


def read(*chunks: bytes, five: bool) -> Read:
    """Feed chunks; return everything that was read, and the error."""
    one = scanner(five=five)
    error = None
    try:
        for chunk in chunks:
            one.feed(chunk, 1000)
    except PacketError as raised:
        error = raised.detail
    arrivals, others = one.take()
    return arrivals, others, error


def refused(data: bytes, *, five: bool) -> PacketError:
    """Return the error for bytes after a CONNACK and a good message, which must be read."""
    good = publish_packet(TOPIC, b"good", mid=1, properties=b"\x00" if five else None)
    one = scanner(five=five)
    with pytest.raises(PacketError) as raised:
        one.feed(CONNACK[five] + good + data, 1000)
    arrivals, others = one.take()
    assert [arrival.payload for arrival in arrivals] == [b"good"]
    assert others == CONNACK[five]
    with pytest.raises(PacketError):
        one.feed(good, 1000)
    assert one.take() == ([], b"")
    assert raised.value.at is not None
    assert raised.value.at >= len(CONNACK[five] + good)
    return raised.value


class Told(msgspec.Struct, frozen=True):
    """A PUBLISH to be written and read again."""

    topic: bytes
    payload: bytes
    mid: int
    qos: int
    dup: bool
    retain: bool
    content_type: str | None
    user: tuple[tuple[str, str], ...]
    identifiers: tuple[int, ...]
    others: bool

    def written(self, *, five: bool) -> bytes:
        head = 0x30 | self.qos << 1 | self.dup << 3 | self.retain
        properties = self._properties() if five else None
        return publish_packet(
            self.topic, self.payload, mid=self.mid, head=head, properties=properties
        )

    def _properties(self) -> bytes:
        made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if self.others:
            made.PayloadFormatIndicator = 1
            made.MessageExpiryInterval = 77
            made.ResponseTopic = "answer"
            made.CorrelationData = b"\xff\x00"
        if self.content_type is not None:
            made.ContentType = self.content_type
        if self.user:
            made.UserProperty = list(self.user)
        written = bytes(made.pack())  # type: ignore[no-untyped-call]
        # paho writes one identifier at most; several follow the standard: byte 11 and a number.
        more = b"".join(b"\x0b" + number(one) for one in self.identifiers)
        body = written[-made_length(written) :] if made_length(written) else b""
        return number(len(body) + len(more)) + body + more

    def expected(self, *, five: bool) -> dict[str, object]:
        kept = {"content-type": self.content_type} if self.content_type else {}
        return {
            "topic": self.topic,
            "payload": self.payload,
            "mid": self.mid if self.qos else 0,
            "qos": self.qos,
            "dup": self.dup,
            "retain": self.retain,
            "properties": kept | dict(self.user) if five else {},
            "facts_only": five and self.identifiers == (2,),
            "generation": 3,
            "resumed": True,
        }


def number(value: int) -> bytes:
    """Write a variable byte integer."""
    return packet(0, bytes(value))[1 : -value or None]


def made_length(written: bytes) -> int:
    """Return the length that stands before written properties."""
    value = 0
    for shift, digit in enumerate(written[:4]):
        value |= (digit & 127) << 7 * shift
        if digit < 128:
            break
    return value


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


@st.composite
def told(draw: st.DrawFn) -> Told:
    qos = draw(st.integers(0, 1))
    return Told(
        topic=draw(
            st.one_of(
                st.sampled_from([TOPIC, b"a", b"\xff\xfe", b"t" * 300]),
                st.binary(min_size=1, max_size=40).filter(lambda t: not set(b"+#") & set(t)),
            )
        ),
        payload=draw(st.binary(max_size=300)) * draw(st.sampled_from([1, 1, 1, 60])),
        mid=draw(st.integers(1, 65535)),
        qos=qos,
        dup=draw(st.booleans()) if qos else False,
        retain=draw(st.booleans()),
        content_type=draw(st.none() | texts),
        user=tuple(draw(st.lists(st.tuples(texts, texts), max_size=3))),
        identifiers=tuple(draw(st.lists(st.integers(1, 20_000), max_size=2) | st.just([2]))),
        others=draw(st.booleans()),
    )


@versions
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_was_written_is_read(five: bool, data: st.DataObject) -> None:  # noqa: FBT001
    packets = data.draw(st.lists(told() | st.sampled_from(OTHERS[five]), max_size=12))
    stream = RESUMED[five] + b"".join(
        one.written(five=five) if isinstance(one, Told) else one for one in packets
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    arrivals, others, error = read(*chunks, five=five)
    assert error is None
    assert others == RESUMED[five] + b"".join(one for one in packets if isinstance(one, bytes))
    expected = [one.expected(five=five) for one in packets if isinstance(one, Told)]
    found = [msgspec.structs.asdict(one) for one in arrivals]
    instants = [one.pop("received_ns") for one in found]
    assert found == expected
    assert instants == sorted(set(instants))


def typical(*, five: bool) -> Iterator[bytes]:
    """Yield packets of every kind that is read on a path of its own."""
    properties = [b"\x00", b"\x02\x01\x01", b"\x02\x0b\x02"] if five else [None]
    yield RESUMED[five]
    for block in properties:
        yield publish_packet(TOPIC, b"x" * 150, mid=515, properties=block)
        yield publish_packet(TOPIC, b"", mid=2, head=0x3B, properties=block)
        yield publish_packet(b"t", b"p", mid=0, head=0x30, properties=block)
    yield from OTHERS[five]
    yield publish_packet(TOPIC, b"y" * 200, mid=3, properties=b"\x00" if five else None)


@versions
def test_every_cut_of_a_stream_gives_the_same(five: bool) -> None:  # noqa: FBT001
    stream = b"".join(typical(five=five))
    whole = read(stream, five=five)
    assert whole[2] is None
    for cut in range(len(stream) + 1):
        assert same(read(stream[:cut], stream[cut:], five=five), whole)
    assert same(read(*(stream[n : n + 1] for n in range(len(stream))), five=five), whole)


def same(one: Read, other: Read) -> bool:
    return [msgspec.structs.replace(a, received_ns=0) for a in one[0]] == [
        msgspec.structs.replace(a, received_ns=0) for a in other[0]
    ] and one[1:] == other[1:]


@versions
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_bytes_raise_anything_else_or_lose_what_came_before(
    five: bool,  # noqa: FBT001
    data: st.DataObject,
) -> None:
    stream = bytearray(b"".join(typical(five=five)))
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, len(stream) - 1))
        how = data.draw(st.sampled_from(["change", "insert", "cut", "remove"]))
        if how == "change":
            stream[position] = data.draw(st.integers(0, 255))
        elif how == "insert":
            stream[position:position] = data.draw(st.binary(max_size=20))
        elif how == "remove":
            del stream[position : position + data.draw(st.integers(1, 5))]
            stream = stream or bytearray(b"\x20")
    cut = data.draw(st.integers(0, len(stream)))
    whole = read(bytes(stream), five=five)
    assert same(read(bytes(stream[:cut]), bytes(stream[cut:]), five=five), whole)
    untouched = first_difference(bytes(stream), b"".join(typical(five=five)))
    intact, _, _ = read(b"".join(typical(five=five))[:untouched], five=five)
    assert same((whole[0][: len(intact)], b"", None), (intact, b"", None))


def first_difference(one: bytes, other: bytes) -> int:
    for position, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return position
    return min(len(one), len(other))


def body(*parts: bytes, topic: bytes = TOPIC) -> bytes:
    return struct.pack("!H", len(topic)) + topic + b"".join(parts)


BOTH = {
    "QoS 3": (b"\x36\x00", Refusal.MALFORMED),
    "QoS 2": (publish_packet(TOPIC, b"", mid=1, head=0x34, properties=b"\x00"), Refusal.PROTOCOL),
    "DUP at QoS 0": (b"\x38\x02\x00\x01", Refusal.MALFORMED),
    "packet identifier 0": (publish_packet(TOPIC, b"\x00abc", mid=0), Refusal.MALFORMED),
    "wildcard": (publish_packet(b"a/+/b", b"\x00abc", mid=9), Refusal.TOPIC_NAME),
    "other wildcard": (publish_packet(b"a/#", b"\x00abc", mid=9), Refusal.TOPIC_NAME),
    "no topic": (publish_packet(b"", b"\x00abcdef", mid=9), Refusal.PROTOCOL),
    "empty": (b"\x32\x00", Refusal.MALFORMED),
    "half a topic length": (b"\x32\x01\x00", Refusal.MALFORMED),
    "topic beyond": (b"\x32\x09\x00\x08abcdefg", Refusal.MALFORMED),
    "long topic beyond": (packet(0x32, b"\xff\xff" + bytes(200)), Refusal.MALFORMED),
    "no identifier": (packet(0x32, body()), Refusal.MALFORMED),
    "half an identifier": (packet(0x32, body(b"\x01")), Refusal.MALFORMED),
    "length of 5 bytes": (b"\x32\x80\x80\x80\x80\x01", Refusal.MALFORMED),
    "length without end": (b"\x32\xff\xff\xff\xff", Refusal.MALFORMED),
    "length bomb": (b"\x32\xff\xff\xff\x7f", Refusal.TOO_LARGE),
    "length bomb of another": (b"\x90\xff\xff\xff\x7f", Refusal.TOO_LARGE),
    "one byte too long": (b"\x32" + number(BOUND - 3), Refusal.TOO_LARGE),
    "type 0": (b"\x00\x00", Refusal.MALFORMED),
    "CONNECT": (b"\x10\x00", Refusal.MALFORMED),
    "SUBSCRIBE": (b"\x82\x00", Refusal.MALFORMED),
    "reserved flags": (b"\xd1\x00", Refusal.MALFORMED),
    "second CONNACK": (b"\x20\x03\x00\x00\x00", Refusal.PROTOCOL),
}


@versions
@pytest.mark.parametrize(("data", "refusal"), BOTH.values(), ids=list(BOTH))
def test_what_is_no_packet_is_refused(five: bool, data: bytes, refusal: Refusal) -> None:  # noqa: FBT001
    assert refused(data, five=five).refusal is refusal


def with_properties(properties: bytes) -> bytes:
    return publish_packet(TOPIC, b"", mid=5, properties=properties)


PROPERTIES = {
    "none where there must be": (packet(0x32, body(b"\x00\x05")), Refusal.MALFORMED),
    "beyond their packet": (with_properties(b"\x7f\x01\x00"), Refusal.MALFORMED),
    "length without end": (with_properties(b"\x80"), Refusal.MALFORMED),
    "length of 5 bytes": (with_properties(b"\x80\x80\x80\x80\x01"), Refusal.MALFORMED),
    "length longer than need be": (with_properties(b"\x80\x00"), Refusal.MALFORMED),
    "unknown": (with_properties(b"\x02\x7e\x00"), Refusal.MALFORMED),
    "of another packet": (with_properties(b"\x03\x21\x00\x05"), Refusal.MALFORMED),
    "topic alias": (with_properties(b"\x03\x23\x00\x01"), Refusal.TOPIC_ALIAS),
    "format twice": (with_properties(b"\x04\x01\x00\x01\x00"), Refusal.PROTOCOL),
    "format 2": (with_properties(b"\x02\x01\x02"), Refusal.MALFORMED),
    "format without value": (with_properties(b"\x01\x01"), Refusal.MALFORMED),
    "half an expiry": (with_properties(b"\x03\x02\x00\x00"), Refusal.MALFORMED),
    "content type cut": (with_properties(b"\x04\x03\x00\x05a"), Refusal.MALFORMED),
    "content type not UTF-8": (with_properties(b"\x04\x03\x00\x01\xff"), Refusal.MALFORMED),
    "content type with 0": (with_properties(b"\x04\x03\x00\x01\x00"), Refusal.MALFORMED),
    "response topic with wildcard": (with_properties(b"\x04\x08\x00\x01#"), Refusal.PROTOCOL),
    "no response topic": (with_properties(b"\x03\x08\x00\x00"), Refusal.PROTOCOL),
    "correlation data cut": (with_properties(b"\x03\x09\x00\x01"), Refusal.MALFORMED),
    "subscription identifier 0": (with_properties(b"\x02\x0b\x00"), Refusal.PROTOCOL),
    "subscription identifier cut": (with_properties(b"\x02\x0b\x80"), Refusal.MALFORMED),
    "user property without value": (with_properties(b"\x04\x26\x00\x01a"), Refusal.MALFORMED),
    "surrogate in a name": (
        with_properties(b"\x08\x26\x00\x03\xed\xa0\x80\x00\x00"),
        Refusal.MALFORMED,
    ),
}


@pytest.mark.parametrize(("data", "refusal"), PROPERTIES.values(), ids=list(PROPERTIES))
def test_properties_that_the_standard_forbids_are_refused(data: bytes, refusal: Refusal) -> None:
    assert refused(data, five=True).refusal is refusal


def test_an_alias_without_a_topic_is_refused_as_an_alias() -> None:
    data = publish_packet(b"", b"", mid=5, properties=b"\x03\x23\x00\x01")
    assert refused(data, five=True).refusal is Refusal.TOPIC_ALIAS


def test_mqtt_3_1_1_has_no_disconnect_from_the_broker() -> None:
    assert refused(b"\xe0\x00", five=False).refusal is Refusal.MALFORMED


def test_a_length_longer_than_need_be_is_refused_by_mqtt_5_and_read_by_3_1_1() -> None:
    padded = b"\x32\x87\x00" + b"\x00\x01t\x00\x05ab"
    assert refused(padded, five=True).refusal is Refusal.MALFORMED
    arrivals, _, error = read(CONNACK[False] + padded, five=False)
    assert ([one.payload for one in arrivals], error) == ([b"ab"], None)


@versions
def test_the_first_packet_must_be_a_connack(five: bool) -> None:  # noqa: FBT001
    arrivals, others, error = read(b"\xd0\x00", five=five)
    assert (arrivals, others) == ([], b"")
    assert "CONNACK" in (error or "")
    assert read(b"\x20\x00", five=five)[2] is not None


@versions
def test_a_refused_connection_is_not_accepted(five: bool) -> None:  # noqa: FBT001
    one = scanner(five=five)
    assert not one.accepted
    one.feed(b"\x20\x03\x00\x87\x00" if five else b"\x20\x02\x00\x05", 1)
    assert not one.accepted


def test_the_error_says_what_and_at_which_byte() -> None:
    error = refused(with_properties(b"\x03\x23\x00\x01"), five=True)
    alias_at = len(CONNACK[True]) + len(with_properties(b"\x00abc")) + 1 + 1 + 2 + len(TOPIC) + 3
    assert error.detail == (
        "the packet uses a topic alias, and none was offered "
        f"(byte {alias_at + 1} of the connection)"
    )


def test_the_longest_packet_allowed_is_read_and_kept_in_pieces_without_copying_it_each_time() -> (
    None
):
    topic = b"t"
    payload = bytes(BOUND - 9)
    one = publish_packet(topic, payload, mid=1)
    assert len(one) == BOUND
    chunks = [CONNACK[False], *(one[n : n + 100] for n in range(0, len(one), 100))]
    arrivals, _, error = read(*chunks, five=False)
    assert error is None
    assert [arrival.payload for arrival in arrivals] == [payload]


def test_instants_follow_each_other_and_a_clock_set_back_is_believed() -> None:
    message = publish_packet(TOPIC, b"x", mid=1)
    one = scanner(five=False)
    one.feed(CONNACK[False], 0)
    second = 1_000_000_000
    one.feed(message * 3, 100 * second)
    one.feed(message * 2, 100 * second)
    one.feed(message, 40 * second)
    instants = [arrival.received_ns for arrival in one.take()[0]]
    assert instants[0] - 100 * second in range(10)
    assert instants[:5] == list(range(instants[0], instants[0] + 5))
    assert instants[5] == 40 * second


def test_properties_of_one_arrival_are_its_own() -> None:
    block = b"\x05\x03\x00\x02ab"
    arrivals, _, error = read(
        CONNACK[True], publish_packet(TOPIC, b"", mid=1, properties=block) * 2, five=True
    )
    assert error is None
    arrivals[0].properties["mine"] = "yes"
    assert arrivals[1].properties == {"content-type": "ab"}
