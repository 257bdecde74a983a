"""How long a thread may hold the interpreter."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from core.turns import SWITCH_S, take_short_turns


@pytest.fixture
def usual() -> Iterator[float]:
    """Return how long a turn was before, and have it so again afterwards."""
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_threads_hand_the_interpreter_over_sooner_than_python_has_them(usual: float) -> None:
    take_short_turns()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert usual > SWITCH_S
