"""A scripted server and an InfluxDB store on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.backends.influxdb.access import Access
from storage.backends.influxdb.store import InfluxDBStore
from tests.unit.storage.scripted_server import Scripted, scripted_server


@pytest.fixture
def server() -> Iterator[Scripted]:
    """Run a server that answers as the test says."""
    with scripted_server() as running:
        yield running


@pytest.fixture
def influxdb(server: Scripted) -> Iterator[InfluxDBStore]:
    """Open an InfluxDB store on the scripted server, with little patience."""
    store = InfluxDBStore(
        access=Access(
            url=server.url,
            bucket="telemetry",
            org="passerelle",
            authorization="Token secret",
            timeout_s=2.0,
        )
    )
    yield store
    store.close()
