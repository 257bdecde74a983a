"""Fixtures for the bulk source in front of a broker that a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from core.clock import SystemClock
from core.metrics import Metrics
from core.settings import MqttSettings
from ingest.bulk_source import BulkSource
from tests.servers.certificates import make_certificates
from tests.support.scripted_broker import ScriptedBroker, Speaks

NewBulk = Callable[..., BulkSource]
Scripted = Callable[..., ScriptedBroker]
Logged = list[MutableMapping[str, Any]]
VERSIONS: list[Speaks] = ["5", "3.1.1"]


@pytest.fixture(params=VERSIONS)
def speaks(request: pytest.FixtureRequest) -> Speaks:
    chosen: Speaks = request.param
    return chosen


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    made: list[ScriptedBroker] = []

    def make(speaks: Speaks, *scripts: bytes, tls: bool = False, **options: bool) -> ScriptedBroker:
        certificates = make_certificates(tmp_path) if tls else None
        broker = ScriptedBroker(speaks, scripts=scripts, certificates=certificates, **options)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def new_bulk(scripted: Scripted) -> Iterator[NewBulk]:  # noqa: ARG001 - sources end before their brokers
    """Makes sources; those still running at the end of the test are stopped."""
    made: list[BulkSource] = []

    def make(broker: ScriptedBroker, **settings: object) -> BulkSource:
        values = {
            "url": broker.url,
            "ca_file": broker.ca_file,
            "reconnect_min_s": 0.01,
            "reconnect_max_s": 0.5,
        }
        source = BulkSource(
            settings=MqttSettings.model_validate(values | settings),
            client_id="passerelle-test",
            filters=["passerelle/v1/+/+/telemetry"],
            fact_filters=[],
            clock=SystemClock(),
            metrics=Metrics(),
        )
        made.append(source)
        return source

    yield make
    for source in made:
        source.stop()


@pytest.fixture
def logged() -> Iterator[Logged]:
    with structlog.testing.capture_logs() as entries:
        yield entries
