"""`/v1/readings/joined`: values with the nearest ones in time of other quantities."""

from __future__ import annotations

import csv
import io
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.analysis.joined import Across, JoinQuery, read_joined
from api.analysis.nearest import Direction
from api.analysis.quality import QualityFilter
from api.reading_query import ReadingQuery
from api.schemas.joined import JOINED_EXAMPLE, JoinedReadings
from core.clock import NS_PER_S
from core.reading import DeviceKey, Point, Reading
from devices.registry import Device
from storage.backends.memory import MemoryStore
from storage.ports import Position, Selection
from tests.unit.api.world import NOW_NS, World

LEFT, RIGHT, OTHER = "air_temperature", "relative_humidity", "dew_point"
DEVICES = [
    Device("a", "elgazala", "p", "a", building="B1", zone="hall"),
    Device("b", "elgazala", "p", "b", building="B1", zone="hall"),
    Device("c", "elgazala", "p", "c", building="B2", zone="hall"),
    Device("d", "diamniadio", "p", "d"),
    Device("e", "diamniadio", "p", "e"),
]
RECORDS = {DeviceKey(device.site, device.id): device for device in DEVICES}
FIELDS = {
    Across.DEVICE: ("site", "id"),
    Across.ZONE: ("site", "building", "zone"),
    Across.BUILDING: ("site", "building"),
    Across.SITE: ("site",),
}
VALUE = st.tuples(
    st.sampled_from(DEVICES),
    st.sampled_from([LEFT, RIGHT, OTHER]),
    st.integers(0, 60),
    st.sampled_from([0, 0, 8]),
)


def together(one: Device, other: Device, across: Across) -> bool:
    if across in (Across.ZONE, Across.BUILDING) and not one.building:
        return one.id == other.id
    return all(getattr(one, field) == getattr(other, field) for field in FIELDS[across])


def naive(
    left: Reading, rights: list[Reading], direction: Direction, tolerance: int
) -> Reading | None:
    fitting = [
        right
        for right in rights
        if abs(right.time_ns - left.time_ns) <= tolerance
        and (direction is not Direction.BACKWARD or right.time_ns <= left.time_ns)
        and (direction is not Direction.FORWARD or right.time_ns >= left.time_ns)
    ]
    return min(
        fitting,
        key=lambda right: (abs(right.time_ns - left.time_ns), right.time_ns, right.device),
        default=None,
    )


@settings(max_examples=150)
@given(
    values=st.lists(VALUE, max_size=50),
    direction=st.sampled_from(list(Direction)),
    across=st.sampled_from(list(Across)),
    tolerance=st.integers(0, 20),
    limit=st.integers(1, 8),
    quality=st.sampled_from([QualityFilter(), QualityFilter(allowed=("good",))]),
    max_points=st.sampled_from([100, 12]),
)
def test_each_left_value_has_what_looking_at_all_would_find(  # noqa: PLR0917 - by name
    values: list[tuple[Device, str, int, int]],
    direction: Direction,
    across: Across,
    tolerance: int,
    limit: int,
    quality: QualityFilter,
    max_points: int,
) -> None:
    store = MemoryStore()
    for number, (device, name, time, mask) in enumerate(values):
        store.write([Point(device.site, device.id, "environment", time, {name: number}, mask)])
    query = ReadingQuery(
        devices=tuple(RECORDS),
        quantities=(LEFT,),
        start_ns=10,
        end_ns=50,
        zone=ZoneInfo("UTC"),
        max_points=max_points,
    )
    asked = JoinQuery(
        right=(RIGHT, OTHER),
        across=across,
        direction=direction,
        tolerance_ns=tolerance,
        quality=quality,
    )
    everything = store.read(Selection(tuple(RECORDS), (LEFT, RIGHT, OTHER), 0, 99), limit=999)
    kept = [one for one in everything.readings if quality.keeps(one.quality)]
    densest = max(
        sum(one.quantity != LEFT for one in everything.readings if abs(one.time_ns - at) <= 20)
        for at in range(61)
    )
    if densest > max_points:
        return
    found = []
    after: Position | None = None
    while True:
        rows, after = read_joined(store, query, asked, RECORDS, limit=limit, after=after)
        assert len(rows) <= limit
        found += rows
        if after is None:
            break
    lefts = [one for one in kept if one.quantity == LEFT and 10 <= one.time_ns < 50]
    assert [row.left for row in found] == lefts
    by_id = {device.id: device for device in DEVICES}
    for row in found:
        for name, right in zip(asked.right, row.right, strict=True):
            own = [
                one
                for one in kept
                if one.quantity == name
                and together(by_id[row.left.device], by_id[one.device], across)
            ]
            assert right == naive(row.left, own, direction, tolerance)


@pytest.fixture
def filled(world: World) -> World:
    """Carbon dioxide each ten minutes in the hall, people counted there by another device."""
    world.device("air", building="B1", zone="hall")
    world.device("door", building="B1", zone="hall")
    for minute in range(0, 60, 10):
        at = NOW_NS - 3600 * NS_PER_S + minute * 60 * NS_PER_S
        world.store_value(
            "air", at, 600.0 + minute, category="air_quality", quantity="carbon_dioxide"
        )
        world.store_value(
            "door",
            at - 41_500_000_000 + minute * NS_PER_S,
            float(minute),
            category="presence",
            quantity="people_count",
            quality=8 if minute == 20 else 0,
        )
    return world


QUERY = "/v1/readings/joined?site=elgazala&left=carbon_dioxide&right=people_count&from=-2h&zone=UTC"


