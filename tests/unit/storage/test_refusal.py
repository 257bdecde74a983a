"""The shared check says nothing of what can be stored and one sentence of what cannot."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantities import CATALOGUE
from core.reading import Point
from storage.refusal import EARLIEST_NS, LATEST_NS, refusal, refused, tag_problem

names = st.text(max_size=30)
numbers = st.floats() | st.integers() | st.sampled_from([10**400, True])
points = st.builds(
    Point,
    site=names | st.just("elgazala"),
    device=names | st.just("thermo-1"),
    category=st.sampled_from(["environment", "energy", ""]),
    time_ns=st.integers(-(2**64), 2**64) | st.sampled_from([EARLIEST_NS, LATEST_NS]),
    values=st.dictionaries(
        st.sampled_from(["air_temperature", "voltage", "no_such", "quality"]), numbers, max_size=3
    ),
    quality=st.integers(-5, 2**32),
)


@given(st.lists(points, max_size=20))
def test_the_quick_check_and_the_explanation_agree(batch: list[Point]) -> None:
    explained = {
        index: reason for index, one in enumerate(batch) if (reason := refusal(one)) is not None
    }
    assert {one.index: one.reason for one in refused(batch)} == explained


@given(points)
def test_what_is_not_refused_is_finite_named_and_within_time(one: Point) -> None:
    reason = refusal(one)
    if reason is None:
        assert all(math.isfinite(value) for value in one.values.values())
        assert all(CATALOGUE[name].category == one.category for name in one.values)
        assert EARLIEST_NS <= one.time_ns <= LATEST_NS
        assert f"{one.site}{one.device}".encode()
    else:
        assert 10 < len(reason) < 200
        reason.encode()


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDFFF])
def test_no_control_character_or_half_a_character_is_in_a_name(code: int) -> None:
    assert tag_problem(f"a{chr(code)}b") is not None


def test_every_other_character_may_be_in_a_name() -> None:
    for code in range(0xA0, sys.maxunicode + 1):
        if not 0xD800 <= code <= 0xDFFF:
            assert tag_problem(chr(code)) is None


def test_no_quantity_is_called_as_the_field_of_the_quality() -> None:
    assert "quality" not in CATALOGUE
    assert not {"time", "site", "device", "name"} & set(CATALOGUE)
