from __future__ import annotations

import pytest

from tests.unit.api.world import NOW_NS, PROFILE, World

NEW = {"id": "elg-env-002", "site": "elgazala", "profile": PROFILE, "name": "Bibliothèque"}


def ids(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [device["id"] for device in answer["devices"]]


def test_filters_are_combined(world: World) -> None:
    world.device("d-1", building="A", zone="A-1", name="Hall")
    world.device("d-2", building="A", zone="A-2", name="Library")
    world.device("d-3", building="B", site="diamniadio", name="Library annex")
    client = world.client
    assert ids(client.get("/v1/devices").json()) == ["d-1", "d-2", "d-3"]
    assert ids(client.get("/v1/devices", building="A").json()) == ["d-1", "d-2"]
    assert ids(client.get("/v1/devices", building="A", zone="A-2").json()) == ["d-2"]
    assert ids(client.get("/v1/devices", site="diamniadio").json()) == ["d-3"]
    assert ids(client.get("/v1/devices", search="library").json()) == ["d-2", "d-3"]
    assert ids(client.get("/v1/devices", profile="other").json()) == []


def test_pages_list_every_device_once_although_devices_arrive(world: World) -> None:
    for number in range(7):
        world.device(f"d-{number}")
    seen = []
    path = "/v1/devices?limit=3&site=elgazala"
    while path:
        answer = world.client.get(path).json()
        seen.extend(ids(answer))
        path = answer["next"]
        if len(seen) == 3:
            world.device("d-00")
    assert seen == [f"d-{number}" for number in range(7)]


def test_a_cursor_is_refused_with_other_filters(world: World) -> None:
    for number in range(3):
        world.device(f"d-{number}")
    following = world.client.get("/v1/devices", limit=1).json()["next"]
    answer = world.client.get(f"{following}&site=elgazala")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "cursor"


def test_a_device_is_registered_and_shown(world: World) -> None:
    answer = world.client.post("/v1/devices", NEW)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/devices/elg-env-002"
    shown = world.client.get(answer.headers["location"]).json()
    assert shown == answer.json()
    assert shown["external_id"] == "elg-env-002"
    assert shown["name"] == "Bibliothèque"
    assert shown["created"] == "2026-11-23T10:00:00Z"


def test_a_device_is_registered_once(world: World) -> None:
    world.client.post("/v1/devices", NEW)
    answer = world.client.post("/v1/devices", {**NEW, "external_id": "other"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:passerelle:problem:conflict"


def test_two_devices_cannot_have_one_name_in_topics(world: World) -> None:
    world.client.post("/v1/devices", NEW)
    answer = world.client.post("/v1/devices", {**NEW, "id": "other", "external_id": NEW["id"]})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Upper Case"),
        ("id", ""),
        ("id", "x" * 65),
        ("id", "../x"),
        ("id", "unidentified"),
        ("site", "nowhere"),
        ("profile", "unheard-of"),
        ("external_id", "a\x00b"),
        ("external_id", ""),
        ("name", "two\nlines"),
        ("name", "x" * 201),
        ("interval_s", 0),
        ("interval_s", -1),
        ("interval_s", 1e300),
        ("interval_s", "often"),
        ("owner", "somebody"),
        ("labels", {"gateway": "elg-env-002"}),
        ("labels", {"gateway": "Not A Slug"}),
        ("labels", {"floor": " 2"}),
        ("labels", {f"n{number}": "x" for number in range(33)}),
        ("labels", None),
    ],
)
def test_a_field_that_cannot_be_used_is_named(world: World, field: str, value: object) -> None:
    answer = world.client.post("/v1/devices", {**NEW, field: value})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["parameter"], error["location"]) == (field, "body")


