from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import decode_cursor, encode_cursor
from api.problems import InvalidParameterError


class Place(msgspec.Struct, frozen=True):
    name: str
    number: int


QUERY = ("things", "a", None)


@given(
    name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100),
    number=st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_gives_back_the_position_it_was_made_of(name: str, number: int) -> None:
    text = encode_cursor(Place(name, number), query=QUERY)
    assert decode_cursor(text, Place, query=QUERY) == Place(name, number)


def test_a_cursor_of_another_query_is_refused() -> None:
    text = encode_cursor(Place("x", 1), query=QUERY)
    with pytest.raises(InvalidParameterError, match="other parameters"):
        decode_cursor(text, Place, query=("things", "b", None))


@given(text=st.text(max_size=200))
def test_nonsense_is_refused_and_never_fails(text: str) -> None:
    with pytest.raises(InvalidParameterError, match="cursor"):
        decode_cursor(text, Place, query=QUERY)


def test_a_cursor_with_nul_is_refused() -> None:
    text = encode_cursor((("a", {"b": "c\0"}),), query=QUERY)
    with pytest.raises(InvalidParameterError, match="impossible"):
        decode_cursor(text, tuple, query=QUERY)


def test_a_cursor_of_another_kind_or_length_is_refused() -> None:
    for text in (encode_cursor(("x",), query=QUERY), "A" * 100_000):
        with pytest.raises(InvalidParameterError):
            decode_cursor(text, Place, query=QUERY)
