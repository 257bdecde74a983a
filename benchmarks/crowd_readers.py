"""Many clients of the API in one process, each with a connection of its own.

`python -m benchmarks.crowd_readers --url URL --key KEY --readers 200 --report FILE` has each ask,
take the whole answer, pause, and ask the next thing; it writes how long the answers took.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.workload import SITE

QUESTIONS = (
    f"/v1/latest?site={SITE}",
    f"/v1/readings?site={SITE}&devices=bench-{{:04d}}&from=-1h",
    f"/v1/completeness?site={SITE}&from=-1h&limit=100",
)


class Asked(msgspec.Struct):
    """What the readers saw.

    Attributes:
        ms: time of each answer, milliseconds.
        refused: answers that were not 200.
    """

    ms: list[float] = []
    refused: int = 0


async def _answer(reader: asyncio.StreamReader) -> int:
    """Take a whole answer; return its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0].strip()
    if length:
        await reader.readexactly(int(length))
        return status
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    while (await reader.readline()).strip():  # trailers
        pass
    return status


async def _ask(place: int, *, url: str, key: str, pause_s: float, asked: Asked) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 24)
    await asyncio.sleep(pause_s * (place % 100) / 100)
    for question in cycle(QUESTIONS[place % 3 :] + QUESTIONS[: place % 3]):
        began_s = time.perf_counter()
        writer.write(
            f"GET {question.format(place)} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"X-API-Key: {key}\r\n\r\n".encode()
        )
        status = await _answer(reader)
        asked.refused += status != HTTPStatus.OK
        asked.ms.append((time.perf_counter() - began_s) * 1e3)
        await asyncio.sleep(pause_s)


async def _run(
    *, url: str, key: str, readers: int, pause_s: float, seconds: float
) -> tuple[Asked, list[BaseException]]:
    asked = Asked()
    tasks = [
        asyncio.create_task(_ask(place, url=url, key=key, pause_s=pause_s, asked=asked))
        for place in range(readers)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [one for one in ended if one and not isinstance(one, asyncio.CancelledError)]
    return asked, failed


def main() -> None:
    """Ask, and write what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--report", type=Path, required=True)
    chosen = parser.parse_args()
    gc.disable()
    asked, failed = asyncio.run(
        _run(
            url=chosen.url,
            key=chosen.key,
            readers=chosen.readers,
            pause_s=chosen.pause,
            seconds=chosen.seconds,
        )
    )
    if failed:
        raise failed[0]
    chosen.report.write_bytes(msgspec.json.encode(asked))


if __name__ == "__main__":
    main()
