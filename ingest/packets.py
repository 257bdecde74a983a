"""Reading MQTT in bulk: from the bytes of a connection to arrivals, and the other packets as bytes.

One loop with no call a packet but the construction of its `Arrival`: a PUBLISH at QoS 1 without
properties is read in place, whatever else goes through the careful path. Both versions, 3.1.1 and
5. Whatever the bytes and however they are cut, the result is the same, and the one error
raised is `PacketError`, after which what was read before it can still be taken.
"""

from __future__ import annotations

from ingest.arrival import Arrival
from ingest.packet_error import PacketError, Refusal
from ingest.packet_properties import read_properties

_CONNACK = 0x20
_PUBLISH = 0x30
_FROM_A_BROKER = {0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0}
"""First bytes of what a broker may send, PUBLISH apart (MQTT 3.1.1 tables 2.1, 2.2)."""
_FROM_A_BROKER_5 = _FROM_A_BROKER | {0xE0, 0xF0}
_LENGTH_BYTES = 4
_CONTINUES = 0x80
_SHORTEST = 5
_KNOWN_TOPICS = 16_384
_KNOWN_TOPIC_BYTES = 256
_STEPPED_BACK_NS = 1_000_000_000
_KNOWN_PROPERTIES = 1024
_LONGEST_HEADER = 1 + _LENGTH_BYTES


