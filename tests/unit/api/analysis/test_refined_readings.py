"""`/v1/readings` beyond one aggregate of each device."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from api.schemas.plots import PlotReadings
from api.schemas.readings import RawReadings
from api.schemas.several import GroupReadings, SeveralReadings
from core.clock import NS_PER_HOUR, NS_PER_S
from tests.unit.api.world import NOW_NS, World

MINUTE_NS = 60 * NS_PER_S
START_NS = NOW_NS - 4 * NS_PER_HOUR


@pytest.fixture
def filled(world: World) -> World:
    """Four hours; of the second and third nothing; d-2 late by flag; d-3 in another building."""
    world.device("d-1", building="B1", zone="hall")
    world.device("d-2", building="B1", zone="kitchen")
    world.device("d-3", building="B2", zone="hall")
    for hour in (0, 3):
        for minute in range(60):
            at = START_NS + hour * NS_PER_HOUR + minute * MINUTE_NS
            world.store_value("d-1", at, float(10 * hour + minute % 10))
            world.store_value("d-3", at, 50.0)
            if minute % 2 == 0:
                world.store_value("d-2", at, 30.0, quality=8)
    return world


def read(world: World, **parameters: Any) -> dict[str, Any]:
    answer = world.client.get(
        "/v1/readings",
        **{"quantities": "air_temperature", "from_": "-4h", "zone": "UTC", **parameters},
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(world: World, **parameters: Any) -> tuple[int, str, str]:
    answer = world.client.get(
        "/v1/readings",
        **{"quantities": "air_temperature", "from_": "-4h", "site": "elgazala", **parameters},
    )
    problem = answer.json()
    named = problem["errors"][0]["parameter"] if problem["errors"] else ""
    return answer.status_code, named, problem["detail"] + problem.get("hint", "")


def rows(world: World, query: str) -> list[dict[str, str]]:
    answer = world.client.request("GET", query, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv"), answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_several_aggregates_stand_together_in_each_window(filled: World) -> None:
    for parameter in ("mean,min,max,count", ["mean", "min", "max,count"]):
        found = read(filled, devices="d-1", every="1h", aggregate=parameter)
        answer = SeveralReadings.model_validate(found)
        assert answer.kind == "aggregates"
        points = answer.series[0].points
        assert points[0].values == {"mean": 4.5, "min": 0.0, "max": 9.0, "count": 60.0}
        assert points[1].values == dict.fromkeys(["mean", "min", "max", "count"])
        assert [point.count for point in points] == [60, 0, 0, 60]


def test_one_aggregate_keeps_the_form_it_had(filled: World) -> None:
    found = read(filled, devices="d-1", every="1h", aggregate="max")
    assert found["kind"] == "windows"
    assert list(found["series"][0]["points"][0]) == ["time", "end", "value", "count"]
    assert "group_by" not in found


def test_groups_by_building_weigh_every_value_the_same(filled: World) -> None:
    found = read(filled, site="elgazala", every="1h", group_by="building")
    answer = GroupReadings.model_validate(found)
    assert [one["group"] for one in found["series"]] == [
        {"site": "elgazala", "building": "B1"},
        {"site": "elgazala", "building": "B2"},
    ]
    assert [one["devices"] for one in found["series"]] == [2, 1]
    first = answer.series[0].points[0]
    assert (first.value, first.count) == ((60 * 4.5 + 30 * 30.0) / 90, 90)


def test_a_median_of_a_group_is_of_all_its_values(filled: World) -> None:
    found = read(
        filled, site="elgazala", every="1d", group_by="quantity", aggregate="median,first,last"
    )
    values = found["series"][0]["points"][0]["values"]
    assert found["series"][0]["group"] == {}
    ordered = sorted(
        [float(10 * hour + minute % 10) for hour in (0, 3) for minute in range(60)]
        + [50.0] * 120
        + [30.0] * 60
    )
    assert values["median"] == (ordered[149] + ordered[150]) / 2
    # at one instant the order is that of the devices
    assert (values["first"], values["last"]) == (0.0, 50.0)


def test_a_device_type_is_its_profile(filled: World) -> None:
    for name in ("profile", "device_type"):
        found = read(filled, site="elgazala", every="4h", group_by=name)
        assert found["group_by"] == ["profile"]
        assert found["series"][0]["group"] == {"profile": "passerelle-json"}


def test_quantities_are_never_merged(filled: World) -> None:
    filled.store_value("d-1", NOW_NS - 1, 40.0, quantity="relative_humidity")
    found = read(filled, site="elgazala", every="4h", group_by="site", quantities=None)
    assert [(one["quantity"], one["unit"]) for one in found["series"]] == [
        ("air_temperature", "Cel"),
        ("relative_humidity", "%"),
    ]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("null", [4.5, None, None, 34.5]),
        ("none", [4.5, 34.5]),
        ("previous", [4.5, 4.5, 4.5, 34.5]),
        ("linear", [4.5, 14.5, 24.5, 34.5]),
    ],
)
def test_gaps_are_filled_as_asked_and_marked(
    filled: World, fill: str, expected: list[float | None]
) -> None:
    found = read(filled, devices="d-1", every="1h", fill=fill)
    points = found["series"][0]["points"]
    assert [point["value"] for point in points] == pytest.approx(expected)
    marked = [index for index, point in enumerate(points) if point.get("filled")]
    assert marked == ([1, 2] if fill in ("previous", "linear") else [])
    assert [point["count"] for point in points if point.get("filled")] == [0] * len(marked)


@pytest.mark.parametrize("limit", ["1", "1h", "60min"])
def test_a_fill_ends_at_its_limit(filled: World, limit: str) -> None:
    kept = {"devices": "d-1", "every": "1h", "fill_limit": limit}
    previous = read(filled, fill="previous", **kept)["series"][0]["points"]
    assert [point["value"] for point in previous] == [4.5, 4.5, None, 34.5]
    linear = read(filled, fill="linear", **kept)["series"][0]["points"]
    assert [point["value"] for point in linear] == [4.5, None, None, 34.5]


def test_nothing_is_filled_before_the_first_value_or_after_the_last(filled: World) -> None:
    points = read(filled, devices="d-1", every="1h", fill="previous", from_="-6h", to="now")
    assert [point["value"] for point in points["series"][0]["points"]][:2] == [None, None]
    later = read(filled, devices="d-1", every="1h", fill="previous", to="2026-11-23T14:00:00Z")
    assert [point["value"] for point in later["series"][0]["points"]][4:] == [None] * 4


def test_windows_can_be_of_good_values_only(filled: World) -> None:
    found = read(
        filled, site="elgazala", every="1d", group_by="building", quality="good", aggregate="count"
    )
    assert [one["points"][0]["value"] for one in found["series"]] == [120.0, 120.0]
    late = read(filled, devices="d-2", every="1d", exclude_quality="late,simulated")
    assert late["series"][0]["points"][0] == {
        "time": "2026-11-23T00:00:00Z",
        "end": "2026-11-24T00:00:00Z",
        "value": None,
        "count": 0,
    }


def test_raw_pages_hold_only_the_quality_asked_for(filled: World) -> None:
    seen: list[tuple[str, str]] = []
    path = "/v1/readings?site=elgazala&from=-4h&exclude_quality=late&limit=7"
    while path:
        raw = RawReadings.model_validate_json(filled.client.get(path).text)
        page = [(one.device, point.time) for one in raw.series for point in one.points]
        assert len(page) <= 7
        assert all(not point.quality for one in raw.series for point in one.points)
        seen += page
        path = raw.next or ""
    assert len(seen) == len(set(seen)) == 240


def test_a_page_of_which_little_is_kept_goes_on(filled: World) -> None:
    client = filled.app_with(max_points=10)
    path: str | None = "/v1/readings?site=elgazala&from=-4h&quality=late&limit=10"
    pages, kept = 0, 0
    while path:
        answer = client.get(path).json()
        pages += 1
        kept += sum(len(one["points"]) for one in answer["series"])
        path = answer["next"]
    assert kept == 60
    assert pages >= 30


@pytest.mark.parametrize(("method", "most"), [("lttb", 24), ("m4", 24), ("m4", 27)])
def test_a_plot_has_no_more_points_than_asked_and_says_of_how_many(
    filled: World, method: str, most: int
) -> None:
    found = read(filled, site="elgazala", max_points=most, downsample=method)
    plot = PlotReadings.model_validate(found)
    assert (plot.downsample, plot.max_points) == (method, most)
    by_device = {one.device: one for one in plot.series}
    assert {device: one.of for device, one in by_device.items()} == {
        "d-1": 120,
        "d-2": 60,
        "d-3": 120,
    }
    for one in plot.series:
        assert len(one.points) <= most
        assert one.points == sorted(one.points, key=lambda point: point.time)
        assert one.points[0].time == "2026-11-23T06:00:00Z"
    assert by_device["d-1"].points[-1].time == "2026-11-23T09:59:00Z"
    assert by_device["d-1"].points[-1].value == 39.0


def test_a_short_series_comes_as_it_is(filled: World) -> None:
    raw = read(filled, devices="d-2")
    for method in ("lttb", "m4"):
        plot = read(filled, devices="d-2", max_points=60, downsample=method)
        assert plot["series"][0]["points"] == raw["series"][0]["points"]
        assert plot["series"][0]["of"] == 60


def test_a_plot_can_leave_qualities_out(filled: World) -> None:
    for method in ("lttb", "m4"):
        plot = read(filled, site="elgazala", max_points=8, downsample=method, quality="good")
        assert [one["device"] for one in plot["series"]] == ["d-1", "d-3"]
        assert [one["of"] for one in plot["series"]] == [120, 120]


def test_csv_has_a_column_for_each_aggregate_and_what_groups_are_of(filled: World) -> None:
    query = "/v1/readings?site=elgazala&quantities=air_temperature&from=-4h&zone=UTC"
    found = rows(filled, f"{query}&every=1h&aggregate=min,max&group_by=building&fill=previous")
    assert list(found[0]) == (
        "start end site building devices quantity unit min max count filled".split()
    )
    assert [row["max"] for row in found[:4]] == ["30.0", "30.0", "30.0", "39.0"]
    assert [row["filled"] for row in found[:4]] == ["false", "true", "true", "false"]
    plain = rows(filled, f"{query}&every=1h&aggregate=min,max")
    assert list(plain[0]) == "start end site device quantity unit min max count".split()
    assert plain[1]["min"] == ""
    single = rows(filled, f"{query}&every=1h&fill=none")
    assert list(single[0]) == "start end site device quantity unit value count".split()
    assert len(single) == 6
    plot = rows(filled, f"{query}&max_points=10")
    assert list(plot[0]) == "time site device quantity unit value quality of".split()
    assert (len(plot), plot[0]["of"]) == (30, "120")


def test_an_answer_that_is_too_large_is_refused_with_what_would_fit(filled: World) -> None:
    client = filled.app_with(max_points=20)
    base = {"site": "elgazala", "quantities": "air_temperature", "from_": "-4h", "zone": "UTC"}
    for more, parameter in (
        ({"every": "1h", "aggregate": "mean,min,max"}, "every"),
        ({"every": "1min", "group_by": "site"}, "every"),
        ({"max_points": 100}, "max_points"),
    ):
        answer = client.get("/v1/readings", **base, **more)
        assert answer.status_code == 413, answer.text
        name, value = answer.json()["hint"].split()[0].split("=")
        assert name == parameter
        assert client.get("/v1/readings", **{**base, **more, name: value}).status_code == 200


def test_too_many_values_to_compute_of_are_refused_with_a_start_that_fits(filled: World) -> None:
    client = filled.app_with(max_scanned=200)
    base = {"site": "elgazala", "quantities": "air_temperature", "zone": "UTC", "every": "4h"}
    for more in ({"group_by": "site", "aggregate": "median"}, {"quality": "good"}):
        answer = client.get("/v1/readings", **base, **more, from_="-4h")
        assert answer.status_code == 413
        start = answer.json()["hint"].split()[0].removeprefix("from=")
        assert client.get("/v1/readings", **base, **more, from_=start).status_code == 200
    mean = client.get("/v1/readings", **base, group_by="site", aggregate="mean", from_="-4h")
    assert mean.status_code == 200


@pytest.mark.parametrize(
    ("parameter", "more", "says"),
    [
        ("aggregate", {"every": "1h", "aggregate": "mean,mode"}, "no aggregate"),
        ("aggregate", {"every": "1h", "aggregate": ","}, "names none"),
        ("percentile", {"every": "1h", "aggregate": "mean,percentile"}, "needs it"),
        ("group_by", {"every": "1h", "group_by": "floor"}, "use site"),
        ("group_by", {"every": "1h", "group_by": ""}, "use site"),
        ("group_by", {"group_by": "site"}, "give every"),
        ("fill", {"fill": "null"}, "give every"),
        ("fill", {"every": "1h", "fill": "cubic"}, ""),
        ("fill", {"every": "1h", "fill": "linear", "aggregate": "mean,count"}, "count"),
        ("fill_limit", {"every": "1h", "fill": "none", "fill_limit": "2"}, "belongs"),
        ("fill_limit", {"every": "1h", "fill": "linear", "fill_limit": "0"}, "not a length"),
        ("fill_limit", {"every": "1h", "fill": "linear", "fill_limit": "0h"}, "not a length"),
        ("max_points", {"max_points": 2}, ""),
        ("max_points", {"max_points": 3, "downsample": "m4"}, "at least 4"),
        ("max_points", {"max_points": 9, "every": "1h"}, "raw values"),
        ("max_points", {"max_points": 9, "limit": 5}, "limit"),
        ("downsample", {"downsample": "m4"}, "max_points"),
        ("quality", {"quality": "estimated"}, "use good, server_time"),
        ("quality", {"quality": "goood"}, "use good"),
        ("exclude_quality", {"exclude_quality": ","}, "names no flag"),
        ("exclude_quality", {"quality": "good", "exclude_quality": "good,late"}, "everything"),
        (
            "aggregate",
            {"every": "1h", "group_by": "site", "quantities": "energy_imported"},
            "a start of its own",
        ),
        (
            "aggregate",
            {
                "every": "1h",
                "group_by": "site",
                "quantities": "wind_direction",
                "aggregate": "median",
            },
            "350",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    filled: World, parameter: str, more: dict[str, Any], says: str
) -> None:
    status, named, detail = refused(filled, **more)
    assert (status, named) == (422, parameter)
    assert says in detail


def test_a_cursor_of_other_qualities_is_refused(filled: World) -> None:
    first = read(filled, site="elgazala", limit=5, quality="good")
    path = first["next"].replace("quality=good", "quality=late")
    assert filled.client.get(path).status_code == 422
