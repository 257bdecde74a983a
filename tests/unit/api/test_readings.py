from __future__ import annotations

import csv
import io

import pytest

from api.cursors import encode_cursor
from api.reading_query import RawCursor
from api.schemas.readings import RawReadings, WindowReadings
from core.clock import NS_PER_HOUR, NS_PER_S
from storage.ports import Position
from tests.unit.api.world import NOW_NS, World

MINUTE_NS = 60 * NS_PER_S


@pytest.fixture
def filled(world: World) -> World:
    """One hour of minutes of two devices at Elgazala, two values of one at Diamniadio."""
    for device in ("d-1", "d-2"):
        world.device(device)
        for minute in range(60):
            world.store_value(device, NOW_NS - NS_PER_HOUR + minute * MINUTE_NS, float(minute))
    world.device("d-3", site="diamniadio")
    for minute in (1, 2):
        world.store_value("d-3", NOW_NS - minute * MINUTE_NS, 30.0, site="diamniadio")
    return world


def test_raw_values_are_grouped_by_series_with_their_unit(filled: World) -> None:
    answer = filled.client.get("/v1/readings", devices="d-1", quantities="air_temperature")
    raw = RawReadings.model_validate_json(answer.text)
    assert [series.device for series in raw.series] == ["d-1"]
    assert raw.series[0].unit == "Cel"
    assert [point.value for point in raw.series[0].points] == [float(m) for m in range(60)]
    assert raw.next is None


def test_instants_are_in_the_zone_of_the_site_or_as_asked(filled: World) -> None:
    def zone_and_first(**parameters: object) -> tuple[str, str]:
        raw = RawReadings.model_validate_json(filled.client.get("/v1/readings", **parameters).text)
        return raw.zone, raw.series[0].points[0].time

    assert zone_and_first(devices="d-1") == ("Africa/Tunis", "2026-11-23T10:00:00+01:00")
    assert zone_and_first(devices="d-1,d-3") == ("UTC", "2026-11-23T09:00:00Z")
    asked = zone_and_first(devices="d-1", zone="Asia/Kathmandu")
    assert asked == ("Asia/Kathmandu", "2026-11-23T14:45:00+05:45")


def test_nanoseconds_and_quality_arrive_exactly(world: World) -> None:
    world.device("d-1")
    world.store_value("d-1", NOW_NS - 1, 0.1 + 0.2, quality=8)
    raw = RawReadings.model_validate_json(
        world.client.get("/v1/readings", devices="d-1", zone="UTC").text
    )
    point = raw.series[0].points[0]
    assert point.time == "2026-11-23T09:59:59.999999999Z"
    assert point.value == 0.1 + 0.2
    assert point.quality == ["late"]


def test_several_devices_and_a_site_can_be_named_in_every_way(filled: World) -> None:
    for query in (
        "devices=d-1&devices=d-2",
        "devices=d-1,d-2",
        "site=elgazala",
        "devices=d-2,d-1,d-1",
    ):
        raw = RawReadings.model_validate_json(filled.client.get(f"/v1/readings?{query}").text)
        assert sorted(series.device for series in raw.series) == ["d-1", "d-2"], query


def test_pages_hold_every_value_once_although_values_arrive(filled: World) -> None:
    seen: list[tuple[str, str]] = []
    path = "/v1/readings?site=elgazala&limit=7&from=-2h"
    while path:
        raw = RawReadings.model_validate_json(filled.client.get(path).text)
        seen.extend((s.device, p.time) for s in raw.series for p in s.points)
        assert sum(len(series.points) for series in raw.series) <= 7
        path = raw.next or ""
        filled.clock.advance(60)
        filled.store_value("d-1", filled.clock.now_ns(), 99.0)
    assert len(seen) == len(set(seen)) == 120


def test_a_page_keeps_the_range_of_the_first_one(filled: World) -> None:
    first = filled.client.get("/v1/readings", devices="d-1", limit=10).json()
    filled.clock.advance(48 * 3600)
    second = filled.client.get(first["next"]).json()
    assert (second["start"], second["end"]) == (first["start"], first["end"])
    assert second["series"][0]["points"][0]["value"] == 10.0


