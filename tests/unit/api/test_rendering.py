from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

import pytest

from api.rendering import raw_csv, wants_csv, windows_csv
from core.reading import Reading
from storage.ports import WindowValue

TUNIS = ZoneInfo("Africa/Tunis")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv, application/json;q=0.5", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/csv;q=x", False),
        (",;,", False),
    ],
)
def test_csv_is_answered_only_where_it_is_preferred(accept: str, expected: bool) -> None:  # noqa: FBT001
    assert wants_csv(accept) is expected


def test_csv_numbers_and_instants_are_exact() -> None:
    reading = Reading("elgazala", "d-1", "air_temperature", 1, 0.1 + 0.2, quality=9)
    rows = list(csv.DictReader(io.StringIO(raw_csv([reading], zone=TUNIS))))
    assert float(rows[0]["value"]) == 0.1 + 0.2
    assert rows[0]["time"] == "1970-01-01T01:00:00.000000001+01:00"
    assert rows[0]["quality"] == "server_time late"
    assert rows[0]["unit"] == "Cel"


def test_a_gap_is_an_empty_value_in_csv() -> None:
    gap = WindowValue("elgazala", "d-1", "air_temperature", 0, 1, None, 0)
    rows = list(csv.DictReader(io.StringIO(windows_csv([gap], zone=TUNIS))))
    assert (rows[0]["value"], rows[0]["count"]) == ("", "0")
