"""Readers of the live stream in a process of their own: half over HTTP, half over WebSocket.

Each takes everything. Some of them look at every value that comes, and note how long after its
instant it came; the others only take the bytes, as a hundred computers would not share one core.

`python -m benchmarks.live_readers --url URL --key KEY --readers 100 --seconds 20 --report FILE`
writes what they saw; it prints `ready` when all of them were told `hello`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import websockets.asyncio.client as websockets

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE_BYTES = 4 * 1024 * 1024


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


class _Readers:
    def __init__(self, *, url: str, key: str, readers: int, looking: int) -> None:
        self._address = urlsplit(url)
        self._key = key
        self._hello = asyncio.Semaphore(0)
        self._looking = looking
        self.seen = Seen(readers=readers, looking=looking)

    async def run(self, seconds: float) -> None:
        tasks = [
            asyncio.create_task((self._sse if place % 2 else self._socket)(place < self._looking))
            for place in range(self.seen.readers)
        ]
        for _ in tasks:
            await self._hello.acquire()
        print("ready", flush=True)
        began_s = time.process_time()
        await asyncio.sleep(seconds)
        self.seen.cpu_s = time.process_time() - began_s
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, body: bytes, *, looks: bool) -> None:
        self.seen.bytes += len(body)
        if not looks:
            return
        now_ms = time.time_ns() / 1e6
        for point in _decoder.decode(body).points:
            instant = datetime.fromisoformat(point.time)
            self.seen.points += 1
            self.seen.latencies_ms.append(now_ms - (instant - _EPOCH).total_seconds() * 1e3)

    async def _sse(self, looks: bool) -> None:  # noqa: FBT001 - of a task
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
                    self._hello.release()
                self.seen.missed += kind == b"missed"
            elif line.startswith(b"data: ") and kind == b"points":
                self._take(line[6:], looks=looks)

    async def _socket(self, looks: bool) -> None:  # noqa: FBT001 - of a task
        url = f"ws://{self._address.netloc}/v1/live/ws"
        headers = {"X-API-Key": self._key}
        async with websockets.connect(
            url, additional_headers=headers, compression=None, max_size=None
        ) as socket:
            async for text in socket:
                body = text.encode() if isinstance(text, str) else text
                if body.startswith(b'{"type":"points"'):
                    self._take(body, looks=looks)
                else:
                    self._hello.release() if b'"hello"' in body[:20] else None
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

    chosen.report.write_bytes(msgspec.json.encode(asyncio.run(read())))


if __name__ == "__main__":
    main()
