"""When a sink is tried again."""

from __future__ import annotations

from core.clock import NS_PER_S, ManualClock
from core.sinks import CircuitState
from ingest.circuit import FIRST_WAIT_S, LONGEST_WAIT_S, Circuit


def greatest(_low: float, high: float) -> float:
    return high


def state(circuit: Circuit) -> CircuitState:
    return circuit.reading.state


def test_it_opens_tries_and_closes() -> None:
    clock = ManualClock(1_000 * NS_PER_S)
    circuit = Circuit(clock=clock)
    circuit.trying()
    assert state(circuit) is CircuitState.CLOSED
    clock.advance(1)
    circuit.failed("no route to host")
    opened = circuit.reading
    assert (opened.state, opened.reason) == (CircuitState.OPEN, "no route to host")
    clock.advance(1)
    circuit.trying()
    assert state(circuit) is CircuitState.HALF_OPEN
    circuit.failed("connection refused")
    assert (circuit.reading.reason, circuit.reading.since_ns) == (
        "connection refused",
        opened.since_ns,
    )
    clock.advance(1)
    circuit.worked()
    closed = circuit.reading
    assert (closed.state, closed.reason) == (CircuitState.CLOSED, "")
    assert closed.since_ns == opened.since_ns + 2 * NS_PER_S
    clock.advance(1)
    circuit.worked()
    assert circuit.reading == closed


def test_the_waits_grow_twofold_up_to_a_bound_and_begin_anew() -> None:
    circuit = Circuit(clock=ManualClock(0), draw=greatest)
    waits = [circuit.failed("away") for _ in range(10)]
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == LONGEST_WAIT_S
    circuit.worked()
    assert circuit.failed("away") == FIRST_WAIT_S


def test_the_whole_wait_is_drawn() -> None:
    bounds: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        bounds.append((low, high))
        return low

    assert Circuit(clock=ManualClock(0), draw=draw).failed("away") == 0.0
    assert bounds == [(0.0, FIRST_WAIT_S)]


def test_what_the_sink_asks_for_is_the_least() -> None:
    circuit = Circuit(clock=ManualClock(0))
    assert circuit.failed("busy", after_s=300.0) == 300.0
