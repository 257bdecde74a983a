from __future__ import annotations

from tests.unit.api.world import World


def test_requests_are_counted_by_route_template(world: World) -> None:
    world.device("d-1")
    world.client.get("/v1/devices/d-1")
    world.client.get("/v1/devices/d-2")
    world.client.get("/v1/nothing-here")
    world.client.request("BREW", "/v1/sites")
    text = world.client.get("/metrics").text
    for line in (
        'passerelle_api_requests_total{method="GET",route="/v1/devices/{id}",status="200"} 1.0',
        'passerelle_api_requests_total{method="GET",route="/v1/devices/{id}",status="404"} 1.0',
        'passerelle_api_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'passerelle_api_request_seconds_count{route="/v1/devices/{id}"} 2.0',
    ):
        assert line in text
    assert 'method="BREW"' not in text
    assert "d-2" not in text


def test_the_process_is_measured_too(world: World) -> None:
    answer = world.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "python_info" in answer.text
