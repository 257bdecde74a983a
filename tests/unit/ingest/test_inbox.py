"""The queue between source and accept: bounded in messages and bytes, in order, never dropping."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from ingest.arrival import Arrival
from ingest.inbox import Inbox
from tests.servers.waiting import wait_until


def arrivals(*sizes: int, first: int = 0) -> list[Arrival]:
    return [
        Arrival(topic=b"t", payload=bytes(size), received_ns=first + place, mid=1, qos=1)
        for place, size in enumerate(sizes)
    ]


def inbox(*, max_messages: int = 1000, max_bytes: int = 1 << 20) -> Inbox:
    return Inbox(max_messages=max_messages, max_bytes=max_bytes, clock=SystemClock())


def take(box: Inbox, *, limit: int = 1000, limit_bytes: int = 1 << 20) -> list[int]:
    taken = box.take(limit=limit, limit_bytes=limit_bytes, first_s=0.0, fill_s=0.0)
    return [one.received_ns for one in taken]


@pytest.fixture(params=["messages", "bytes"])
def full(request: pytest.FixtureRequest) -> Iterator[Inbox]:
    """An inbox that is full by the one bound or by the other."""
    box = inbox(max_messages=2) if request.param == "messages" else inbox(max_bytes=200)
    box.put(arrivals(100, 100))
    yield box
    box.close()


def test_who_puts_into_a_full_one_waits_until_there_is_room(full: Inbox) -> None:
    told: list[bool] = []
    putter = threading.Thread(target=lambda: told.append(full.put(arrivals(1, first=2))))
    putter.start()
    assert take(full, limit=1) == [0]
    putter.join(timeout=5)
    assert told == [True]
    assert take(full) == [1, 2]


def test_who_waits_when_it_is_closed_is_told_that_nothing_was_taken(full: Inbox) -> None:
    told: list[bool] = []
    putter = threading.Thread(target=lambda: told.append(full.put(arrivals(1, first=2))))
    putter.start()
    full.close()
    putter.join(timeout=5)
    assert told == [False]
    assert take(full) == [0, 1]


def test_one_delivery_may_be_larger_than_the_inbox() -> None:
    box = inbox(max_messages=2, max_bytes=10)
    assert box.put(arrivals(100, 100, 100))
    assert take(box) == [0, 1, 2]


def test_a_batch_ends_with_the_delivery_that_reaches_its_size() -> None:
    box = inbox()
    for place in range(5):
        box.put(arrivals(100, first=place))
    assert take(box, limit_bytes=250) == [0, 1, 2]
    assert take(box, limit_bytes=250) == [3, 4]


def test_a_delivery_is_parted_where_the_batch_is_full() -> None:
    box = inbox(max_bytes=100)
    box.put(arrivals(40, 40, 40))
    assert take(box, limit=2) == [0, 1]
    assert box.put(arrivals(1, first=3))  # 40 bytes wait: there is room
    assert take(box) == [2, 3]


def test_what_was_taken_is_unfinished_until_it_is_done() -> None:
    box = inbox()
    box.put(arrivals(1, 1))
    take(box)
    assert (box.messages, box.unfinished) == (0, 2)
    box.done(2)
    wait_until(lambda: box.unfinished == 0, seconds=1, what="done")


def test_who_takes_gets_all_that_came_within_the_time_to_fill() -> None:
    box = inbox()
    taken: list[list[Arrival]] = []
    taker = threading.Thread(
        target=lambda: taken.append(
            box.take(limit=1000, limit_bytes=1 << 20, first_s=5.0, fill_s=0.3)
        )
    )
    taker.start()
    for place in range(5):
        box.put(arrivals(1, first=place))
    taker.join(timeout=5)
    assert [[one.received_ns for one in some] for some in taken] == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("enough", ["messages", "bytes", "full", "closed"])
def test_who_takes_does_not_wait_longer_once_there_is_enough(enough: str) -> None:
    box = inbox(max_messages=3) if enough == "full" else inbox()
    limit = 3 if enough == "messages" else 1000
    limit_bytes = 300 if enough == "bytes" else 1 << 20
    taken: list[list[Arrival]] = []
    taker = threading.Thread(
        target=lambda: taken.append(
            box.take(limit=limit, limit_bytes=limit_bytes, first_s=60.0, fill_s=60.0)
        )
    )
    taker.start()
    for place in range(3):
        box.put(arrivals(100, first=place))
    if enough == "closed":
        box.close()
    taker.join(timeout=10)
    assert [[one.received_ns for one in some] for some in taken] == [[0, 1, 2]]


@given(
    deliveries=st.lists(st.lists(st.integers(0, 500), min_size=1, max_size=20), max_size=20),
    limit=st.integers(1, 15),
    limit_bytes=st.integers(1, 2000),
)
def test_everything_comes_out_once_and_in_order(
    deliveries: list[list[int]], limit: int, limit_bytes: int
) -> None:
    box = inbox()
    count = 0
    for sizes in deliveries:
        box.put(arrivals(*sizes, first=count))
        count += len(sizes)
    found: list[int] = []
    while batch := take(box, limit=limit, limit_bytes=limit_bytes):
        assert len(batch) <= limit
        found += batch
    assert found == list(range(count))
    assert box.messages == 0