def test_windows_are_aligned_and_gaps_are_null(filled: World) -> None:
    answer = filled.client.get(
        "/v1/readings",
        devices="d-1",
        quantities="air_temperature",
        from_="2026-11-23T08:00:00Z",
        to="2026-11-23T10:00:00Z",
        every="30min",
        aggregate="max",
    )
    windows = WindowReadings.model_validate_json(answer.text)
    points = windows.series[0].points
    assert [point.time[11:16] for point in points] == ["09:00", "09:30", "10:00", "10:30"]
    assert [point.value for point in points] == [None, None, 29.0, 59.0]
    assert [point.count for point in points] == [0, 0, 30, 30]
    assert (windows.every, windows.aggregate, windows.zone) == ("30min", "max", "Africa/Tunis")


def test_a_day_has_25_hours_when_clocks_go_back(world: World) -> None:
    world.device("d-1")
    answer = world.client.get(
        "/v1/readings",
        devices="d-1",
        quantities="air_temperature",
        from_="2026-10-25",
        to="2026-10-26",
        every="1d",
        zone="Europe/Paris",
    )
    points = WindowReadings.model_validate_json(answer.text).series[0].points
    assert [(point.time, point.end) for point in points] == [
        ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00")
    ]


def test_a_percentile_is_computed(filled: World) -> None:
    answer = filled.client.get(
        "/v1/readings",
        devices="d-1",
        quantities="air_temperature",
        from_="-1h",
        every="1h",
        aggregate="percentile",
        percentile=95,
    )
    windows = WindowReadings.model_validate_json(answer.text)
    assert windows.percentile == 95
    assert windows.series[0].points[0].value == 56.0


def test_windows_without_quantities_are_of_those_that_each_device_has(filled: World) -> None:
    filled.store_value("d-2", NOW_NS - 1, 50.0, quantity="relative_humidity")
    answer = filled.client.get("/v1/readings", site="elgazala", every="1h", from_="-2h")
    windows = WindowReadings.model_validate_json(answer.text)
    assert [(series.device, series.quantity) for series in windows.series] == [
        ("d-1", "air_temperature"),
        ("d-2", "air_temperature"),
        ("d-2", "relative_humidity"),
    ]


def test_a_device_that_never_sent_answers_no_series(world: World) -> None:
    world.device("d-1")
    for more in ({}, {"every": "1h"}):
        assert world.client.get("/v1/readings", devices="d-1", **more).json()["series"] == []


def test_a_site_without_devices_answers_no_series(world: World) -> None:
    for more in ({}, {"every": "1h"}):
        assert world.client.get("/v1/readings", site="elgazala", **more).json()["series"] == []


def test_too_many_windows_are_refused_with_a_length_that_fits(filled: World) -> None:
    client = filled.app_with(max_points=100)
    query = {"site": "elgazala", "quantities": "air_temperature", "from_": "-24h"}
    answer = client.get("/v1/readings", **query, every="1min")
    assert answer.status_code == 413
    problem = answer.json()
    assert problem["type"] == "urn:passerelle:problem:query_too_large"
    every = problem["hint"].split("=")[1].split()[0]
    assert client.get("/v1/readings", **query, every=every).status_code == 200


def test_too_large_a_page_is_refused_with_a_length_that_fits(filled: World) -> None:
    answer = filled.app_with(max_points=100).get("/v1/readings", devices="d-1", limit=101)
    assert answer.status_code == 413
    assert answer.json()["hint"].startswith("every=")


def test_raw_csv_has_the_same_values_and_its_next_page_in_a_header(filled: World) -> None:
    headers = {"Accept": "text/csv", "X-API-Key": filled.key}
    path: str | None = "/v1/readings?devices=d-1&limit=25"
    rows: list[dict[str, str]] = []
    while path:
        answer = filled.client.request("GET", path, headers=headers)
        assert answer.headers["content-type"].startswith("text/csv")
        rows.extend(csv.DictReader(io.StringIO(answer.text, newline="")))
        path = answer.links.get("next", {}).get("url")
    assert [float(row["value"]) for row in rows] == [float(minute) for minute in range(60)]
    assert rows[0]["time"] == "2026-11-23T10:00:00+01:00"
    assert rows[0]["unit"] == "Cel"


