"""The blocks of the raw archive: one a batch, compressed, each with its own checksums.

A segment is a file of blocks that is only ever appended to. Invariants, each with a test in
`tests/unit/ingest/test_archive_blocks.py`:

1. What is packed is what comes out: topic, payload, time, flags, properties, owner and fate.
2. Header and body have a CRC-32 each: of a file that ends anywhere, every whole block is read and
   the rest is one hole, never a wrong message.
3. Blocks of one frame share a compressor, so that a batch of one message is small too; a frame ends
   after a mebibyte, and a block that begins one is marked. Damage costs the rest of its frame.
4. A block carries the number of its batch and the identity of the spool that commits it. A segment
   begins with that identity, a random number: bytes of a payload that look like a block are none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import zstandard

from ingest.arrival import Arrival
from ingest.ledger import Fate

_SEGMENT_MAGIC = b"PSRLARC1"
_SEGMENT = struct.Struct("<8sQ")
_BLOCK_MAGIC = b"PBLK"
_HEADER = struct.Struct("<4sB3xQQqqqIIII")
_CRC = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
_FRESH = 1
_FRAME_BYTES = 1024 * 1024
_QOS_1, _DUP, _RETAIN, _FACTS_ONLY = 1, 2, 4, 8
_FATES = (
    Fate.PENDING, Fate.STORED, Fate.DUPLICATE, Fate.DEAD_LETTERED, Fate.REDELIVERED,
)  # fmt: skip
_CODES = {fate: code for code, fate in enumerate(_FATES)}  # stored: append only


class Archived(msgspec.Struct, frozen=True):
    """One message as it is kept.

    Attributes:
        arrival: as it was received; packet identifier and connection are not kept.
        site: of the ledger line it was counted in.
        device: likewise.
        fate: what became of it when it was received.
    """

    arrival: Arrival
    site: str
    device: str
    fate: Fate


class ArchiveGap(msgspec.Struct, frozen=True, array_like=True):
    """Messages that were accounted for and are not in the archive.

    Attributes:
        first_ns: when the first was received, nanoseconds since the epoch.
        last_ns: when the last was received.
        messages: how many.
        reason: why they could not be kept.
    """

    first_ns: int
    last_ns: int
    messages: int
    reason: str


class BlockHeader(msgspec.Struct, frozen=True):
    """What stands before a block.

    Attributes:
        fresh: it begins a frame.
        spool: identity of the spool whose transaction commits the batch.
        number: of the batch, counted by that spool.
        written_ns: `committed_ns` of the batch in the spool, nanoseconds since the epoch.
        first_ns: when its first message was received.
        last_ns: when its last message was received.
        messages: how many.
        raw_bytes: size of the body before compression.
        body_bytes: size of the body.
        body_crc: CRC-32 of the body.
    """

    fresh: bool
    spool: int
    number: int
    written_ns: int
    first_ns: int
    last_ns: int
    messages: int
    raw_bytes: int
    body_bytes: int
    body_crc: int


class Block(msgspec.Struct, frozen=True):
    """A whole block of a segment, and where it stands."""

    offset: int
    header: BlockHeader
    body: memoryview

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.offset + HEADER_SIZE + len(self.body)


class Hole(msgspec.Struct, frozen=True):
    """Bytes of a segment that are no block.

    Attributes:
        offset: where they begin.
        size: how many.
        torn: nothing readable follows: the file was being appended to when it ended.
    """

    offset: int
    size: int
    torn: bool


class Contents(msgspec.Struct, frozen=True):
    """What a block holds."""

    messages: tuple[Archived, ...]
    gaps: tuple[ArchiveGap, ...]


class _Columns(msgspec.Struct, array_like=True):
    topics: list[bytes]
    owners: list[tuple[str, str]]
    topic: list[int]
    owner: list[int]
    fate: list[int]
    flags: list[int]
    received: list[int]
    payloads: list[bytes]
    properties: dict[int, dict[str, str]]
    gaps: Sequence[ArchiveGap]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Columns)


def columns_of(
    arrivals: Sequence[Arrival],
    fates: Sequence[Fate],
    owners: Sequence[tuple[str, str]],
    gaps: Sequence[ArchiveGap] = (),
) -> bytes:
    """Return a batch as it is compressed.

    Args:
        arrivals: its messages.
        fates: what became of each.
        owners: site and device of each.
        gaps: what could not be kept before it.
    """
    topics: dict[bytes, int] = {}
    names: dict[tuple[str, str], int] = {}
    return _ENCODER.encode(
        _Columns(
            topic=[topics.setdefault(one.topic, len(topics)) for one in arrivals],
            owner=[names.setdefault(owner, len(names)) for owner in owners],
            topics=list(topics),
            owners=list(names),
            fate=[_CODES[fate] for fate in fates],
            flags=[
                one.qos | one.dup * _DUP | one.retain * _RETAIN | one.facts_only * _FACTS_ONLY
                for one in arrivals
            ],
            received=[one.received_ns for one in arrivals],
            payloads=[one.payload for one in arrivals],
            properties={
                place: one.properties for place, one in enumerate(arrivals) if one.properties
            },
            gaps=gaps,
        )
    )


def contents_of(raw: bytes) -> Contents:
    """Return what `columns_of` was given.

    Raises:
        msgspec.MsgspecError: it is something else.
    """
    kept = _DECODER.decode(raw)
    messages: list[Archived] = []
    columns = zip(
        kept.topic, kept.owner, kept.fate, kept.flags, kept.received, kept.payloads, strict=True
    )
    for place, (topic, owner, fate, flags, received_ns, payload) in enumerate(columns):
        arrival = Arrival(
            topic=kept.topics[topic],
            payload=payload,
            received_ns=received_ns,
            qos=flags & _QOS_1,
            dup=bool(flags & _DUP),
            retain=bool(flags & _RETAIN),
            facts_only=bool(flags & _FACTS_ONLY),
            properties=kept.properties.get(place, {}),
        )
        site, device = kept.owners[owner]
        messages.append(Archived(arrival, site, device, _FATES[fate]))
    return Contents(tuple(messages), tuple(kept.gaps))


class Packer:
    """Makes blocks; each follows the one before, until `begin_anew`.

    Args:
        level: of compression, 1 to 19.
    """

    def __init__(self, *, level: int) -> None:
        self._compressor = zstandard.ZstdCompressor(level=level)
        self._frame: zstandard.ZstdCompressionObj | None = None
        self._in_frame = 0

    def begin_anew(self) -> None:
        """Let the next block begin a frame: what precedes it is another file, or not there."""
        self._frame = None

    def pack(
        self, raw: bytes, *, spool: int, number: int, written_ns: int, received: Sequence[int]
    ) -> bytes:
        """Return the block of a batch.

        Args:
            raw: its messages, as `columns_of` gives them.
            spool: identity of the spool.
            number: of the batch.
            written_ns: `committed_ns` of the batch.
            received: when its messages were received, at least one.
        """
        fresh = self._frame is None or self._in_frame >= _FRAME_BYTES
        if self._frame is None or fresh:
            self._frame = self._compressor.compressobj()
            self._in_frame = 0
        self._in_frame += len(raw)
        body = self._frame.compress(raw)
        body += self._frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        head = _HEADER.pack(
            _BLOCK_MAGIC, _FRESH if fresh else 0, spool, number, written_ns,
            min(received), max(received), len(received), len(raw), len(body), zlib.crc32(body),
        )  # fmt: skip
        return head + _CRC.pack(zlib.crc32(head)) + body


def segment_head(spool: int) -> bytes:
    """Return what a segment begins with.

    Args:
        spool: identity of the spool.
    """
    return _SEGMENT.pack(_SEGMENT_MAGIC, spool)


def scan(data: bytes) -> Iterator[Block | Hole]:
    """Yield the blocks of a segment's bytes, and what lies between them, in order."""
    if len(data) < _SEGMENT.size or not data.startswith(_SEGMENT_MAGIC):
        if data:
            yield Hole(0, len(data), torn=len(data) < _SEGMENT.size)
        return
    _, spool = _SEGMENT.unpack_from(data)
    at = _SEGMENT.size
    while at < len(data):
        block = _block_at(data, at, spool)
        if block is not None:
            yield block
            at = block.end
            continue
        found = data.find(_BLOCK_MAGIC, at + 1)
        while found >= 0 and _block_at(data, found, spool) is None:
            found = data.find(_BLOCK_MAGIC, found + 1)
        end = len(data) if found < 0 else found
        yield Hole(at, end - at, torn=found < 0)
        at = end


