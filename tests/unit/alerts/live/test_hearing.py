"""What was heard of the workers' streams, and what has to be read from the store instead."""

from __future__ import annotations

from alerts.live.checkpoint import Heard
from alerts.live.hearing import FARTHEST_NS, Hearing, Hole
from core.stream import Frame

LINES = b"environment,device=d,site=s t=1 1"


def hearing(**heard: Heard) -> Hearing:
    return Hearing(heard=heard, holes=(), since={"known": 70}, since_ns=50)


def test_what_is_heard_in_order_leaves_no_hole() -> None:
    tested = hearing(w=Heard(7, 4, 100))
    tested.take("w", Frame(7, 5, 110, LINES), now_s=0)
    tested.take("w", Frame(7, 5, 120), now_s=1)  # an empty frame repeats the number
    tested.take("w", Frame(7, 6, 130, LINES), now_s=2)
    assert tested.holes == []


def test_numbers_that_are_missing_are_a_hole() -> None:
    tested = hearing(w=Heard(7, 4, 100))
    tested.take("w", Frame(7, 7, 130, LINES), now_s=0)
    assert tested.holes == [Hole("w", 100, 130)]


def test_the_loss_of_the_last_one_is_seen_by_an_empty_frame() -> None:
    tested = hearing(w=Heard(7, 4, 100))
    tested.take("w", Frame(7, 5, 140), now_s=0)
    assert tested.holes == [Hole("w", 100, 140)]


def test_a_worker_that_was_started_anew_may_have_committed_what_nobody_heard() -> None:
    tested = hearing(w=Heard(7, 4, 100))
    tested.take("w", Frame(8, 0, 150), now_s=0)
    assert tested.holes == [Hole("w", 100, 150)]


def test_of_a_worker_that_is_new_nothing_was_heard_before() -> None:
    tested = hearing()
    tested.take("w", Frame(8, 3, 150, LINES), now_s=0)
    assert tested.holes == [Hole("w", 50, 150)]


def test_of_a_worker_that_reported_it_is_known_what_the_store_has() -> None:
    tested = hearing()
    tested.take("known", Frame(8, 3, 150, LINES), now_s=0)
    assert tested.holes == [Hole("known", 70, 150)]


def test_a_hole_reaches_no_further_back_than_a_week() -> None:
    tested = hearing()
    tested.take("w", Frame(8, 3, 2 * FARTHEST_NS, LINES), now_s=0)
    assert tested.holes == [Hole("w", FARTHEST_NS, 2 * FARTHEST_NS)]


def test_holes_that_overlap_are_one() -> None:
    tested = hearing(w=Heard(7, 4, 100), v=Heard(1, 1, 100))
    tested.take("w", Frame(7, 7, 130, LINES), now_s=0)
    tested.take("w", Frame(7, 9, 150, LINES), now_s=0)
    tested.take("v", Frame(1, 9, 120, LINES), now_s=0)
    assert sorted(tested.holes, key=lambda one: one.worker) == [
        Hole("v", 100, 120),
        Hole("w", 100, 150),
    ]


def test_a_hole_is_readable_once_the_store_has_all_that_its_worker_committed_until_its_end() -> (
    None
):
    tested = hearing(w=Heard(7, 4, 100))
    tested.take("w", Frame(7, 7, 130, LINES), now_s=0)
    assert tested.readable({"w": 129, "v": 500}) == []
    assert tested.readable({"w": 130}) == [Hole("w", 100, 130)]
    assert tested.holes == []


def test_what_the_store_did_not_have_yet_is_noted_for_every_worker() -> None:
    tested = hearing(w=Heard(7, 4, 100), v=Heard(1, 1, 90))
    tested.miss_all({"w": 80, "v": 95})
    assert tested.holes == [Hole("w", 80, 100)]


def test_it_is_known_for_how_long_who_is_silent() -> None:
    tested = hearing()
    assert tested.silence_s(now_s=5) is None
    tested.take("w", Frame(7, 7, 130, LINES), now_s=10)
    tested.take("v", Frame(7, 7, 130, LINES), now_s=30)
    assert tested.silence_s(now_s=35) == 5
    assert tested.silent(now_s=35, for_s=20) == {"w": 25}