def test_windows_in_csv_have_empty_values_for_gaps(filled: World) -> None:
    answer = filled.client.request(
        "GET",
        "/v1/readings?devices=d-1&quantities=air_temperature&from=-2h&every=1h",
        headers={"Accept": "text/csv"},
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["value"], row["count"]) for row in rows] == [("", "0"), ("29.5", "60")]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "devices"),
        ("devices=", "devices"),
        ("devices=nobody", "devices"),
        ("devices=d-1&site=nowhere", "site"),
        ("devices=d-1&site=diamniadio", "devices"),
        ("devices=d-1&quantities=air_temprature", "quantities"),
        ("devices=d-1&quantities=quality", "quantities"),
        ("devices=d-1&from=now&to=-1h", "to"),
        ("devices=d-1&from=now&to=now", "to"),
        ("devices=d-1&from=", "from"),
        ("devices=d-1&from=1600-01-01T00:00:00Z", "from"),
        ("devices=d-1&to=9999-12-31T23:59:59Z", "to"),
        ("devices=d-1&zone=Mars/Olympus", "zone"),
        ("devices=d-1&zone=../../etc/passwd", "zone"),
        ("devices=d-1&every=fortnight", "every"),
        ("devices=d-1&every=0s", "every"),
        ("devices=d-1&every=1h&aggregate=mode", "aggregate"),
        ("devices=d-1&every=1h&aggregate=percentile", "percentile"),
        ("devices=d-1&every=1h&aggregate=mean&percentile=5", "percentile"),
        ("devices=d-1&every=1h&aggregate=percentile&percentile=0", "percentile"),
        ("devices=d-1&every=1h&aggregate=percentile&percentile=nan", "percentile"),
        ("devices=d-1&every=1h&aggregate=percentile&percentile=101", "percentile"),
        ("devices=d-1&aggregate=mean", "aggregate"),
        ("devices=d-1&every=1h&limit=5", "limit"),
        ("devices=d-1&every=1h&cursor=x", "cursor"),
        ("devices=d-1&limit=0", "limit"),
        ("devices=d-1&cursor=nonsense", "cursor"),
        ("devices=d-1&from=-1h&from=-2h", "from"),
        ("devices=d-1%00", "devices"),
    ],
)
def test_a_query_that_cannot_be_carried_out_names_the_parameter(
    filled: World, query: str, parameter: str
) -> None:
    answer = filled.client.request("GET", f"/v1/readings?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_a_forged_cursor_is_refused(filled: World) -> None:
    asked = ("readings", ("d-1",), None, (), None, None)
    for start, end, time, device, quantity in (
        (0, 1, 5, "d-1", "air_temperature"),
        (-(2**63), 2**63 - 1, 0, "d-1", "air_temperature"),
        (0, 10, 5, "d-1\0' OR 1=1", "air_temperature"),
        (0, 10, 5, "d-1", "no_such"),
    ):
        position = Position(time_ns=time, site="elgazala", device=device, quantity=quantity)
        cursor = encode_cursor(RawCursor(start_ns=start, end_ns=end, after=position), query=asked)
        answer = filled.client.get("/v1/readings", devices="d-1", cursor=cursor)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "cursor"


def test_the_longest_range_is_bounded_and_not_an_error_of_ours(filled: World) -> None:
    query = (
        "devices=d-1&quantities=air_temperature&from=1677-09-22T00:00:00Z&to=2262-04-11T00:00:00Z"
    )
    assert filled.client.request("GET", f"/v1/readings?{query}").status_code == 200
    assert filled.client.request("GET", f"/v1/readings?{query}&every=1s").status_code == 413
    assert filled.client.request("GET", f"/v1/readings?{query}&every=12mo").status_code == 200
