"""The bulk source: a quarter of a megabyte at a time from the socket, PUBACKs joined into one send.

paho connects, subscribes, keeps the session alive and handles every packet that is not a PUBLISH
(`ingest.bulk_client`); PUBLISH packets are scanned here (`ingest.packets`) and delivered as many at
a time as came.

A broker that sends what is no MQTT, or not what was agreed, is told so (MQTT 5) and the connection
is closed. What came before is delivered; nothing that was not acknowledged is lost, for it comes
again by the next connection. A broker that does so again and again is asked ever more rarely, and
is called back only when a connection has lasted.

Threads: the loop thread owns the connection and its reading. It is held up while `deliver` blocks
because the spool is full: nothing is read then, so the broker is slowed down by TCP and by its
window of messages in flight, and the pulse thread keeps the connection alive. Should the broker
close it all the same, it is made again. `acknowledge` sends from the thread that calls it.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Sequence

import paho.mqtt.client as mqtt

from core.clock import Clock
from core.metrics import Metrics
from core.settings import MqttSettings
from ingest.arrival import Arrival, Deliver
from ingest.bulk_client import BulkClient
from ingest.packet_error import PacketError
from ingest.packets import PacketScanner
from ingest.session import BrokerSession, waits
from ingest.wake import Waker

_TICK_S = 1.0
_GATHER_S = 0.005
_GATHER_BELOW_BYTES = 32_768
_PULSES = 3
_GOODBYE_S = 2.0


class BulkSource(BrokerSession):
    """A worker's session on a broker, read in bulk.

    Args:
        settings: the broker and the session.
        client_id: stable name of the session.
        filters: topic filters of the messages that are counted.
        fact_filters: topic filters of retained facts, subscribed beside a shared subscription.
        clock: gives the time of reception.
        metrics: `source_*`.
    """

    def __init__(
        self,
        *,
        settings: MqttSettings,
        client_id: str,
        filters: Sequence[str],
        fact_filters: Sequence[str],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        super().__init__(
            settings=settings,
            client_id=client_id,
            filters=filters,
            fact_filters=fact_filters,
            clock=clock,
            metrics=metrics,
        )
        self._client: BulkClient | None = None
        self._deliver: Deliver | None = None
        self._waker: Waker | None = None
        self._quarrelling = False
        self._refusal: str | None = None
        self._why: str | None = None
        self._delivering_since_s: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-source", daemon=True)
        self._pulse = threading.Thread(target=self._beat, name="ingest-pulse", daemon=True)

    def start(self, deliver: Deliver) -> None:
        """Connect, now or as soon as the broker answers; deliver what comes, many at a time."""
        self._deliver = deliver
        self._waker = Waker()
        self._thread.start()
        self._pulse.start()

    @property
    def unsent(self) -> bool:
        """Whether something waits until the broker takes it."""
        client = self._client
        return client is not None and client.unsent

    def acknowledge(self, arrivals: Sequence[Arrival]) -> int:
        """Send PUBACKs for the arrivals of the present connection; return how many."""
        with self._lock:
            client = self._client
            if client is None or not self._connected:
                return 0
            generation = self._generation
            mids = [one.mid for one in arrivals if one.qos and one.generation == generation]
            if not mids or not client.send(pubacks(mids)):
                return 0
        self._metrics.acknowledged.inc(len(mids))
        return len(mids)

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what was not acknowledged."""
        self._stopping.set()
        if self._waker is not None:
            self._waker.wake()
        for thread in (self._thread, self._pulse):
            if thread.is_alive():
                thread.join()
        if self._waker is not None:
            self._waker.close()
            self._waker = None

    def _run(self) -> None:
        try:
            protocol = self._choose_protocol()
            if protocol is None or self._waker is None:
                return
            client = BulkClient(client_id=self._client_id, protocol=protocol, wake=self._waker.wake)
            self._prepare(client)
            self._client = client
            self._aim(client)
            self._keep(client)
        finally:
            self._ended.set()
            self._lost()

    def _keep(self, client: BulkClient) -> None:
        """Connect again and again; a connection that lasted makes the next wait short."""
        pauses = waits(self._settings)
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                client.reconnect()
            except OSError as error:
                self._outage.down(f"{self._address} cannot be reached: {error}")
            else:
                self._serve(client)
            if self._lasted(began_s):
                pauses = waits(self._settings)
            self._stopping.wait(next(pauses))

    def _serve(self, client: BulkClient) -> None:
        """Read one connection until it ends."""
        assert self._waker is not None  # noqa: S101 - made by start()
        self._refusal = self._why = None
        try:
            self._waker.watch(client.link)
            self._read(client, self._waker)
            if self._stopping.is_set():
                self._say_goodbye(client, self._waker)
        except PacketError as error:
            self._refuse(client, self._waker, error)
        except OSError as error:
            self._why = str(error)
        finally:
            self._waker.forget()
            client.end()

    def _read(self, client: BulkClient, waker: Waker) -> None:
        scanner = PacketScanner(
            five=client.protocol == mqtt.MQTTv5,
            max_packet_bytes=self._settings.max_packet_bytes,
            generation=self._generation,
        )
        began_s = read_s = time.monotonic()
        size = _GATHER_BELOW_BYTES
        while client.open and not self._stopping.is_set():
            timeout_s = 0.0 if client.readable_at_once else _TICK_S
            readable = waker.wait(timeout_s, writable=client.unsent)
            if readable or client.readable_at_once:
                if size < _GATHER_BELOW_BYTES:
                    self._gather(read_s)
                chunk = client.receive()
                read_s = time.monotonic()
                if chunk is not None:
                    size = len(chunk)
                    if not chunk:
                        inside = " in the middle of a packet" if scanner.unfinished else ""
                        self._why = f"the broker closed it{inside}"
                        return
                    self._take(client, scanner, chunk)
            if client.unsent:
                client.flush()
            client.loop_misc()
            if self._quarrelling and self._lasted(began_s):
                self._quarrelling = False
                self._outage.up()

    def _gather(self, read_s: float) -> None:
        """Let more come when little came a moment ago: it costs less to read it together."""
        left_s = read_s + _GATHER_S - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)

    def _take(self, client: BulkClient, scanner: PacketScanner, chunk: bytes) -> None:
        """Scan bytes and hand on what they complete.

        Raises:
            PacketError: the connection has to be closed; what came before was handed on.
        """
        failure: PacketError | None = None
        try:
            scanner.feed(chunk, self._clock.now_ns())
        except PacketError as error:
            failure = error
        arrivals, others = scanner.take()
        try:
            client.offer(others)
        except PacketError as error:
            failure = error  # of the two it came first: the scanner reads nothing behind its own
        if arrivals and scanner.accepted:
            self._hand_over(client, arrivals)
        if failure is not None:
            raise failure

    def _hand_over(self, client: BulkClient, arrivals: list[Arrival]) -> None:
        assert self._deliver is not None  # noqa: S101 - set before the thread is started
        self._metrics.received.inc(len(arrivals))
        self._delivering_since_s = began_s = time.monotonic()
        self._deliver(arrivals)
        self._delivering_since_s = None
        if time.monotonic() - began_s >= _TICK_S:
            client.heard()

    def _beat(self) -> None:
        """Send PINGREQ while the loop thread is held up in `deliver`."""
        beaten_s = 0.0
        while not self._ended.wait(_TICK_S):
            client, since_s = self._client, self._delivering_since_s
            if client is None or since_s is None:
                continue
            now_s = time.monotonic()
            if now_s - max(since_s, beaten_s) >= client.keepalive / _PULSES:
                client.beat()
                beaten_s = now_s

    def _refuse(self, client: BulkClient, waker: Waker, error: PacketError) -> None:
        """Close the connection, and tell the broker why where MQTT has words for it."""
        self._lost()  # nothing may be sent behind a DISCONNECT, so no more is acknowledged
        self._quarrelling = True
        self._refusal = f"the connection to {self._address} was closed: {error.detail}"
        self._outage.down(
            self._refusal, error=error.code, at_byte=error.at, mqtt_reason=f"0x{error.refusal:02x}"
        )
        if client.protocol != mqtt.MQTTv5:
            return
        # Bytes that nobody reads would make the system reset the connection, and the broker might
        # never see the reason: what it still sends is read and thrown away, for a moment.
        with contextlib.suppress(OSError):
            client.send(bytes((0xE0, 0x02, error.refusal, 0x00)))
            deadline_s = time.monotonic() + _GOODBYE_S
            while (left_s := deadline_s - time.monotonic()) > 0:
                if waker.wait(left_s, writable=False) and client.receive() == b"":
                    return

    def _say_goodbye(self, client: BulkClient, waker: Waker) -> None:
        """Send what waits, then DISCONNECT: as long as the broker takes it."""
        client.disconnect()
        deadline_s = time.monotonic() + _GOODBYE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            client.flush()
            if not client.open:
                return
            waker.wait(min(left_s, _TICK_S), writable=True)

    def _lasted(self, began_s: float) -> bool:
        return time.monotonic() - began_s >= self._settings.reconnect_max_s

    def _welcome(self) -> None:
        if not self._quarrelling:
            super()._welcome()

    def _farewell(self, reason: str) -> str:
        return self._refusal or super()._farewell(self._why or reason)


def pubacks(mids: Sequence[int]) -> bytes:
    """Return the PUBACKs of these packet identifiers, one after the other (both versions)."""
    packed = struct.pack(f"!{len(mids)}H", *mids)
    block = bytearray(b"\x40\x02\0\0" * len(mids))
    block[2::4] = packed[0::2]
    block[3::4] = packed[1::2]
    return bytes(block)
