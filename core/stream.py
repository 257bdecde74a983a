"""The live stream: what a worker tells of each batch that is safe, over MQTT, to whoever looks on.

One message (a *frame*) a batch on `passerelle/v1/stream/WORKER`, QoS 0, not retained: a fixed head
and the batch's line protocol. Nothing is told that could still be lost; what is told may be lost on
the way, and frames are numbered so that a listener sees it. An empty frame repeats the last number,
so that the loss of the newest one is seen too. Nobody relies on the stream: the store has it all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from core.errors import PasserelleError

TOPIC = "passerelle/v1/stream"
"""What frames' topics begin with; the worker's name follows."""
MOST_BYTES = 256 * 1024
"""Line protocol in one frame, at most, bytes (a single line may be longer)."""
_MAGIC = b"PSL1"
_HEAD = struct.Struct("<4sQQq")


class FrameError(PasserelleError):
    """Bytes that are no frame."""

    code = "bad_frame"


class Frame(msgspec.Struct, frozen=True):
    """What a worker tells.

    Attributes:
        stream: drawn anew by each start of a worker, so that numbers are never taken for others.
        number: 1, 2, 3...; that of the last one again in an empty frame (0: none yet).
        told_ns: when it was committed, or (empty) when it was told: nanoseconds since the epoch.
        lines: line protocol, a line a point, joined by line feeds.
    """

    stream: int
    number: int
    told_ns: int
    lines: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return a frame as it travels."""
    return _HEAD.pack(_MAGIC, frame.stream, frame.number, frame.told_ns) + frame.lines


def decode(payload: bytes) -> Frame:
    """Return the frame that `encode` was given.

    Raises:
        FrameError: it is none.
    """
    if len(payload) < _HEAD.size or not payload.startswith(_MAGIC):
        raise FrameError(f"{payload[:8]!r}... is no frame of the live stream")
    _, stream, number, told_ns = _HEAD.unpack_from(payload)
    if told_ns < 0:
        raise FrameError(f"a frame of the live stream was told at {told_ns}, which is no time")
    return Frame(stream, number, told_ns, payload[_HEAD.size :])


def parts(lines: bytes, *, most_bytes: int = MOST_BYTES) -> Iterator[bytes]:
    """Yield line protocol in parts of whole lines that a frame may hold."""
    start = 0
    while len(lines) - start > most_bytes:
        end = lines.rfind(b"\n", start, start + most_bytes)
        if end < 0:
            end = lines.find(b"\n", start)
        if end < 0:
            break
        yield lines[start:end]
        start = end + 1
    if start < len(lines):
        yield lines[start:]
