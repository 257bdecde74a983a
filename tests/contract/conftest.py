"""Every backend of the telemetry store, behind one fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.settings import Settings, load_settings
from storage.factory import open_store
from storage.ports import Store
from tests.servers.influxdb1 import InfluxDB1
from tests.servers.influxdb2 import InfluxDB2


@pytest.fixture(
    params=[
        "memory",
        "duckdb",
        pytest.param("influxdb2", marks=pytest.mark.influxdb),
        pytest.param("influxdb1", marks=pytest.mark.influxdb1),
    ]
)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return the settings of an empty store of each kind."""
    values: dict[str, str]
    if request.param == "memory":
        values = {"url": "memory:"}
    elif request.param == "duckdb":
        values = {"url": f"duckdb:///{tmp_path / 'telemetry.duckdb'}"}
    elif request.param == "influxdb2":
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        make: Callable[[], str] = request.getfixturevalue("influxdb2_bucket")
        values = {
            "url": f"influxdb+{server.url}",
            "token": server.token,
            "org": server.org,
            "bucket": make(),
        }
    else:
        old: InfluxDB1 = request.getfixturevalue("influxdb1")
        make = request.getfixturevalue("influxdb1_database")
        values = {"url": f"influxdb+{old.url}", "bucket": make()}
    return load_settings(store=values)


@pytest.fixture
def store(store_settings: Settings) -> Iterator[Store]:
    """Open an empty store of each kind, closed after the test."""
    opened = open_store(store_settings)
    try:
        yield opened
    finally:
        opened.close()
