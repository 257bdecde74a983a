from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from simulators.fleet import REGISTRY_COLUMNS, Fleet
from simulators.scenario import load_scenario, shipped_scenarios

GOOD = """\
name: mine
sites:
  - {id: elgazala, zone: Africa/Tunis, latitude: 36.9, longitude: 10.2, climate: tunis}
groups:
  - site: elgazala
    kind: room_climate
    format: passerelle-json
    count: 2
    interval: 30s
"""


def written(directory: Path, text: str) -> str:
    file = directory / "mine.yaml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_is_of_both_sites(name: str) -> None:
    fleet = Fleet(load_scenario(name))
    assert set(fleet.sites) == {"elgazala", "diamniadio"}
    ids = [device.id for device in fleet.devices]
    names = [(d.site, d.profile, d.external_id) for d in fleet.devices]
    assert len(set(ids)) == len(ids)
    assert len(set(names)) == len(names)


def test_the_pilot_scenarios_speak_every_format() -> None:
    for name in ("two-parks", "rough-day"):
        wires = {device.wire for device in Fleet(load_scenario(name)).devices}
        assert wires == {
            "passerelle-json",
            "passerelle-cbor",
            "senml-json",
            "senml-cbor",
            "zigbee2mqtt",
            "tasmota",
        }


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, GOOD))
    assert [d.id for d in Fleet(scenario).devices] == [
        "elgazala-room-climate-passerelle-json-0001",
        "elgazala-room-climate-passerelle-json-0002",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("count: 2", "count: many", 8, "groups.0.count"),
        ("interval: 30s", "interval: soon", 9, "not a length of time"),
        ("kind: room_climate", "kind: toaster", 5, "no kind 'toaster'"),
        ("kind: room_climate", "kind: room_climate\n    colour: red", 7, "groups.0.colour"),
        ("Africa/Tunis", "Africa/Atlantis", 3, "not an IANA time zone"),
        ("climate: tunis", "climate: mars", 3, "no climate 'mars'"),
        ("site: elgazala", "site: nowhere", 1, "no site 'nowhere'"),
        ("name: mine", "name: mine\nname: yours", 2, "stands here twice"),
        ("name: mine", "name: [mine", 2, "mine.yaml"),
        ("count: 2", "count: 2\nfaults: {duplicate: 2}", 9, "faults.duplicate"),
        ("format: passerelle-json", "format: tasmota\n    batch: 3", 5, "has no batches"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, what: str
) -> None:
    text = GOOD.replace(old, new)
    if "faults" in new:
        text = GOOD + "faults: {duplicate: 2}\n"
        line = 10
    with pytest.raises(ConfigurationError) as caught:
        load_scenario(written(tmp_path, text))
    assert f"mine.yaml, line {line}" in caught.value.detail
    assert what in caught.value.detail


def test_a_scenario_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="two-parks"):
        load_scenario(str(tmp_path / "none.yaml"))


def test_a_fleet_has_the_number_of_devices_asked_for_in_the_scenarios_proportions() -> None:
    scenario = load_scenario("two-parks")
    usual = len(Fleet(scenario).devices)
    for number in (1, 10, usual, 500):
        assert len(Fleet(scenario, devices=number).devices) == number
    assert Fleet(scenario, devices=usual).devices == Fleet(scenario).devices
    large = Fleet(scenario, devices=10 * usual).devices
    climate = "elgazala-room-climate-passerelle-json"
    assert sum(device.id.startswith(climate) for device in large) == 40


def test_a_growing_fleet_keeps_its_devices() -> None:
    scenario = load_scenario("rough-day")
    kept: set[object] = set()
    for number in range(5, 300, 7):
        devices = set(Fleet(scenario, devices=number).devices)
        assert kept <= devices
        kept = set(devices)


def test_the_registry_csv_has_one_line_a_device() -> None:
    fleet = Fleet(load_scenario("two-parks"))
    lines = fleet.registry_csv().splitlines()
    assert lines[0] == ",".join(REGISTRY_COLUMNS)
    assert len(lines) == 1 + len(fleet.devices)
    assert lines[1].startswith("elgazala-weather-station-passerelle-json-0001,elgazala,passerelle,")


def test_the_registry_reads_that_csv() -> None:
    from devices.registry.csv_import import parse_devices_csv  # noqa: PLC0415 - the one test

    fleet = Fleet(load_scenario("two-parks"))
    read = parse_devices_csv(fleet.registry_csv(), name="fleet.csv")
    assert [
        (d.id, d.site, d.profile, d.external_id, d.hardware_id, d.interval_s) for d in read
    ] == [
        (d.id, d.site, d.profile, d.external_id, d.hardware_id, d.interval_s) for d in fleet.devices
    ]
