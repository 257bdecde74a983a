"""The API on a real socket, in this process and as `python -m api`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.server import ApiServer
from core.access import EVERYTHING
from core.clock import SystemClock
from core.errors import ConfigurationError
from core.metrics import Metrics
from core.reading import Point
from core.settings import load_settings
from devices.registry import Device, Registry
from storage.backends.memory import MemoryStore
from tests.servers.waiting import wait_until

START_S = 30.0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(load_settings(data_dir=tmp_path).registry_url, clock=SystemClock())
    opened.migrate()
    opened.seed([], [])
    yield opened
    opened.close()


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    opened = MemoryStore()
    yield opened
    opened.close()


@pytest.fixture
def app(tmp_path: Path, registry: Registry, store: MemoryStore) -> FastAPI:
    return create_app(
        settings=load_settings(data_dir=tmp_path),
        registry=registry,
        store=store,
        metrics=Metrics(),
        clock=SystemClock(),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_device_is_registered_and_its_values_are_read_over_a_socket(
    app: FastAPI, registry: Registry, store: MemoryStore
) -> None:
    registry.devices.add(Device(id="d-1", site="diamniadio", profile="p", external_id="d-1"))
    now_ns = SystemClock().now_ns()
    store.write([Point("diamniadio", "d-1", "environment", now_ns, {"air_temperature": 31.5})])
    key, _ = registry.keys.create("socket", grants=EVERYTHING)
    server = ApiServer(app, "127.0.0.1", 0)
    url = server.start()
    try:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
            assert client.get("/health/live").status_code == 200
            latest = client.get("/v1/devices/d-1/latest").json()
            readings = client.get("/v1/readings", params={"site": "diamniadio"}).json()
    finally:
        server.stop()
    assert latest["values"][0]["value"] == 31.5
    assert readings["series"][0]["points"][0]["value"] == 31.5
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/live")


def test_small_answers_do_not_wait_for_delayed_acknowledgements(
    app: FastAPI, registry: Registry
) -> None:
    key, _ = registry.keys.create("speed", grants=EVERYTHING)
    server = ApiServer(app, "127.0.0.1", 0)
    url = server.start()
    try:
        with httpx.Client(base_url=url, headers={"X-API-Key": key}) as client:
            quickest = min(client.get("/v1/sites").elapsed.total_seconds() for _ in range(20))
    finally:
        server.stop()
    assert quickest < 0.035


def test_a_busy_port_is_one_clear_sentence(app: FastAPI) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=f"127.0.0.1:{port}: another program"
        ) as raised:
            ApiServer(app, "127.0.0.1", port).start()
    assert "\n" not in raised.value.detail


def test_an_address_that_is_not_ours_is_one_clear_sentence(app: FastAPI) -> None:
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(ConfigurationError, match="cannot listen on"):
            ApiServer(app, host, 0).start()


def test_a_port_can_be_used_again_after_stop(app: FastAPI) -> None:
    port = free_port()
    for _ in range(2):
        server = ApiServer(app, "127.0.0.1", port)
        assert server.start() == f"http://127.0.0.1:{port}"
        server.stop()


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",), ("127.0.0.0/8",)])
def test_a_forwarded_address_is_believed_from_a_proxy_that_the_settings_name(
    tmp_path: Path, registry: Registry, store: MemoryStore, proxies: tuple[str, ...]
) -> None:
    settings = load_settings(
        data_dir=tmp_path, api={"wrong_keys_per_minute": 1, "trusted_proxies": proxies}
    )
    app = create_app(
        settings=settings,
        registry=registry,
        store=store,
        metrics=Metrics(),
        clock=SystemClock(),
    )
    server = ApiServer(app, "127.0.0.1", 0, trusted_proxies=settings.api.trusted_proxies)
    url = server.start()
    try:
        statuses = [
            httpx.get(
                f"{url}/v1/sites", headers={"X-API-Key": "psl_x_y", "X-Forwarded-For": address}
            ).status_code
            for address in ("198.51.100.1", "198.51.100.1", "198.51.100.2")
        ]
    finally:
        server.stop()
    # another address has its own wrong keys, but only where the one who says so is believed
    assert statuses == ([401, 429, 401] if proxies == ("127.0.0.0/8",) else [401, 429, 429])


def test_a_proxy_that_is_no_address_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="PASSERELLE_API__TRUSTED_PROXIES"):
        load_settings(api={"trusted_proxies": ["10.0.0/8"]})


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PASSERELLE_DATA_DIR": str(tmp_path),
        "PASSERELLE_STORE__URL": "memory:",
        "PASSERELLE_API__HOST": "127.0.0.1",
        **more,
    }


def wait_until_it_answers(url: str, process: subprocess.Popen[str]) -> None:
    def answers() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            return httpx.get(f"{url}/health/live").is_success
        except httpx.TransportError:
            return False

    wait_until(answers, seconds=START_S, what="the API answers")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_until_it_is_told_to_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env=environment(tmp_path, PASSERELLE_API__PORT=str(port)),
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}", process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=START_S)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_the_program_says_in_one_sentence_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "api"],
            env=environment(tmp_path, PASSERELLE_API__PORT=str(taken.getsockname()[1])),
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
    assert ended.returncode == 2
    assert "another program" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_program_waits_for_its_registry_and_says_so_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        env=environment(
            tmp_path,
            PASSERELLE_REGISTRY__URL=f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none",
            PASSERELLE_LOGGING__FORMAT="json",
        ),
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "registry_unavailable" in first, first
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=START_S)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "registry_unavailable" not in rest
