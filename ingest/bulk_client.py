"""A paho client whose socket is read and written in bulk, and that never sees a PUBLISH.

paho speaks for everything else: what it receives comes from a buffer that `offer` fills. What it
sends goes out between whole PUBACK blocks, never inside one, and no block goes inside its packets.

Threads: one thread reads and runs paho's loop; any thread may call `send` and `beat`. `_io` guards
the writing half of the socket and its closing, so that nothing is written to a connection that is
gone; over TLS it guards reading too, because OpenSSL does not let two threads use a connection at
once.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from ingest.packet_error import PacketError, Refusal
from ingest.protocol import Protocol

_READ_BYTES = 262_144
_RECORD_BYTES = 16_384
_PINGREQ = b"\xc0\x00"
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BulkClient(mqtt.Client):
    """One session's connection.

    Args:
        client_id: stable name of the session.
        protocol: MQTT version.
        wake: called, by any thread, when there is something to write that waits.
    """

    def __init__(self, *, client_id: str, protocol: Protocol, wake: Callable[[], None]) -> None:
        five = protocol == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            clean_session=None if five else False,
            manual_ack=True,
            reconnect_on_failure=False,  # the bulk source does it
        )
        self._wake = wake
        self._io = threading.Lock()
        self._offered = bytearray()
        self._unsent = bytearray()
        self._midway = False
        # Without this paho would write from whichever thread subscribes, beside the loop's own.
        self.on_socket_register_write = self._paho_wants_to_write

    def reconnect(self) -> MQTTErrorCode:
        """Connect anew; what was not sent to the connection before is forgotten.

        Raises:
            OSError: nothing answers, or TLS fails.
        """
        with self._io:
            self._offered.clear()
            self._unsent.clear()
            self._midway = False
        answer = super().reconnect()
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return answer

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._sock is not None

    @property
    def unsent(self) -> bool:
        """Whether something waits until the socket takes it."""
        return bool(self._unsent) or self.want_write()

    @property
    def readable_at_once(self) -> bool:
        """Whether TLS holds bytes that the socket shows no more."""
        link = self._sock
        return isinstance(link, ssl.SSLSocket) and link.pending() > 0

    def receive(self) -> bytes | None:
        """Return what has come, at most a quarter of a megabyte; nothing new: None; the end: b"".

        Raises:
            OSError: the connection broke.
        """
        link = self.link
        if isinstance(link, ssl.SSLSocket):
            data = self._receive_records(link)
        else:
            try:
                data = link.recv(_READ_BYTES)
            except _WOULD_BLOCK:
                return None
        if data:
            self.heard()
        return data

    def heard(self) -> None:
        """Note that the broker lives: any byte shows it; a time when we did not listen is ours."""
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        self._ping_t = 0.0

    def offer(self, packets: bytes) -> None:
        """Let paho handle whole packets.

        Raises:
            PacketError: it cannot read one; the connection is still open.
        """
        self._offered += packets
        while self._offered and self.open:
            self.loop_read()

    def end(self) -> None:
        """Close the connection, if it is open, as lost."""
        if self.open:
            self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def send(self, packets: bytes) -> bool:
        """Send whole packets, now as far as the socket takes them, the rest by `flush`.

        Returns:
            False when there is no connection.
        """
        with self._io:
            if self._sock is None:
                return False
            self._unsent += packets
            try:
                left = not self._flush()
            except OSError:  # the reading thread sees it too, and tells
                return False
        if left:
            self._wake()
        return True

    def beat(self) -> None:
        """Keep the connection alive while the reading thread is held up."""
        self.send(_PINGREQ)

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it: the reading thread's part."""
        if not self._midway:
            with self._io:
                try:
                    flushed = self._sock is None or self._flush()
                except OSError:
                    return
            if not flushed:
                return
        self.loop_write()
        if self._unsent:
            self.send(b"")

    def _flush(self) -> bool:
        """Send our own bytes; `_io` is held. Return whether all are out."""
        while self._unsent and not self._midway:
            try:
                sent = self.link.send(self._unsent)
            except _WOULD_BLOCK:
                return False
            del self._unsent[:sent]
        return not self._unsent

    def _receive_records(self, link: ssl.SSLSocket) -> bytes | None:
        """Return what the TLS records that have come hold; nothing new: None; the end: b""."""
        parts: list[bytes] = []
        size = 0
        while size < _READ_BYTES:
            try:
                with self._io:
                    part = link.recv(_RECORD_BYTES)
            except _WOULD_BLOCK:
                if not parts:
                    return None
                break
            if not part:  # the end; it is found again when the parts have been dealt with
                break
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    @property
    def link(self) -> socket.socket:
        """The connection.

        Raises:
            ConnectionError: there is none.
        """
        link = self._sock
        if not isinstance(link, socket.socket):
            raise ConnectionError("there is no connection")
        return link

    def _paho_wants_to_write(self, _client: mqtt.Client, _userdata: Any, _link: Any) -> None:
        self._wake()

    def _packet_handle(self) -> MQTTErrorCode:
        head = self._in_packet["command"]
        try:
            answer = super()._packet_handle()
        except Exception as error:  # whatever paho's parsing runs into
            raise _unreadable(head, repr(error), Refusal.MALFORMED) from error
        # A CONNACK that refuses the connection is answered so too, and has been told.
        if answer == MQTTErrorCode.MQTT_ERR_PROTOCOL and head & 0xF0 != mqtt.CONNACK:
            raise _unreadable(head, "it has no place here", Refusal.PROTOCOL)
        return answer

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._offered:
            data = bytes(self._offered[:bufsize])
            del self._offered[:bufsize]
            return data
        raise BlockingIOError

    def _sock_send(self, buf: bytes | bytearray) -> int:
        with self._io:
            if not self._midway and not self._flush():
                raise BlockingIOError
            try:
                sent = self.link.send(buf)
            except _WOULD_BLOCK:
                # TLS may have begun: it wants these very bytes next.
                self._midway = True
                raise BlockingIOError from None
            self._midway = sent < len(buf)
            return sent

    def _sock_close(self) -> None:
        with self._io:
            super()._sock_close()


def _unreadable(head: int, why: str, refusal: Refusal) -> PacketError:
    what = f"paho cannot read a packet that begins with 0x{head:02x}: {why}"
    return PacketError(what, at=None, refusal=refusal)
