"""A broker that says what no Mosquitto does: it sends the bytes that a test tells it to send."""

from __future__ import annotations

import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from tests.servers.certificates import Certificates

Speaks = Literal["5", "3.1.1"]


def publish_packet(
    topic: bytes, payload: bytes, *, mid: int, head: int = 0x32, properties: bytes | None = None
) -> bytes:
    """Return a PUBLISH at QoS 1 (or what `head` says).

    Args:
        topic: its bytes.
        payload: its bytes.
        mid: packet identifier; not written at QoS 0.
        head: the first byte.
        properties: MQTT 5 properties with their length; None: 3.1.1.
    """
    body = struct.pack("!H", len(topic)) + topic
    if head & 6:
        body += struct.pack("!H", mid)
    return packet(head, body + (properties or b"") + payload)


def packet(head: int, body: bytes) -> bytes:
    """Return a packet with its length."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((head, *digits)) + body


class ScriptedBroker:
    """Accepts one version of MQTT and refuses the other.

    Args:
        speaks: the version.
        scripts: what to send after the subscription of the first connection, of the second, and so
            on; nothing after the last.
        with_connack: send it together with the CONNACK instead.
        then_ends: end each connection behind its script, but for the last.
        certificates: of a broker that speaks TLS.
    """

    def __init__(
        self,
        speaks: Speaks = "3.1.1",
        *,
        scripts: Sequence[bytes] = (),
        with_connack: bool = False,
        then_ends: bool = False,
        certificates: Certificates | None = None,
    ) -> None:
        self._five = speaks == "5"
        self._scripts = list(scripts)
        self._with_connack = with_connack
        self._then_ends = then_ends
        self.ca_file = certificates.ca_file if certificates else None
        self._tls: ssl.SSLContext | None = None
        if certificates is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates.cert_file, certificates.key_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Small, so that a test soon sees what a client does when nothing is read.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        scheme = "mqtts" if self._tls else "mqtt"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.acknowledged: queue.Queue[int] = queue.Queue()
        self.refusals: queue.Queue[int] = queue.Queue()
        """Reason codes of the DISCONNECTs that came; 0 where there was none in it."""
        self.pings: queue.Queue[bytes] = queue.Queue()
        self.listening = threading.Event()
        """Cleared by a test: nothing is read until it is set again."""
        self.listening.set()
        self.connections = 0
        self.ended = 0
        self.connected_s: list[float] = []
        """When each connection came, monotonic seconds."""
        self.greetings: list[bytes] = []
        """The CONNECT of each connection."""
        self._links: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Send bytes by the newest connection."""
        self._links[-1].sendall(data)

    def hang_up(self) -> None:
        """End the newest connection."""
        _hang_up(self._links[-1])

    def close(self) -> None:
        """Close every connection and stop."""
        self.listening.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for link in self._links:
            _hang_up(link)
        for thread in self._threads:
            thread.join()
        for link in self._links:
            link.close()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            if self._tls is not None:
                try:
                    link = self._tls.wrap_socket(link, server_side=True)
                except OSError:
                    link.close()
                    continue
            if self._greet(link):
                self._links.append(link)
                thread = threading.Thread(target=self._listen, args=(link,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _greet(self, link: socket.socket) -> bool:
        connect = _receive(link)
        if not connect:
            link.close()
            return False
        five = connect[connect.index(b"MQTT") + 4] == 5
        if five != self._five:
            link.sendall(b"\x20\x02\x00\x01")
            link.close()
            return False
        resumed = self.connections > 0
        connack = bytes((0x20, 3, resumed, 0, 0)) if five else bytes((0x20, 2, resumed, 0))
        if b"passerelle-probe" not in connect:
            self.connections += 1
            self.connected_s.append(time.monotonic())
            self.greetings.append(connect)
            if self._with_connack and self._scripts:
                connack += self._scripts.pop(0)
        link.sendall(connack)
        return True

    def _listen(self, link: socket.socket) -> None:
        data = bytearray()
        while piece := _receive(link):
            data += piece
            at = 0
            while len(data) >= at + 2 and len(data) >= (end := at + 2 + data[at + 1]):
                one, at = bytes(data[at:end]), end
                _ANSWERS.get(one[0], ScriptedBroker._nothing)(self, link, one)
            del data[:at]
            self.listening.wait()
        self.ended += 1
        _hang_up(link)

    def _nothing(self, link: socket.socket, one: bytes) -> None:
        pass

    def _subscribed(self, link: socket.socket, one: bytes) -> None:
        middle = b"\x00" if self._five else b""
        answer = packet(0x90, one[2:4] + middle + b"\x01")
        scripted = bool(self._scripts) and not self._with_connack
        if scripted:
            answer += self._scripts.pop(0)
        _send(link, answer)
        if scripted and self._scripts and self._then_ends:
            # Half of it: what was sent is still read, and what the client says comes here.
            link.shutdown(socket.SHUT_WR)

    def _acknowledged(self, _link: socket.socket, one: bytes) -> None:
        self.acknowledged.put(struct.unpack("!H", one[2:4])[0])

    def _pinged(self, link: socket.socket, one: bytes) -> None:
        self.pings.put(one)
        _send(link, b"\xd0\x00")

    def _disconnected(self, link: socket.socket, one: bytes) -> None:
        self.refusals.put(one[2] if len(one) > 2 else 0)
        _hang_up(link)


_ANSWERS: dict[int, Callable[[ScriptedBroker, socket.socket, bytes], None]] = {
    0x82: ScriptedBroker._subscribed,
    0x40: ScriptedBroker._acknowledged,
    0xC0: ScriptedBroker._pinged,
    0xE0: ScriptedBroker._disconnected,
}


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(65536)
    except OSError:
        return b""


def _send(link: socket.socket, data: bytes) -> None:
    try:
        link.sendall(data)
    except OSError:
        return


def _hang_up(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