def test_text_that_is_no_unicode_is_refused(world: World) -> None:
    body = b'{"id": "d-1", "site": "elgazala", "profile": "passerelle-json", "name": "\\ud800"}'
    answer = world.client.request(
        "POST", "/v1/devices", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "name"


def test_a_change_leaves_the_rest_as_it_is(world: World) -> None:
    world.device("d-1", building="A", interval_s=60.0)
    answer = world.client.request("PATCH", "/v1/devices/d-1", json={"name": "Hall"})
    assert answer.status_code == 200
    shown = world.client.get("/v1/devices/d-1").json()
    assert (shown["name"], shown["building"], shown["interval_s"]) == ("Hall", "A", 60.0)
    world.client.request("PATCH", "/v1/devices/d-1", json={"interval_s": None})
    assert world.client.get("/v1/devices/d-1").json()["interval_s"] is None


def test_labels_are_shown_and_a_change_takes_the_place_of_all_of_them(world: World) -> None:
    labels = {"floor": "2", "gateway": "elg-gw-1"}
    assert world.client.post("/v1/devices", {**NEW, "labels": labels}).json()["labels"] == labels
    path = f"/v1/devices/{NEW['id']}"
    assert world.client.get(path).json()["labels"] == labels
    assert world.client.get("/v1/devices").json()["devices"][0]["labels"] == labels
    world.client.request("PATCH", path, json={"name": "Library"})
    assert world.client.get(path).json()["labels"] == labels
    answer = world.client.request("PATCH", path, json={"labels": {"wing": "east"}})
    assert answer.json()["labels"] == {"wing": "east"}
    world.client.request("PATCH", path, json={"labels": {}})
    assert world.client.get(path).json()["labels"] == {}


@pytest.mark.parametrize(
    "labels",
    [{"Floor": "2"}, {"floor": ""}, {"floor": "2;3"}, {"floor": "x" * 201}, {"floor": 2}, []],
)
def test_labels_that_cannot_be_used_are_refused(world: World, labels: object) -> None:
    world.device("d-1")
    for answer in (
        world.client.post("/v1/devices", {**NEW, "labels": labels}),
        world.client.request("PATCH", "/v1/devices/d-1", json={"labels": labels}),
    ):
        assert answer.status_code == 422
        error = answer.json()["errors"][0]
        assert error["parameter"].split(".")[0] == "labels"
        assert error["location"] == "body"


def test_what_decides_where_points_are_stored_cannot_be_changed(world: World) -> None:
    world.device("d-1")
    for field in ("id", "site", "profile"):
        answer = world.client.request("PATCH", "/v1/devices/d-1", json={field: "x"})
        assert answer.status_code == 422


def test_a_removed_device_is_gone(world: World) -> None:
    world.device("d-1")
    assert world.client.request("DELETE", "/v1/devices/d-1").status_code == 204
    assert world.client.get("/v1/devices/d-1").status_code == 404
    assert world.client.request("DELETE", "/v1/devices/d-1").status_code == 404


def test_the_latest_value_is_the_one_of_the_greatest_device_time(world: World) -> None:
    world.device("d-1")
    world.store_value("d-1", NOW_NS - 90_500_000_000, 21.5, quality=17)
    world.store_value("d-1", NOW_NS - 3_600_000_000_000, 19.0)
    world.store_value("d-1", NOW_NS - 1, 55.0, quantity="relative_humidity")
    answer = world.client.get("/v1/devices/d-1/latest").json()
    assert answer["zone"] == "Africa/Tunis"
    temperature, humidity = answer["values"]
    assert temperature == {
        "quantity": "air_temperature",
        "unit": "Cel",
        "value": 21.5,
        "time": "2026-11-23T09:58:29.500Z",
        "local_time": "2026-11-23T10:58:29.500+01:00",
        "age_s": 90.5,
        "quality": ["server_time", "simulated"],
    }
    assert humidity["time"] == "2026-11-23T09:59:59.999999999Z"


def test_latest_values_can_be_limited_to_quantities(world: World) -> None:
    world.device("d-1")
    world.store_value("d-1", NOW_NS, 21.5)
    world.store_value("d-1", NOW_NS, 55.0, quantity="relative_humidity")
    answer = world.client.get("/v1/devices/d-1/latest", quantities="relative_humidity,wind_speed")
    assert [value["quantity"] for value in answer.json()["values"]] == ["relative_humidity"]


def test_a_device_that_never_sent_has_no_latest_values(world: World) -> None:
    world.device("d-1")
    assert world.client.get("/v1/devices/d-1/latest").json()["values"] == []
