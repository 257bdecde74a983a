"""What is kept of stored lines: the newest of each series, and every hour that they touch."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.clock import NS_PER_HOUR, NS_PER_S
from core.quantities import CATALOGUE
from core.reading import Point
from ingest.kept import kept_of
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import STORE_SINK, Spool
from ingest.spooled import SpooledMessage, pack
from storage.line_protocol import lines_of, points_of

NAMES = sorted(CATALOGUE)
_ACCOUNT = Account("elgazala", "d", 1_790_000_000 // 3600 * 3600)
_TIMES = st.one_of(
    st.integers(0, 5).map(lambda i: 1_763_900_000 * NS_PER_S + i * 400 * NS_PER_S),
    st.integers(-2, 30).map(lambda i: i * 10**11),
    st.integers(10**18 - 3, 10**18 + 3),
)


@st.composite
def points(draw: st.DrawFn) -> Point:
    """Draw a point of one of two devices, with quantities of one category."""
    category = draw(st.sampled_from(["environment", "air_quality", "energy"]))
    names = [name for name in NAMES if CATALOGUE[name].category == category]
    return Point(
        "elgazala",
        draw(st.sampled_from(["d-1", "d e,v=2"])),
        category,
        draw(_TIMES),
        draw(
            st.dictionaries(
                st.sampled_from(names),
                st.floats(allow_nan=False, allow_infinity=False),
                min_size=1,
                max_size=4,
            )
        ),
        draw(st.sampled_from([0, 0, 4])),
    )


@given(st.lists(points(), max_size=40), st.integers(1, 5))
def test_the_newest_value_of_every_quantity_is_kept(given: list[Point], batches: int) -> None:
    bodies = [lines_of(given[start::batches]) for start in range(batches)]
    stored = [point for start in range(batches) for point in given[start::batches]]
    expected: dict[tuple[str, str], tuple[int, float]] = {}
    for point in stored:
        for name, value in point.values.items():
            key = (point.device, name)
            if key not in expected or point.time_ns >= expected[key][0]:
                expected[key] = (point.time_ns, value)
    kept = kept_of(bodies)
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for point in points_of(b"\n".join(line for _, line in kept.series.values())):
        for name, value in point.values.items():
            key = (point.device, name)
            if key not in found or point.time_ns > found[key][0]:
                found[key] = (point.time_ns, value)
    same_instant = {key for key in expected if expected[key][0] == found[key][0]}
    assert same_instant == set(expected) == set(found)


_TURN_NS = 1_795_957_200 * 10**9


@given(st.lists(points(), max_size=40))
@example([Point("elgazala", "d", "environment", _TURN_NS, {"air_temperature": 1.0})])
@example(
    [
        Point("elgazala", "d", "environment", _TURN_NS + at_ns, {"air_temperature": 1.0})
        for at_ns in (-1, 0, 1)
    ]
)
def test_every_hour_with_a_value_is_marked_and_no_other(given: list[Point]) -> None:
    kept = kept_of([lines_of(given)])
    hours = {point.time_ns // NS_PER_HOUR * 3600 for point in given}
    marked = {hour for _, hour in kept.hours}
    assert marked == hours


def test_names_that_differ_in_digits_alone_are_told_apart() -> None:
    one = Point("elgazala", "d", "air_quality", 2 * 10**18, {"particulate_matter_1": 1.0}, 0)
    ten = Point("elgazala", "d", "air_quality", 2 * 10**18, {"particulate_matter_10": 2.0}, 0)
    lines = kept_of([lines_of([one, ten])]).series
    assert {tuple(point.values) for _, line in lines.values() for point in points_of(line)} == {
        ("particulate_matter_1",),
        ("particulate_matter_10",),
    }


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(path=tmp_path / "spool.db")


def test_what_changed_while_it_was_told_is_told_again(spool: Spool) -> None:
    first = Point("elgazala", "d", "environment", 2 * 10**18, {"air_temperature": 1.0}, 0)
    newer = Point("elgazala", "d", "environment", 2 * 10**18 + 1, {"air_temperature": 2.0}, 0)
    _store(spool, first)
    reading = spool.kept(limit=10)
    assert reading is not None
    _store(spool, newer)
    spool.told_kept(reading)
    left = spool.kept(limit=10)
    assert left is not None
    assert [point.values for point in points_of(b"\n".join(left.lines))] == [newer.values]
    assert left.hours
    spool.told_kept(left)
    assert spool.kept(limit=10) is None


def test_it_survives_a_restart_with_the_cursor(tmp_path: Path) -> None:
    spool = Spool(path=tmp_path / "spool.db")
    _store(spool, Point("elgazala", "d", "environment", 2 * 10**18, {"air_temperature": 1.0}, 0))
    spool.close()
    again = Spool(path=tmp_path / "spool.db")
    kept = again.kept(limit=10)
    assert kept is not None
    assert len(kept.lines) == 1
    assert again.batches(sink=STORE_SINK, limit_messages=10) == []


def _store(spool: Spool, point: Point) -> None:
    ledger = LedgerDelta()
    ledger.receive(_ACCOUNT, Fate.PENDING)
    spool.commit(packed=pack([SpooledMessage(_ACCOUNT, (point,))]), ledger=ledger)
    batches = spool.batches(sink=STORE_SINK, limit_messages=10)
    settled = LedgerDelta()
    settled.move(_ACCOUNT, Fate.PENDING, Fate.STORED)
    kept = kept_of(batch.body for batch in batches)
    spool.confirm(batches, sink=STORE_SINK, ledger=settled, kept=kept)
