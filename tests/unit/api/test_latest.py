"""`/v1/latest`: the newest values of many devices in one answer."""

from __future__ import annotations

import pytest

from core.clock import NS_PER_S
from core.reading import DeviceKey, Point, Reading
from devices.registry.kept import LATEST_FILLED
from ingest.kept_points import KeptWriter
from storage.ports import Position, Written
from tests.unit.api.world import NOW_NS, World

MINUTE = 60 * NS_PER_S


@pytest.fixture
def parks(world: World) -> World:
    """Two devices in Tunisia, one in Senegal, one that never sent anything."""
    world.device("elg-1", building="A", zone="A-101")
    world.device("elg-2", building="B", zone="B-001")
    world.device("dia-1", site="diamniadio")
    world.device("elg-9")
    world.store_value("elg-1", NOW_NS - MINUTE, 20.0)
    world.store_value("elg-1", NOW_NS - 2 * MINUTE, 19.0)
    world.store_value("elg-1", NOW_NS - MINUTE, 40.0, quantity="relative_humidity", quality=16)
    world.store_value("elg-2", NOW_NS + MINUTE, 21.0)
    world.store_value("dia-1", NOW_NS, 30.0, site="diamniadio")
    return world


def shown(world: World, **asked: str) -> list[tuple[str, str, float]]:
    answer = world.client.get("/v1/latest", **asked)
    assert answer.status_code == 200, answer.text
    return [(one["device"], one["quantity"], one["value"]) for one in answer.json()["values"]]


def kept(world: World) -> None:
    """Let the registry know every newest value, as a worker does."""
    devices = [DeviceKey(one.site, one.id) for one in world.registry.devices.all()]
    world.registry.kept.tell(world.store.latest(devices), [])
    world.registry.kept.note(LATEST_FILLED, 1)
    world.clock.advance(1)


@pytest.mark.parametrize("by_registry", [False, True], ids=["store", "kept"])
def test_every_device_is_answered_in_one_call(parks: World, *, by_registry: bool) -> None:
    if by_registry:
        kept(parks)
    assert shown(parks) == [
        ("dia-1", "air_temperature", 30.0),
        ("elg-1", "air_temperature", 20.0),
        ("elg-1", "relative_humidity", 40.0),
        ("elg-2", "air_temperature", 21.0),
    ]
    assert shown(parks, site="elgazala", quantities="relative_humidity") == [
        ("elg-1", "relative_humidity", 40.0)
    ]
    assert shown(parks, building="B") == [("elg-2", "air_temperature", 21.0)]
    assert shown(parks, room="A-101", quantities="air_temperature") == [
        ("elg-1", "air_temperature", 20.0)
    ]
    assert shown(parks, devices="elg-2,dia-1,elg-9") == [
        ("dia-1", "air_temperature", 30.0),
        ("elg-2", "air_temperature", 21.0),
    ]


def test_numbers_carry_units_and_instants_the_zone(parks: World) -> None:
    answer = parks.client.get("/v1/latest", devices="elg-1", quantities="relative_humidity").json()
    assert answer == {
        "time": "2026-11-23T11:00:00+01:00",
        "zone": "Africa/Tunis",
        "devices": 1,
        "values": [
            {
                "site": "elgazala",
                "device": "elg-1",
                "quantity": "relative_humidity",
                "unit": "%",
                "value": 40.0,
                "time": "2026-11-23T10:59:00+01:00",
                "age_s": 60.0,
                "quality": ["simulated"],
            }
        ],
    }
    assert parks.client.get("/v1/latest").json()["zone"] == "UTC"
    asked = parks.client.get("/v1/latest", devices="dia-1", zone="Africa/Tunis").json()
    assert asked["values"][0]["time"] == "2026-11-23T11:00:00+01:00"


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("devices", "nobody", "there is no device 'nobody'"),
        ("site", "nowhere", "nowhere"),
        ("quantities", "air_temprature", "air_temperature"),
        ("zone", "Africa/Tunisia", "Africa/Tunis"),
    ],
)
def test_what_does_not_exist_is_named(parks: World, parameter: str, value: str, said: str) -> None:
    answer = parks.client.get("/v1/latest", **{parameter: value})
    assert answer.status_code == 422
    assert said in answer.text


def test_a_value_told_later_is_answered_and_an_older_one_is_not(parks: World) -> None:
    kept(parks)
    assert shown(parks, devices="dia-1") == [("dia-1", "air_temperature", 30.0)]
    later = Reading("diamniadio", "dia-1", "air_temperature", NOW_NS + 1, 31.0)
    older = Reading("diamniadio", "dia-1", "air_temperature", NOW_NS - 1, 29.0)
    parks.registry.kept.tell([later, older], [])
    parks.clock.advance(1)
    assert shown(parks, devices="dia-1") == [("dia-1", "air_temperature", 31.0)]


def test_a_value_taken_out_of_the_store_gives_way_to_the_one_before(parks: World) -> None:
    kept(parks)
    assert ("elg-1", "air_temperature", 20.0) in shown(parks)
    writer = KeptWriter(
        registry=parks.registry, writer=parks.store, reader=parks.store, remover=parks.store
    )
    assert writer.remove([Position(NOW_NS - MINUTE, "elgazala", "elg-1", "air_temperature")]) == 1
    parks.clock.advance(1)
    assert ("elg-1", "air_temperature", 19.0) in shown(parks)
    point = Point("elgazala", "elg-1", "environment", NOW_NS, {"air_temperature": 22.0})
    assert writer.write([point]) == Written()
    parks.clock.advance(1)
    assert ("elg-1", "air_temperature", 22.0) in shown(parks)


def test_a_device_added_or_removed_is_so_at_once(parks: World) -> None:
    kept(parks)
    parks.registry.devices.remove("elg-2")
    assert "elg-2" not in {device for device, _, _ in shown(parks)}
    parks.device("elg-2")
    assert "elg-2" in {device for device, _, _ in shown(parks)}
