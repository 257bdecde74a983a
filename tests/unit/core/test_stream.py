from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stream import Frame, FrameError, decode, encode, parts

frames = st.builds(
    Frame,
    stream=st.integers(0, 2**64 - 1),
    number=st.integers(0, 2**64 - 1),
    told_ns=st.integers(0, 2**63 - 1),
    lines=st.binary(),
)


@given(frames)
def test_a_frame_is_what_it_was(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary())
def test_what_is_no_frame_is_refused(payload: bytes) -> None:
    if payload.startswith(b"PSL1") and len(payload) >= 28:
        return
    with pytest.raises(FrameError, match="is no frame"):
        decode(payload)


def test_a_frame_of_no_time_is_refused() -> None:
    with pytest.raises(FrameError, match="no time"):
        decode(encode(Frame(1, 1, -1, b"")))


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line)), st.integers(1, 40))
def test_parts_are_whole_lines_within_the_bound(lines: list[bytes], most: int) -> None:
    found = list(parts(b"\n".join(lines), most_bytes=most))
    assert b"\n".join(found) == b"\n".join(lines)
    for part in found:
        assert len(part) <= most or b"\n" not in part
