"""What Grafana is provisioned with fits the store: checked here, since no test starts Grafana."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.quantities import CATALOGUE

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))


def data_source() -> dict[str, Any]:
    text = (GRAFANA / "provisioning" / "datasources" / "influxdb.yaml").read_text()
    (found,) = yaml.safe_load(text)["datasources"]
    return dict(found)


def test_the_data_source_is_the_store_of_the_other_services() -> None:
    source = data_source()
    settings = SERVICES["api"]["environment"]
    assert source["url"] == settings["PASSERELLE_STORE__URL"].removeprefix("influxdb+")
    assert source["jsonData"]["dbName"] == settings["PASSERELLE_STORE__BUCKET"]


def test_its_token_comes_from_the_environment() -> None:
    assert data_source()["secureJsonData"] == {"httpHeaderValue1": "Token $INFLUXDB_TOKEN"}
    assert "INFLUXDB_TOKEN" in SERVICES["grafana"]["environment"]


def test_dashboards_are_looked_for_where_they_are_mounted() -> None:
    text = (GRAFANA / "provisioning" / "dashboards" / "passerelle.yaml").read_text()
    (provider,) = yaml.safe_load(text)["providers"]
    mounts = {target: source for source, target, _ in _mounts()}
    assert mounts[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"


def test_there_is_a_dashboard() -> None:
    assert DASHBOARDS


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_panel_asks_the_data_source_for_a_quantity_of_the_catalogue(file: Path) -> None:
    dashboard = json.loads(file.read_text())
    assert dashboard["panels"]
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == data_source()["uid"]
        for target in panel["targets"]:
            asked = re.search(r'\("(\w+)"\) FROM "(\w+)"', target["query"])
            assert asked is not None, panel["title"]
            quantity, measurement = asked.groups()
            assert CATALOGUE[quantity].category == measurement, panel["title"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_do_not_overlap(file: Path) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(file.read_text())["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        cells |= mine


def _mounts() -> list[list[str]]:
    return [volume.split(":") for volume in SERVICES["grafana"]["volumes"] if volume[0] == "."]
