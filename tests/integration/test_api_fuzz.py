"""Schemathesis over the whole OpenAPI: no failure of ours, no answer that is not documented."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.schemas.alert_rules import YAML_EXAMPLE
from api.schemas.alerts import ALERT_EXAMPLE
from api.schemas.silences import SILENCE_EXAMPLE
from api.server import ApiServer
from core.access import EVERYTHING
from core.clock import NS_PER_HOUR, SystemClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from devices.registry import DeadLetter, Device, Registry, WorkerStatus
from devices.registry.alert_records import AlertRecord, Silence
from storage.backends.memory import MemoryStore

EXAMPLES = 25
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    directory = tmp_path_factory.mktemp("api-fuzz")
    configured = load_settings(
        data_dir=directory, api={"rate_limit_per_s": 0, "wrong_keys_per_minute": 0}
    )
    clock = SystemClock()
    registry = Registry.open(configured.registry_url, clock=clock)
    registry.migrate()
    registry.seed([], [])
    registry.devices.add(Device(id="elg-env-001", site="elgazala", profile="p", external_id="e"))
    now_ns = clock.now_ns()
    registry.dead_letters.publish(
        [
            DeadLetter(
                id="worker-1-42",
                worker="worker-1",
                scope="message",
                reason="malformed",
                detail="not JSON",
                site="elgazala",
                device="elg-env-001",
                profile="p",
                topic="t",
                payload=b"{",
                properties={},
                received_ns=now_ns,
            )
        ]
    )
    keep_alerting(registry, now_ns)
    store = MemoryStore()
    store.write(
        [Point("elgazala", "elg-env-001", "environment", now_ns, {"air_temperature": 20.0})]
    )
    app = create_app(
        settings=configured, registry=registry, store=store, metrics=Metrics(), clock=clock
    )
    registry.workers.report(
        WorkerStatus(
            worker="worker-1",
            host="h",
            version="1",
            seen_ns=now_ns + NS_PER_HOUR,
            connected=True,
            store="",
            spool_bytes=0,
            spool_full=False,
            pending=0,
        )
    )
    key, _ = registry.keys.create("fuzz", grants=EVERYTHING)
    server = ApiServer(app, "127.0.0.1", 0)
    yield server.start(), key
    server.stop()
    store.close()
    registry.close()


def keep_alerting(registry: Registry, now_ns: int) -> None:
    """Keep a rule, an alert and a silence under the names of the documented examples."""
    registry.rules.put("server-room-hot", YAML_EXAMPLE, author="a", reason="b")
    with registry.alerts.work() as work:
        work.put(
            AlertRecord(
                id=ALERT_EXAMPLE["id"],
                rule="server-room-hot",
                version=1,
                title='{"en": "a", "fr": "b"}',
                severity="critical",
                alarm_class="measured",
                site="elgazala",
                device="elg-env-001",
                state="firing",
                at_ns=now_ns,
                opened_ns=now_ns,
            )
        )
    registry.silences.add(
        Silence(
            id=SILENCE_EXAMPLE["id"],
            match='{"site": ["elgazala"]}',
            by="a",
            reason="b",
            created_ns=now_ns,
            start_ns=now_ns,
            end_ns=now_ns + NS_PER_HOUR,
        )
    )


@pytest.mark.timeout(900)  # every route, 25 requests each
def test_every_route_answers_as_documented_whatever_it_is_sent(
    served: tuple[str, str],
) -> None:
    url, key = served
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    asked = []
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok), operation.err()
        asked.append(_ask(operation.ok(), key))
    assert len(asked) >= 18


def _ask(operation: APIOperation[Any, Any, Any, Any], key: str) -> str:
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    negative = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=positive | negative)
    def every_case(case: schemathesis.Case[Any]) -> None:
        if operation.path == "/v1/live":  # it would answer for as long as it is asked
            case.query = {**(case.query or {}), "seconds": 0}
        case.call_and_validate(headers={"X-API-Key": key}, checks=CHECKS)

    every_case()
    return operation.label
