"""Readers of the live stream in a process of their own: half over HTTP, half over WebSocket.

Each takes everything. Some of them look at every value that comes, and note how long after its
instant it came; the others take the bytes as cheaply as can be, since a hundred computers would not
share the two cores of this one: they look for nothing but that something was missed, and answer the
server's pings.

`python -m benchmarks.live_readers --url URL --key KEY --readers 100 --seconds 20 --report FILE`
writes what they saw; it prints `ready` when all of them were told `hello`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop
import websockets.asyncio.client as websockets

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE_BYTES = 4 * 1024 * 1024
_PING, _PONG = b"\x89", b"\x8a\x80\0\0\0\0"
"""A server's short ping begins with it; the answer is masked, with zeros."""


class Seen(msgspec.Struct):
    """What the readers saw.

    Attributes:
        readers: how many there were.
        looking: how many of them looked at every value.
        points: points that those saw.
        latencies_ms: of each, from its instant to the reader.
        missed: how often a reader was told that it missed something.
        bytes: that all of them took.
        cpu_s: CPU that this process used.
    """

    readers: int
    looking: int = 0
    points: int = 0
    latencies_ms: list[float] = []
    missed: int = 0
    bytes: int = 0
    cpu_s: float = 0.0


class _Point(msgspec.Struct):
    time: str


class _Event(msgspec.Struct):
    points: list[_Point] = []


_decoder = msgspec.json.Decoder(_Event)


class _Taker(asyncio.Protocol):
    """A reader that takes bytes.

    Args:
        request: what it asks with.
        readers: who counts them.
    """

    def __init__(self, request: bytes, readers: _Readers) -> None:
        self._request = request
        self._readers = readers
        self._greeted = False
        self._head = b""
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def connection_lost(self, _why: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        seen = self._readers.seen
        seen.bytes += len(data)
        if not self._greeted:
            self._head += data
            if b"hello" in self._head:
                self._greeted = True
                self._readers.hello.release()
        # Each batch comes as one piece; pings and tidings of something missed come by themselves.
        if data.startswith(_PING):
            self._transport.write(_PONG + data[2 : 2 + data[1]])
        elif b"missed" in data[:64]:
            seen.missed += 1


class _Readers:
    def __init__(self, *, url: str, key: str, readers: int, looking: int) -> None:
        self._address = urlsplit(url)
        self._key = key
        self.hello = asyncio.Semaphore(0)
        self._looking = looking
        self.seen = Seen(readers=readers, looking=looking)

    async def run(self, seconds: float) -> None:
        tasks = [asyncio.create_task(self._reader(place)) for place in range(self.seen.readers)]
        for _ in tasks:
            await self.hello.acquire()
        print("ready", flush=True)
        began_s = time.process_time()
        await asyncio.sleep(seconds)
        self.seen.cpu_s = time.process_time() - began_s
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reader(self, place: int) -> None:
        if place < self._looking:
            await (self._sse() if place % 2 else self._socket())
        else:
            await self._taker(b"/v1/live" if place % 2 else b"/v1/live/ws")

    async def _taker(self, path: bytes) -> None:
        asked = b"GET %b HTTP/1.1\r\nHost: %b\r\nX-API-Key: %b\r\n" % (
            path, self._address.netloc.encode(), self._key.encode(),
        )  # fmt: skip
        if path.endswith(b"/ws"):
            asked += (
                b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: " + base64.b64encode(secrets.token_bytes(16)) + b"\r\n"
            )
        transport, taker = await asyncio.get_running_loop().create_connection(
            lambda: _Taker(asked + b"\r\n", self),
            str(self._address.hostname),
            self._address.port or 80,
        )
        try:
            await taker.gone
        finally:
            transport.close()

    def _take(self, body: bytes) -> None:
        self.seen.bytes += len(body)
        now_ms = time.time_ns() / 1e6
        for point in _decoder.decode(body).points:
            instant = datetime.fromisoformat(point.time)
            self.seen.points += 1
            self.seen.latencies_ms.append(now_ms - (instant - _EPOCH).total_seconds() * 1e3)

    async def _sse(self) -> None:
        reader, writer = await asyncio.open_connection(
            self._address.hostname, self._address.port, limit=_LINE_BYTES
        )
        writer.write(
            f"GET /v1/live HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
            f"X-API-Key: {self._key}\r\n\r\n".encode()
        )
        kind = b""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                kind = line[7:].strip()
                if kind == b"hello":
                    self.hello.release()
                self.seen.missed += kind == b"missed"
            elif line.startswith(b"data: ") and kind == b"points":
                self._take(line[6:])

    async def _socket(self) -> None:
        url = f"ws://{self._address.netloc}/v1/live/ws"
        headers = {"X-API-Key": self._key}
        async with websockets.connect(
            url, additional_headers=headers, compression=None, max_size=None
        ) as socket:
            async for text in socket:
                body = text.encode() if isinstance(text, str) else text
                if body.startswith(b'{"type":"points"'):
                    self._take(body)
                else:
                    self.hello.release() if b'"hello"' in body[:20] else None
                    self.seen.missed += body.startswith(b'{"type":"missed"')


def main() -> None:
    """Read, and write what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--looking", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--report", type=Path, required=True)
    chosen = parser.parse_args()

    gc.disable()  # a pause of this process is not a delay of the platform's

    async def read() -> Seen:
        readers = _Readers(
            url=chosen.url, key=chosen.key, readers=chosen.readers, looking=chosen.looking
        )
        await readers.run(chosen.seconds)
        return readers.seen

    chosen.report.write_bytes(msgspec.json.encode(uvloop.run(read())))


if __name__ == "__main__":
    main()
