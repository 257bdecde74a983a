"""The flow: a fleet publishes while every service is restarted once, and nothing is lost."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from functools import partial

import httpx

from tests.compose.account import Ledger, add_up, differences, settled, totals
from tests.compose.stack import Stack
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.account import Api

SERVERS = ("mosquitto", "influxdb", "postgres")
PROGRAMS = ("ingest", "api", "alerts")
FLEET = "rough-day --devices 200 --speed 10x --duration 30m"
"""Three minutes of half an hour: longer than every restart together."""
ENOUGH = 300
"""Messages received after a restart that cannot all have waited somewhere before it."""


class FlowError(Exception):
    """The platform did not do what it promises."""


def run_flow(*, name: str, fleet: str = FLEET) -> None:
    """Start the compose file, run the flow, take it down.

    Args:
        name: of the compose project.
        fleet: what the simulators publish.

    Raises:
        FlowError: something was lost, or a query was not answered.
        TimeoutError: a service did not come up in time.
    """
    port = free_port()
    variables = {
        "API_PORT": str(port),
        "MQTT_PORT": str(free_port()),
        "MQTTS_PORT": str(free_port()),
        "SIMULATORS": fleet,
    }
    with Stack(name=name, variables=variables) as stack:
        _say("building the image")
        stack.build()
        _say("starting the services")
        stack.up(*SERVERS, *PROGRAMS)
        url = f"http://127.0.0.1:{port}"
        _wait_ready(url)
        api = Api(
            url,
            stack.run(
                "api", "passerelle", "keys", "create", "compose-test", "--role", "administrator"
            ).strip(),
        )
        try:
            _run_with(stack, api, url)
        finally:
            api.client.close()
        _say("taking everything down")


def _run_with(stack: Stack, api: Api, url: str) -> None:
    stack.up("simulators")
    _wait_growth(api, 0)
    for service in (*SERVERS, *PROGRAMS):
        before = _received(api)
        _say(f"restarting {service} ({before} messages accounted for so far)")
        stack.restart(service)
        _wait_ready(url)
        _wait_growth(api, before + ENOUGH)
    _say("restarting simulators")
    stack.stop("simulators")
    _settle(stack, api, runs=1)
    stack.start("simulators")
    _wait_growth(api, _received(api) + ENOUGH)
    for service in (*SERVERS, *PROGRAMS):
        wait_until(partial(stack.healthy, service), what=f"{service} is healthy", seconds=60)
    stack.stop("simulators")
    _settle(stack, api, runs=2)
    for site in ("elgazala", "diamniadio"):
        _ask(api, site)


def _settle(stack: Stack, api: Api, *, runs: int) -> None:
    """Wait until nothing is pending and compare what so many runs published, device by device."""
    files = stack.files("simulators-data")
    reports = [content for name, content in files.items() if name.startswith("published-")]
    if len(reports) != runs:
        raise FlowError(f"the simulators should have written {runs} reports, not {sorted(files)}")
    sent = add_up(reports)
    with suppress(TimeoutError):  # what is missing is said below, device by device
        wait_until(lambda: settled(sent, _ledger(api)), what="it settles", seconds=60, every=1)
    ledger = _ledger(api)
    _say(f"totals: {totals(sent, ledger)}")
    reasons = api.get("/v1/dead-letters/summary")["reasons"]
    _say(f"dead letters: { {one['reason']: one['total'] for one in reasons} }")
    found = differences(sent, ledger)
    if found or not settled(sent, ledger):
        raise FlowError("messages are not accounted for:\n" + "\n".join(found))


def _ask(api: Api, site: str) -> None:
    """Ask for the temperatures of a site; there must be some."""
    answer = api.get(
        "/v1/readings", site=site, quantities="air_temperature", every="10min", **{"from": "-3h"}
    )
    windows = [
        point
        for series in answer["series"]
        for point in series["points"]
        if point["value"] is not None
    ]
    if not windows:
        raise FlowError(f"no air temperature of {site} was stored")
    _say(f"{site}: {len(windows)} windows of air temperature")


def _ledger(api: Api) -> Ledger:
    return api.account()


def _received(api: Api) -> int:
    return sum(row["received"] for row in _ledger(api).values())


def _wait_growth(api: Api, before: int) -> None:
    def grown() -> bool:
        try:
            return _received(api) > before
        except (httpx.HTTPError, AssertionError):
            return False  # the API, or what it asks, is still starting

    wait_until(grown, what=f"more than {before} messages are received", seconds=90, every=0.5)


def _wait_ready(url: str) -> None:
    def ready() -> bool:
        try:
            return httpx.get(f"{url}/health/ready", timeout=10).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    wait_until(ready, what=f"{url}/health/ready says that everything works", seconds=120, every=0.5)


_BEGAN = time.monotonic()


def _say(line: str) -> None:
    sys.stdout.write(f"compose: {time.monotonic() - _BEGAN:5.0f} s  {line}\n")
    sys.stdout.flush()