class PacketScanner:
    """Takes one connection's bytes apart.

    Args:
        five: the connection speaks MQTT 5.
        max_packet_bytes: longest packet that is accepted.
        generation: number of the connection, for the arrivals.
    """

    def __init__(self, *, five: bool, max_packet_bytes: int, generation: int) -> None:
        self._five = five
        self._others_allowed = _FROM_A_BROKER_5 if five else _FROM_A_BROKER
        self._max_packet_bytes = max_packet_bytes
        self._generation = generation
        self._greeted = False
        self._accepted = False
        self._resumed = False
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = 0
        self._offset = 0
        self._arrivals: list[Arrival] = []
        self._others = bytearray()
        self._topics: dict[bytes, bytes] = {}
        self._properties: dict[bytes, tuple[dict[str, str], bool]] = {}
        self._last_ns = 0
        self._error: PacketError | None = None

    @property
    def accepted(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._accepted

    @property
    def unfinished(self) -> bool:
        """Whether the bytes so far end within a packet."""
        return self._held > 0

    def feed(self, chunk: bytes, received_ns: int) -> None:
        """Take the next bytes of the connection; what they complete is there to `take`.

        Args:
            chunk: bytes as they came, any number.
            received_ns: when. Arrivals of one chunk are a nanosecond apart, so that two messages
                of a device that tells no time are two instants.

        Raises:
            PacketError: the connection has to be closed; what came before can be taken.
        """
        if self._error is not None:
            raise self._error
        if self._parts:
            self._parts.append(chunk)
            self._held += len(chunk)
            if self._held < self._wanted:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        else:
            data = chunk
        if self._last_ns - _STEPPED_BACK_NS < received_ns <= self._last_ns:
            received_ns = self._last_ns + 1
        try:
            done = self._scan(data, received_ns)
        except PacketError as error:
            self._error = error
            raise
        self._offset += done
        self._held = len(data) - done
        if self._held:
            self._parts.append(data[done:] if done else data)

    def take(self) -> tuple[list[Arrival], bytes]:
        """Return what was completed since the last call: arrivals, and all other packets as bytes.

        Each is in the order in which it came.
        """
        taken = self._arrivals, bytes(self._others)
        self._arrivals = []
        self._others.clear()
        return taken

    def _scan(self, data: bytes, now: int) -> int:  # noqa: C901, PLR0915 - the hot loop
        """Read the packets of `data`; return where the first incomplete one begins."""
        size = len(data)
        limit = self._max_packet_bytes - _LONGEST_HEADER
        five = self._five
        topics = self._topics
        known_topic = topics.get
        add = self._arrivals.append
        generation, resumed, greeted = self._generation, self._resumed, self._greeted
        at = 0
        try:
            while True:  # IndexError ends it: the header of the next packet is not all there
                head = data[at]
                length = data[at + 1]
                plain = length >= _SHORTEST
                body = at + 2
                if length & 0x80:
                    second = data[body]
                    body += 1
                    plain = 0 < second < 0x80  # noqa: PLR2004 - the continuation bit
                    length += (second << 7) - 0x80
                end = body + length
                if not (plain and greeted and head & 0xF6 == 0x32 and length < limit):  # noqa: PLR2004
                    end = self._unusual(data, at, now)
                    if not end:
                        break
                    at = end
                    now += 1
                    resumed, greeted = self._resumed, self._greeted
                    continue
                if end > size:
                    self._wanted = end - at
                    break
                topic_at = body + 2
                topic_end = topic_at + (data[body] << 8 | data[body + 1])
                payload_at = topic_end + 2
                if payload_at >= end:  # or the payload is empty: seldom
                    at = self._publish(data, at, body, end, now)
                    now += 1
                    continue
                mid = data[topic_end] << 8 | data[topic_end + 1]
                if five:
                    if data[payload_at]:
                        at = self._publish(data, at, body, end, now)
                        now += 1
                        continue
                    payload_at += 1
                topic = known_topic(data[topic_at:topic_end])
                if topic is None or not mid:
                    at = self._publish(data, at, body, end, now)
                    now += 1
                    continue
                add(
                    Arrival(
                        topic,
                        data[payload_at:end],
                        now,
                        mid,
                        1,
                        head & 8 != 0,
                        head & 1 != 0,
                        {},
                        generation,
                        resumed,
                    )
                )
                now += 1
                at = end
        except IndexError:
            self._wanted = size - at + 1
        self._last_ns = now - 1
        return at

    def _unusual(self, data: bytes, at: int, now: int) -> int:
        """Read one packet of any kind; return where it ends, 0 when it is not all there.

        Raises:
            IndexError: its header is not all there.
        """
        head = data[at]
        self._check_head(head, at)
        length, body = self._length(data, at)
        end = body + length
        if end - at > self._max_packet_bytes:
            raise self._wrong(
                f"a packet of {end - at} bytes is longer than the bound of "
                f"{self._max_packet_bytes} (setting mqtt.max_packet_bytes)",
                at,
                Refusal.TOO_LARGE,
            )
        if end > len(data):
            self._wanted = end - at
            return 0
        if head & 0xF0 == _PUBLISH:
            return self._publish(data, at, body, end, now)
        if head == _CONNACK:
            if length < 2:  # noqa: PLR2004 - flags and code
                raise self._wrong("a CONNACK is too short", at)
            self._greeted = True
            self._accepted = data[body + 1] == 0
            self._resumed = data[body] & 1 == 1
        self._others += data[at:end]
        return end

    def _check_head(self, head: int, at: int) -> None:
        if not self._greeted and head not in (_CONNACK, 0xF0):
            raise self._wrong(
                f"the first packet begins with 0x{head:02x} and is no CONNACK",
                at,
                Refusal.PROTOCOL,
            )
        if head & 0xF0 != _PUBLISH:
            if head not in self._others_allowed:
                raise self._wrong(f"a broker sends no packet that begins with 0x{head:02x}", at)
            if head == _CONNACK and self._greeted:
                raise self._wrong("a second CONNACK came", at, Refusal.PROTOCOL)
            return
        qos = head >> 1 & 3
        if qos == 3:  # noqa: PLR2004 - the standard's number
            raise self._wrong("a PUBLISH has QoS 3", at)
        if qos == 2:  # noqa: PLR2004 - the standard's number
            raise self._wrong("a PUBLISH has QoS 2, and QoS 1 was subscribed", at, Refusal.PROTOCOL)
        if not qos and head & 8:
            raise self._wrong("a PUBLISH at QoS 0 says DUP", at)

    def _length(self, data: bytes, at: int) -> tuple[int, int]:
        """Return the remaining length of the packet at `at`, and where the rest begins."""
        length = 0
        for index in range(_LENGTH_BYTES):
            digit = data[at + 1 + index]
            length |= (digit & 0x7F) << 7 * index
            if not digit & _CONTINUES:
                if index and not digit and self._five:
                    raise self._wrong("the length of a packet is longer than it need be", at + 1)
                return length, at + 2 + index
        raise self._wrong("the length of a packet has more than 4 bytes", at + 1)

    def _publish(self, data: bytes, at: int, body: int, end: int, now: int) -> int:
        """Read one whole PUBLISH with care; return where it ends."""
        head = data[at]
        qos = head >> 1 & 3
        topic_at = body + 2
        rest = topic_at
        if topic_at <= end:
            rest = topic_at + (data[body] << 8 | data[body + 1])
        if topic_at > end or rest > end:
            raise self._wrong("the topic of a PUBLISH reaches beyond its packet", body)
        raw_topic, mid = data[topic_at:rest], 0
        if qos:
            if rest + 2 > end:
                raise self._wrong("a PUBLISH ends before its packet identifier", rest)
            mid = data[rest] << 8 | data[rest + 1]
            if not mid:
                raise self._wrong("a PUBLISH at QoS 1 has packet identifier 0", rest)
            rest += 2
        properties: dict[str, str] = {}
        facts_only = False
        if self._five:
            properties, facts_only, rest = self._read_properties(data, rest, end)
        topic = self._topic(raw_topic, topic_at)
        self._arrivals.append(
            Arrival(
                topic,
                data[rest:end],
                now,
                mid,
                qos,
                head & 8 != 0,
                head & 1 != 0,
                properties,
                self._generation,
                self._resumed,
                facts_only,
            )
        )
        return end

    def _read_properties(self, data: bytes, at: int, end: int) -> tuple[dict[str, str], bool, int]:
        """Return what the properties tell, and where the payload begins.

        Devices send the same few blocks of properties again and again: those are known by their
        bytes, the length among them.
        """
        block = b""
        if at < end and data[at] < _CONTINUES:
            block = data[at : min(at + 1 + data[at], end)]
            known = self._properties.get(block)
            if known is not None:
                return known[0].copy(), known[1], at + len(block)
        told = read_properties(data, at, end, self._offset)
        if block:
            if len(self._properties) >= _KNOWN_PROPERTIES:
                self._properties.clear()
            self._properties[block] = told.properties, told.facts_only
        return told.properties.copy(), told.facts_only, told.payload_at

    def _topic(self, topic: bytes, at: int) -> bytes:
        """Check a topic; a known one is kept once in memory.

        A topic that is not UTF-8 is handed over: its message gets a dead letter.
        """
        known = self._topics.get(topic)
        if known is not None:
            return known
        if not topic:
            raise self._wrong("a PUBLISH has no topic", at, Refusal.PROTOCOL)
        if b"+" in topic or b"#" in topic:
            raise self._wrong(
                f"a PUBLISH has a topic with a wildcard, {topic[:100]!r}", at, Refusal.TOPIC_NAME
            )
        if len(topic) <= _KNOWN_TOPIC_BYTES:
            if len(self._topics) >= _KNOWN_TOPICS:
                self._topics.clear()
            self._topics[topic] = topic
        return topic

    def _wrong(self, what: str, at: int, refusal: Refusal = Refusal.MALFORMED) -> PacketError:
        return PacketError(what, at=self._offset + at, refusal=refusal)
