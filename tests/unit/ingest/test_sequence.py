"""Gaps in message counters: what is missing is what never came."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sequence import MAX_HOLES, MAX_JUMP, TOLERANCE, Stream

HOUR = 3600


def missing(stream: Stream, *numbers: int, modulus: int = 0) -> int:
    return sum(
        change for seq in numbers for _, change in stream.observe(seq, hour=0, modulus=modulus)
    )


def test_numbers_in_order_leave_nothing_missing() -> None:
    assert missing(Stream(), *range(5, 100)) == 0


def test_a_number_that_comes_late_is_taken_back_in_the_hour_where_it_was_missed() -> None:
    stream = Stream()
    assert list(stream.observe(1, hour=0)) == []
    assert list(stream.observe(4, hour=HOUR)) == [(HOUR, 2)]
    assert list(stream.observe(2, hour=5 * HOUR)) == [(HOUR, -1)]
    assert list(stream.observe(2, hour=5 * HOUR)) == [], "received twice, missing once"
    assert list(stream.observe(3, hour=5 * HOUR)) == [(HOUR, -1)]


@given(
    st.sets(st.integers(0, 400), min_size=1, max_size=120).flatmap(
        lambda numbers: st.permutations(sorted(numbers))
    ),
    st.integers(0, 120),
)
def test_in_whatever_order_the_missing_are_those_between_that_never_came(
    numbers: list[int], stored_after: int
) -> None:
    stream = Stream()
    by_hour: Counter[int] = Counter()
    for place, seq in enumerate(numbers):
        if place == stored_after:
            stream = Stream.decode(stream.encode())
        for hour, change in stream.observe(seq, hour=place // 10):
            by_hour[hour] += change
            assert by_hour[hour] >= 0
    assert sum(by_hour.values()) == max(numbers) - min(numbers) + 1 - len(numbers)


@given(st.lists(st.integers(0, 10**15), max_size=600))
def test_wild_numbers_do_not_make_it_grow(numbers: list[int]) -> None:
    stream = Stream()
    missing(stream, *numbers)
    assert len(stream.encode()) < 40 * (MAX_HOLES + 1)


def test_a_jump_too_far_is_a_counter_set_anew() -> None:
    assert missing(Stream(), 1, 2, MAX_JUMP + 4, MAX_JUMP + 5) == 0
    assert missing(Stream(), 1, MAX_JUMP) == MAX_JUMP - 2


def test_a_counter_without_a_boot_that_falls_back_was_set_anew() -> None:
    stream = Stream()
    missing(stream, *range(TOLERANCE + 10))
    assert list(stream.observe(0, hour=0, restarts=True)) == []
    assert missing(stream, 1, 2, 5) == 2


def test_with_a_boot_a_number_from_long_ago_was_received_before() -> None:
    stream = Stream()
    missing(stream, *range(TOLERANCE + 10))
    assert missing(stream, 0) == 0
    assert stream.next == TOLERANCE + 10


@pytest.mark.parametrize("modulus", [256, 65536])
def test_a_counter_that_begins_again_at_nought_misses_nothing(modulus: int) -> None:
    numbers = [number % modulus for number in range(modulus - 5, modulus + 5)]
    assert missing(Stream(), *numbers, modulus=modulus) == 0
    del numbers[5]
    assert missing(Stream(), *numbers, modulus=modulus) == 1