def test_values_of_two_devices_in_one_zone_meet(filled: World) -> None:
    answer = filled.client.get(f"{QUERY}&across=zone&tolerance=1min&direction=nearest")
    joined = JoinedReadings.model_validate_json(answer.text)
    assert (joined.left.unit, joined.right[0].unit) == ("[ppm]", "{people}")
    assert (joined.tolerance_s, joined.across, joined.direction) == (60, "zone", "nearest")
    first = joined.series[0].points[0]
    assert first.time == "2026-11-23T09:00:00Z"
    right = first.right["people_count"]
    assert right is not None
    assert (right.value, right.distance_s, right.device) == (0.0, -41.5, "door")
    assert right.time == "2026-11-23T08:59:18.500Z"
    distances = [
        None if point.right["people_count"] is None else point.right["people_count"].distance_s
        for point in joined.series[0].points
    ]
    assert distances == [-41.5, -31.5, -21.5, -11.5, -1.5, 8.5]


def test_a_device_has_only_its_own_unless_asked(filled: World) -> None:
    points = filled.client.get(QUERY).json()["series"][0]["points"]
    assert [point["right"] for point in points] == [{"people_count": None}] * 6


def test_direction_and_tolerance_bound_what_is_found(filled: World) -> None:
    def found(more: str) -> list[float | None]:
        answer = filled.client.get(f"{QUERY}&across=site&{more}").json()
        points = answer["series"][0]["points"]
        return [
            point["right"]["people_count"] and point["right"]["people_count"]["value"]
            for point in points
        ]

    assert found("direction=backward&tolerance=1min") == [0, 10, 20, 30, 40, None]
    assert found("direction=forward&tolerance=10min") == [10, 20, 30, 40, None, 50]
    assert found("direction=nearest&tolerance=20s") == [None, None, None, 30, 40, 50]
    assert found("direction=nearest&tolerance=0s") == [None] * 6
    assert found("direction=nearest&tolerance=1min&quality=good") == [0, 10, None, 30, 40, 50]


def test_pages_hold_every_left_value_once(filled: World) -> None:
    path: str | None = f"{QUERY}&across=zone&limit=4"
    times: list[str] = []
    while path:
        answer = filled.client.get(path).json()
        times += [point["time"] for one in answer["series"] for point in one["points"]]
        path = answer["next"]
        filled.clock.advance(3600)
    assert len(times) == len(set(times)) == 6


def test_csv_has_the_same_values(filled: World) -> None:
    answer = filled.client.request(
        "GET", f"{QUERY}&across=zone&limit=5", headers={"Accept": "text/csv"}
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert rows[0] == {
        "time": "2026-11-23T09:00:00Z",
        "site": "elgazala",
        "device": "air",
        "carbon_dioxide": "600.0",
        "quality": "",
        "people_count": "0.0",
        "people_count_distance_s": "-41.5",
        "people_count_device": "door",
        "people_count_quality": "",
    }
    assert rows[2]["people_count_quality"] == "late"
    assert filled.client.get(answer.links["next"]["url"]).status_code == 200


def test_denser_values_make_shorter_pages_and_too_dense_ones_are_refused(filled: World) -> None:
    client = filled.app_with(max_points=4)
    path: str | None = f"{QUERY}&across=zone&tolerance=10min&direction=nearest"
    pages, seen = 0, 0
    while path:
        answer = client.get(path).json()
        seen += len(answer["series"][0]["points"])
        pages += 1
        path = answer["next"]
    assert (seen, pages) == (6, 3)
    late = QUERY.replace("from=-2h", "from=-20min")
    refused = filled.app_with(max_points=2).get(f"{late}&across=zone&tolerance=1h")
    assert refused.status_code == 413
    fitting = refused.json()["hint"].split()[0].removeprefix("tolerance=")
    again = filled.app_with(max_points=2).get(f"{late}&across=zone&tolerance={fitting}")
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"left": "carbon_dioxid"}, "left"),
        ({"left": "carbon_dioxide,ozone"}, "left"),
        ({"left": None}, "left"),
        ({"right": None}, "right"),
        ({"right": "humidty"}, "right"),
        ({"right": ","}, "right"),
        ({"right": "carbon_dioxide"}, "right"),
        ({"tolerance": "near"}, "tolerance"),
        ({"tolerance": "-5min"}, "tolerance"),
        ({"direction": "sideways"}, "direction"),
        ({"across": "world"}, "across"),
        ({"site": "nowhere"}, "site"),
        ({"site": None}, "devices"),
        ({"quality": "fine"}, "quality"),
        ({"from": "now", "to": "-1h"}, "to"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"limit": 0}, "limit"),
    ],
)
def test_what_cannot_be_joined_names_the_parameter(
    filled: World, more: dict[str, Any], parameter: str
) -> None:
    query = {"site": "elgazala", "left": "carbon_dioxide", "right": "people_count", **more}
    answer = filled.client.request(
        "GET",
        "/v1/readings/joined",
        params={name: value for name, value in query.items() if value is not None},
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["parameter"] == parameter


def test_too_large_a_page_is_refused_with_one_that_fits(filled: World) -> None:
    client = filled.app_with(max_points=10)
    answer = client.get(f"{QUERY}&limit=6")
    assert (answer.status_code, answer.json()["hint"]) == (413, "limit=5 would fit")
    assert client.get(f"{QUERY}&limit=5").status_code == 200


def test_a_cursor_belongs_to_its_join(filled: World) -> None:
    following = filled.client.get(f"{QUERY}&across=zone&limit=2").json()["next"]
    other = following.replace("across=zone", "across=site")
    assert filled.client.get(other).json()["errors"][0]["parameter"] == "cursor"


def test_the_example_is_true_to_the_schema() -> None:
    JoinedReadings.model_validate(JOINED_EXAMPLE)
