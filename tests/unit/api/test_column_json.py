"""Columns of raw values are written as the objects they stand for."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.column_json import raw_json
from api.selection import quality_names
from api.times import EARLIEST_NS, LATEST_NS, in_zone
from storage.columns import SeriesKey, column

SERIES = SeriesKey("elgazala", "thermo-1", "air_temperature")
YEAR_S = 365 * 86_400
Rows = st.SearchStrategy[list[tuple[int, float, int]]]
values = st.floats(allow_nan=False, allow_infinity=False)
flags = st.integers(0, 63)
whole = st.integers(EARLIEST_NS // 10**9 + 1, LATEST_NS // 10**9).map(lambda s: s * 10**9)
usual = st.integers(1_790_000_000, 1_790_000_000 + YEAR_S).map(lambda s: s * 10**9)
instants = whole | usual | st.integers(EARLIEST_NS, LATEST_NS)


def rows_of(kind: st.SearchStrategy[int], quality: st.SearchStrategy[int]) -> Rows:
    return st.lists(st.tuples(kind, values, quality), min_size=1, max_size=60)


@pytest.mark.parametrize("zone", ["UTC", "Africa/Tunis", "Asia/Kolkata", "America/New_York"])
@given(
    rows=rows_of(usual, st.just(0))
    | rows_of(usual, flags)
    | rows_of(whole, flags)
    | rows_of(instants, flags)
)
def test_every_instant_value_and_flag_is_there(
    zone: str, rows: list[tuple[int, float, int]]
) -> None:
    shown_in = ZoneInfo(zone)
    body = json.loads(
        raw_json([column(SERIES, *zip(*rows, strict=True))], {"kind": "raw"}, zone=shown_in)
    )
    assert body == {
        "kind": "raw",
        "series": [
            {
                "site": "elgazala",
                "device": "thermo-1",
                "quantity": "air_temperature",
                "unit": "Cel",
                "points": [
                    {
                        "time": in_zone(time_ns, shown_in),
                        "value": value,
                        "quality": quality_names(quality),
                    }
                    for time_ns, value, quality in rows
                ],
            }
        ],
    }


def test_an_answer_may_have_no_series() -> None:
    assert json.loads(raw_json([], {"next": None}, zone=ZoneInfo("UTC"))) == {
        "next": None,
        "series": [],
    }
