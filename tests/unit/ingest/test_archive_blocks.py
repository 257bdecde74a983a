"""The blocks of the raw archive: what goes in comes out, wherever the file ends or is damaged."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import NS_PER_S
from ingest.archive_blocks import (
    Archived,
    ArchiveGap,
    Block,
    BlockHeader,
    Contents,
    Hole,
    Packer,
    columns_of,
    opened_blocks,
    scan,
    segment_head,
)
from ingest.arrival import Arrival
from ingest.ledger import Fate

NOW = 1_790_000_000 * NS_PER_S
HEAD = segment_head(7)
KEPT_FATES = [fate for fate in Fate if fate is not Fate.RECEIVED]

arrivals = st.builds(
    Arrival,
    topic=st.binary(max_size=20),
    payload=st.binary(max_size=200),
    received_ns=st.integers(0, 2**62),
    qos=st.integers(0, 1),
    dup=st.booleans(),
    retain=st.booleans(),
    facts_only=st.booleans(),
    properties=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
messages = st.builds(
    Archived,
    arrival=arrivals,
    site=st.text(max_size=5),
    device=st.text(max_size=5),
    fate=st.sampled_from(KEPT_FATES),
)


def packed(packer: Packer, batch: list[Archived], number: int = 1) -> bytes:
    raw = columns_of(
        [one.arrival for one in batch],
        [one.fate for one in batch],
        [(one.site, one.device) for one in batch],
        [ArchiveGap(1, 2, 3, "the disk was full")] if number % 2 else (),
    )
    received = [one.arrival.received_ns for one in batch]
    return packer.pack(raw, spool=7, number=number, written_ns=NOW, received=received)


def batch_of(number: int, count: int = 2, size: int = 60) -> list[Archived]:
    source = random.Random(number)
    return [
        Archived(
            Arrival(
                topic=b"passerelle/v1/elgazala/thermo-1/telemetry",
                payload=source.randbytes(size),
                received_ns=NOW + number * NS_PER_S + place,
                qos=1,
            ),
            "elgazala",
            "thermo-1",
            Fate.PENDING,
        )
        for place in range(count)
    ]


def read(data: bytes) -> tuple[list[tuple[BlockHeader, Contents]], list[Hole]]:
    found = list(opened_blocks(scan(data)))
    return (
        [one for one in found if not isinstance(one, Hole)],
        [one for one in found if isinstance(one, Hole)],
    )


@given(st.lists(st.lists(messages, min_size=1, max_size=8), max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_goes_in_comes_out(batches: list[list[Archived]]) -> None:
    packer = Packer(level=3)
    data = HEAD + b"".join(packed(packer, batch, number) for number, batch in enumerate(batches, 1))
    blocks, holes = read(data)
    assert not holes
    assert [list(contents.messages) for _, contents in blocks] == batches
    for number, (header, contents) in enumerate(blocks, 1):
        received = [one.arrival.received_ns for one in contents.messages]
        assert (header.number, header.spool, header.written_ns) == (number, 7, NOW)
        assert (header.first_ns, header.last_ns) == (min(received), max(received))
        assert len(contents.gaps) == number % 2


def test_a_file_that_ends_anywhere_gives_its_whole_blocks_and_one_torn_hole() -> None:
    packer = Packer(level=3)
    first = HEAD + packed(packer, batch_of(1), 1)
    last = packed(packer, batch_of(2), 2)
    for cut in range(1, len(last)):
        blocks, holes = read(first + last[:cut])
        assert [header.number for header, _ in blocks] == [1]
        assert holes == [Hole(len(first), cut, torn=True)]


def test_no_changed_byte_of_a_block_gives_a_wrong_message() -> None:
    packer = Packer(level=3)
    first = HEAD + packed(packer, batch_of(1), 1)
    second = packed(packer, batch_of(2), 2)
    whole = [list(contents.messages) for _, contents in read(first + second)[0]]
    for at in range(len(second)):
        changed = bytearray(first + second)
        changed[len(first) + at] ^= 0x40
        blocks, holes = read(bytes(changed))
        assert [list(contents.messages) for _, contents in blocks] == whole[:1]
        assert holes


def test_damage_costs_the_rest_of_its_frame_and_no_more() -> None:
    packer = Packer(level=1)
    blocks = [packed(packer, batch_of(number, 20, 20_000), number) for number in range(1, 12)]
    data = bytearray(HEAD + b"".join(blocks))
    headers = [one.header for one in scan(bytes(data)) if isinstance(one, Block)]
    fresh = [header.number for header in headers if header.fresh]
    assert fresh == [1, 4, 7, 10]
    data[len(HEAD) + len(blocks[0]) + 200] ^= 1
    found, holes = read(bytes(data))
    assert [header.number for header, _ in found] == [1, *range(4, 12)]
    assert not any(hole.torn for hole in holes)


def test_a_batch_of_one_message_is_small_because_the_ones_before_it_are_known() -> None:
    packer = Packer(level=3)
    payload = b'{"seq": %d, "boot": 3, "t": "2026-11-23T13:00:%02dZ", "v": {"air_temperature": 21}}'
    sizes = []
    for number in range(30):
        one = batch_of(number, 1)[0]
        arrival = Arrival(one.arrival.topic, payload % (number, number), NOW + number, qos=1)
        kept = [Archived(arrival, one.site, one.device, one.fate)]
        sizes.append(len(packed(packer, kept, number * 2)))
    assert sizes[-1] < sizes[0] - 100


@pytest.mark.parametrize("data", [b"", b"PSRL", b"x" * 300, HEAD, HEAD[:-1]])
def test_what_is_no_segment_has_no_blocks(data: bytes) -> None:
    assert not read(data)[0]


def test_bytes_that_look_like_a_block_of_another_spool_are_none() -> None:
    one = batch_of(5, 1)[0]
    raw = columns_of([one.arrival], [one.fate], [(one.site, one.device)])
    damaged = random.Random(3).randbytes(500)
    for spool, found in ((7, 1), (8, 0)):
        block = Packer(level=1).pack(raw, spool=spool, number=9, written_ns=NOW, received=[NOW])
        blocks, holes = read(HEAD + damaged + block)
        assert len(blocks) == found
        assert len(holes) == 1
