from __future__ import annotations

from simulators.instants import Instants


def test_an_instant_that_comes_again_is_moved_by_a_nanosecond() -> None:
    instants = Instants()
    assert [instants.apart(at) for at in (5, 10, 5, 5, 10)] == [5, 10, 6, 7, 11]


def test_memory_is_bounded() -> None:
    instants = Instants()
    for at in range(0, 1_000_000, 5):
        instants.apart(at)
    assert instants.apart(0) == 0
    assert instants.apart(999_995) == 999_996
