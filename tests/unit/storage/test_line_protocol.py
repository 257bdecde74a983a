"""Points become lines and points again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantities import CATALOGUE, Quantity
from core.reading import Point
from storage.line_protocol import lines_of, points_of
from storage.refusal import tag_problem

TAGS = st.text(min_size=1, max_size=40).filter(lambda name: tag_problem(name) is None)
POINTS = st.builds(
    Point,
    TAGS,
    TAGS,
    st.sampled_from(["environment", "device_health"]),
    st.integers(-(2**63) + 2, 2**63 - 2),
    st.dictionaries(
        st.sampled_from(["air_temperature", "relative_humidity", "carbon_dioxide"]),
        st.floats(allow_nan=False, allow_infinity=False),
        min_size=1,
    ),
    st.integers(0, 2**31 - 1),
)


@given(st.lists(POINTS, min_size=1, max_size=5))
def test_what_was_written_is_read_back(points: list[Point]) -> None:
    assert points_of(lines_of(points)) == points


@pytest.mark.parametrize("tag", ["a\\,b", "a\\\\ b", "x,site=y", "\\=", "a\\b", "d ,= e", " "])
def test_escapes_are_undone(tag: str) -> None:
    points = [Point(tag, tag[::-1].lstrip("\\") + "x", "environment", 1, {"air_temperature": 1.0})]
    assert points_of(lines_of(points)) == points


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_every_quantity_can_be_a_field(entry: Quantity) -> None:
    point = Point("s", "d", entry.category.value, 1, {entry.name: entry.minimum}, 8)
    assert points_of(lines_of([point, point])) == [point, point]


def test_a_batch_without_points_is_a_batch_without_lines() -> None:
    assert lines_of([]) == b""
    assert points_of(b"") == []


@pytest.mark.parametrize(
    "line",
    [b"", b"nonsense", b"environment,device=d,site=s  1", b"environment,device=d,site=s a=x 1",
     b"environment,site=s,device=d a=1.0 1", b"environment,device=d,site=s a=1.0 1 2", b"\xff",
     b"environment,device=d,site=s a=1_0 1", b"environment,device=d,site=s a=nan 1",
     b"environment,device=d,site=s a=1.0 1_0", b"environment,device=d,site=s a=1i 1",
     b"environment,device=d,site=s a=1.0,quality=-i 1", b"environment,device=d,site=s a=1.0, 1",
     b'environment,device=d,site=s a":1,"b=1.0 1', b"environment,device=d,site=s a=1.0} 1",
     b"environment,device=d,site=s a=1.0,quality=1.5 1", b"environment,device=d,site=s a=[] 1"],
)  # fmt: skip
def test_a_line_that_is_none_is_named(line: bytes) -> None:
    good = lines_of([Point("s", "d", "environment", 1, {"air_temperature": 1.0})])
    with pytest.raises(ValueError, match="line 2"):
        points_of(good + b"\n" + line)


def test_a_device_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="control character"):
        lines_of([Point("s", "two\nlines", "environment", 1, {"air_temperature": 1.0})])
