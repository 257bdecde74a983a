from __future__ import annotations

from api.schemas.completeness import ValueCountsAnswer
from core.clock import NS_PER_HOUR
from core.reading import Point
from tests.unit.api.world import NOW_NS, World


def fill(world: World) -> None:
    for device in ("d-1", "d-2"):
        for hours in (1, 2, 30):
            values = {"air_temperature": 20.0, "relative_humidity": 40.0}
            at = NOW_NS - hours * NS_PER_HOUR
            world.store.write([Point("elgazala", device, "environment", at, values)])


def asked(
    world: World, path: str = "/v1/completeness/values", **query: object
) -> ValueCountsAnswer:
    answer = world.client.get(path, **query)
    assert answer.status_code == 200, answer.text
    return ValueCountsAnswer.model_validate_json(answer.text)


def test_values_are_counted_by_device_and_hour_of_their_instants(world: World) -> None:
    fill(world)
    answer = asked(world)
    assert [(one.device, one.hour, one.values) for one in answer.rows] == [
        ("d-1", "2026-11-23T08:00:00Z", 2),
        ("d-1", "2026-11-23T09:00:00Z", 2),
        ("d-2", "2026-11-23T08:00:00Z", 2),
        ("d-2", "2026-11-23T09:00:00Z", 2),
    ]
    assert answer.keeps_s is None
    assert len(asked(world, from_="-40h", device="d-2").rows) == 3
    assert asked(world, site="diamniadio").rows == []


def test_pages_hold_every_count_once(world: World) -> None:
    fill(world)
    answer = asked(world, from_="-40h", limit=4)
    found = list(answer.rows)
    while answer.next:
        answer = asked(world, answer.next)
        found += answer.rows
    assert [(one.device, one.values) for one in found] == [("d-1", 2)] * 3 + [("d-2", 2)] * 3