def _block_at(data: bytes, at: int, spool: int) -> Block | None:
    """Return the block of a spool that begins at an offset, when it is whole."""
    head = data[at : at + _HEADER.size]
    start = at + HEADER_SIZE
    if len(data) < start or _CRC.unpack_from(data, at + _HEADER.size)[0] != zlib.crc32(head):
        return None
    magic, flags, *numbers = _HEADER.unpack(head)
    header = BlockHeader(bool(flags & _FRESH), *numbers)
    body = memoryview(data)[start : start + header.body_bytes]
    whole = len(body) == header.body_bytes and zlib.crc32(body) == header.body_crc
    return (
        Block(at, header, body)
        if whole and (magic, header.spool) == (_BLOCK_MAGIC, spool)
        else None
    )


def opened_blocks(found: Iterator[Block | Hole]) -> Iterator[tuple[BlockHeader, Contents] | Hole]:
    """Yield what the blocks of a segment hold; a block whose frame is damaged becomes a hole."""
    frame: zstandard.ZstdDecompressionObj | None = None
    for one in found:
        if isinstance(one, Hole):
            frame = None
            yield one
            continue
        if one.header.fresh:
            frame = zstandard.ZstdDecompressor().decompressobj()
        raw = b"" if frame is None else frame.decompress(one.body)
        if len(raw) != one.header.raw_bytes:
            frame = None
            yield Hole(one.offset, one.end - one.offset, torn=False)
            continue
        yield one.header, contents_of(raw)


def blocks_of(path: Path) -> list[Block | Hole]:
    """Return what a segment's file is made of.

    Raises:
        OSError: it cannot be read.
    """
    return list(scan(path.read_bytes()))
