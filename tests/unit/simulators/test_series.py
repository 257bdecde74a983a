from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.clock import NS_PER_S, iso
from core.errors import ConfigurationError
from simulators.bad_row import BadRow
from simulators.series import (
    Column,
    SeriesMapping,
    SeriesRow,
    load_mapping,
    parse_column,
    read_series,
)


def mapping(**changes: Any) -> SeriesMapping:
    return SeriesMapping.model_validate(
        {
            "site": "elgazala",
            "device": "office",
            "zone": "UTC",
            "columns": {"value": {"quantity": "air_temperature", "unit": "[degF]"}},
            **changes,
        }
    )


def rows(path: Path, text: str, **changes: Any) -> list[SeriesRow | BadRow]:
    file = path / "series.csv"
    file.write_text(text)
    return list(read_series(file, mapping(**changes)))


def good(found: list[SeriesRow | BadRow]) -> list[SeriesRow]:
    return [row for row in found if isinstance(row, SeriesRow)]


def bad(found: list[SeriesRow | BadRow]) -> list[BadRow]:
    return [row for row in found if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    ("layout", "text", "told"),
    [
        ("iso", "2026-03-01T10:20:30.123456+01:00", "2026-03-01T09:20:30.123456Z"),
        ("iso", "2026-03-01 10:20:30", "2026-03-01T10:20:30Z"),
        ("unix", "1276020076.001", "2010-06-08T18:01:16.001Z"),
        ("unix_ms", "1276020076001", "2010-06-08T18:01:16.001Z"),
        ("unix_ns", "1276020076001000001", "2010-06-08T18:01:16.001000001Z"),
        ("%d/%m/%Y %H.%M", "01/03/2026 10.20", "2026-03-01T10:20:00Z"),
    ],
)
def test_times_are_read_in_the_format_given(
    tmp_path: Path, layout: str, text: str, told: str
) -> None:
    found = good(rows(tmp_path, f"timestamp,value\n{text},70\n", time_format=layout))
    assert [iso(row.time_ns) for row in found] == [told]


def test_local_times_are_placed_in_their_zone(tmp_path: Path) -> None:
    text = "timestamp,value\n2026-11-23 07:00:00,70\n"
    (row,) = good(rows(tmp_path, text, zone="Africa/Tunis"))
    assert iso(row.time_ns) == "2026-11-23T06:00:00Z"


def test_the_hour_that_a_clock_shows_twice_is_told_apart_by_the_order(tmp_path: Path) -> None:
    times = ["00:30", "01:30", "01:00", "01:30", "02:30"]
    text = "timestamp,value\n" + "".join(f"2013-11-03 {t}:00,70\n" for t in times)
    found = good(rows(tmp_path, text, zone="America/New_York"))
    assert [iso(row.time_ns)[11:16] for row in found] == [
        "04:30",
        "05:30",
        "06:00",
        "06:30",
        "07:30",
    ]


def test_an_hour_that_a_clock_skipped_is_named(tmp_path: Path) -> None:
    text = "timestamp,value\n2014-03-09 02:30:00,70\n"
    (row,) = bad(rows(tmp_path, text, zone="America/New_York"))
    assert row.line == 2
    assert "the clocks skipped it" in row.why


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("yesterday,70", "time 'yesterday' is not in the format 'iso'"),
        ("2026-03-01,warm", "column 'value': 'warm' is not a number"),
        ("2026-03-01,nan", "not a finite number"),
        ("2026-03-01,", "no value in any of the mapped columns"),
        ("2026-03-01", "has 1 cells where the header has 2"),
        ("2026-03-01,70,80", "has 3 cells where the header has 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_costs_only_itself(
    tmp_path: Path, cells: str, why: str
) -> None:
    text = f"timestamp,value\n2026-02-28,69\n{cells}\n2026-03-02,71\n"
    found = rows(tmp_path, text)
    assert [row.line for row in good(found)] == [2, 4]
    (left_out,) = bad(found)
    assert left_out.line == 3
    assert why in left_out.why


def test_an_empty_cell_is_a_value_that_was_not_measured(tmp_path: Path) -> None:
    text = "when;who;t;open\n1;a;21,5;1\n2;b;;0\n3;a;22.5;\n"
    found = rows(
        tmp_path,
        text,
        device=None,
        device_column="who",
        time_column="when",
        time_format="unix",
        delimiter=";",
        columns={"t": {"quantity": "air_temperature"}, "open": {"quantity": "door_open"}},
    )
    assert [row.line for row in bad(found)] == [2]
    assert good(found) == [
        SeriesRow(line=3, time_ns=2 * NS_PER_S, device="b", values={"door_open": False}),
        SeriesRow(line=4, time_ns=3 * NS_PER_S, device="a", values={"air_temperature": 22.5}),
    ]


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'value'.*'temperature'"):
        rows(tmp_path, "timestamp,temperature\n")


def test_a_wrong_quantity_or_unit_is_found_before_anything_is_read() -> None:
    with pytest.raises(ConfigurationError, match="air_temperature"):
        mapping(columns={"value": {"quantity": "air_temprature"}}).checked()
    with pytest.raises(ConfigurationError, match="cannot be converted"):
        mapping(columns={"value": {"quantity": "air_temperature", "unit": "V"}}).checked()
    with pytest.raises(ConfigurationError, match="either the device or the column"):
        mapping(device=None).checked()
    assert mapping(columns={"value": {"quantity": "air_temperature"}}).checked()


def test_a_column_is_written_as_name_quantity_and_unit() -> None:
    assert parse_column("value=air_temperature:[degF]") == (
        "value",
        Column(quantity="air_temperature", unit="[degF]"),
    )
    assert parse_column("a=b=motion") == ("a=b", Column(quantity="motion", unit=None))
    with pytest.raises(ConfigurationError, match="column=quantity:unit"):
        parse_column("air_temperature")


def test_a_mapping_file_names_its_mistakes_by_line(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "site: elgazala\ndevice: office\ncolumns:\n  value: {quantity: air_temperature}\n"
    )
    assert load_mapping(file).columns["value"].quantity == "air_temperature"
    file.write_text("site: elgazala\ndevice: office\nzone: Mars/North\ncolumns: {a: {quantity: x}}")
    with pytest.raises(ConfigurationError, match=r"map\.yaml, line 3: zone"):
        load_mapping(file)


def test_a_large_file_is_read_as_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    file.write_text("timestamp,value\n" + f"{begin.isoformat()},70\n" * 200_000)
    reader = read_series(file, mapping())
    first = next(reader)
    assert isinstance(first, SeriesRow)
    assert first.line == 2
    reader.close()  # type: ignore[attr-defined]
