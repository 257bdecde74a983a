from __future__ import annotations

import math

from core.clock import NS_PER_S, ManualClock
from simulators.pace import Pace

NOW = 1_795_413_600 * NS_PER_S


def test_an_accelerated_run_ends_at_the_present() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock=clock, speed=60, duration_s=600, start_ns=None)
    assert pace.start_ns == NOW - 590 * NS_PER_S
    assert pace.end_ns == NOW + 10 * NS_PER_S
    clock.advance(10)
    assert pace.now_ns() == pace.end_ns == clock.now_ns()


def test_a_run_at_the_present_speed_begins_now() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock=clock, speed=1, duration_s=None, start_ns=None)
    assert (pace.start_ns, pace.end_ns) == (NOW, None)
    clock.advance(3)
    assert pace.now_ns() == NOW + 3 * NS_PER_S
    assert pace.wait_s(NOW + 5 * NS_PER_S) == 2


def test_simulated_time_never_runs_ahead_of_the_wall_clock() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock=clock, speed=100, duration_s=None, start_ns=None)
    assert pace.start_ns == NOW - round(86_400 * 0.99) * NS_PER_S
    clock.advance(864)
    assert pace.now_ns() == clock.now_ns()
    clock.advance(50)
    assert pace.now_ns() == clock.now_ns()
    assert pace.wait_s(clock.now_ns() + 4 * NS_PER_S) == 4


def test_a_run_as_fast_as_it_goes_waits_for_nothing_in_the_past() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock=clock, speed=math.inf, duration_s=600, start_ns=None)
    assert pace.start_ns == NOW - 600 * NS_PER_S
    assert pace.wait_s(NOW - NS_PER_S) == 0


def test_a_slow_run_begins_now() -> None:
    clock = ManualClock(NOW)
    pace = Pace(clock=clock, speed=0.5, duration_s=10, start_ns=None)
    assert pace.start_ns == NOW
    assert pace.wait_s(NOW + NS_PER_S) == 2
