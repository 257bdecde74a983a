from __future__ import annotations

import pytest

from api.problems import InvalidParameterError
from api.windows import every_text, fitting_every, parse_every, window_bound
from core.clock import NS_PER_S
from storage.ports import Every

DAY_NS = 86_400 * NS_PER_S


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", Every(30, "s")),
        ("1m", Every(1, "min")),
        ("15min", Every(15, "min")),
        ("1h", Every(1, "h")),
        ("1d", Every(1, "d")),
        ("1w", Every(1, "w")),
        ("1mo", Every(1, "mo")),
    ],
)
def test_a_window_length_is_read(text: str, expected: Every) -> None:
    assert parse_every(text) == expected
    assert parse_every(every_text(expected)) == expected


@pytest.mark.parametrize("text", ["", "1", "h", "0h", "1y", "-1h", "1.5h", "1H", "9999w", "1h\n"])
def test_what_is_no_window_length_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        parse_every(text)
    assert raised.value.errors[0].parameter == "every"


@pytest.mark.parametrize(
    ("text", "days", "least", "most"),
    [("1h", 1, 24, 25), ("1d", 30, 30, 31), ("7h", 2, 8, 12), ("1mo", 365, 12, 15)],
)
def test_the_bound_is_never_below_and_hardly_above_the_windows_there_are(
    text: str, days: int, least: int, most: int
) -> None:
    bound = window_bound(parse_every(text), start_ns=0, end_ns=days * DAY_NS)
    assert least <= bound <= most


def test_the_proposed_length_is_the_shortest_that_fits() -> None:
    fitting = fitting_every(start_ns=0, end_ns=30 * DAY_NS, series=10, max_points=10_000)
    assert fitting == "1h"


def test_nothing_is_proposed_when_nothing_fits() -> None:
    assert fitting_every(start_ns=0, end_ns=DAY_NS, series=1000, max_points=10) is None
