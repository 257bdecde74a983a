from __future__ import annotations

import math

import pytest

from simulators.durations import parse_duration, parse_speed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), (15, 15)],
)
def test_durations_are_read_as_people_write_them(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10 parsecs", "-5s", "m", "1,5h", math.nan, True])
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        parse_duration(text)


def test_speeds_are_read_as_people_write_them() -> None:
    assert parse_speed("60x") == 60
    assert parse_speed("0.5") == 0.5
    assert math.isinf(parse_speed("max"))
    for wrong in ("0x", "-1x", "fast"):
        with pytest.raises(ValueError, match="is not a speed"):
            parse_speed(wrong)
