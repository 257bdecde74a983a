"""The servers of the tests behave the same as containers, by testcontainers on podman."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import influxdb1, influxdb2, mosquitto, postgres
from tests.servers.availability import ServerUnavailableError, find_binary
from tests.servers.containers import engine_address
from tests.servers.missing import skipped_when_unavailable
from tests.servers.process import ServerProcess
from tests.servers.waiting import wait_until

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "deploy" / "test-images"
IMAGES = (mosquitto.IMAGE, influxdb2.IMAGE, influxdb1.IMAGE, postgres.IMAGE)


def podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["podman", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> Iterator[str]:
    """Serve Docker's API by podman, with the settings of deploy/test-images."""
    with skipped_when_unavailable(pytestconfig):
        if find_binary("podman") is None:
            raise ServerUnavailableError(
                server="podman", tried="there is no program podman", remedy="apt-get install podman"
            )
        monkeypatch.setenv("CONTAINERS_CONF", str(SETTINGS / "containers.conf"))
        monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(SETTINGS / "registries.conf"))
        for image in IMAGES:
            if podman("image", "exists", image).returncode != 0:
                raise ServerUnavailableError(
                    server="podman", tried=f"it has no image {image}", remedy="make images"
                )
    address = f"unix://{tmp_path}/podman.sock"
    monkeypatch.setenv("DOCKER_HOST", address)
    service = ServerProcess(
        command=["podman", "system", "service", "--time=0", address],
        log_file=tmp_path / "podman.log",
    )
    service.start()
    try:
        wait_until(engine_address, what="podman answers")
        yield address
    finally:
        service.stop()


@pytest.mark.slow
def test_every_server_starts_answers_and_survives_as_a_container(engine: str) -> None:
    tests = "_keeps_ or _takes_ or _is_on_ or _gives_ or tls"
    file = "tests/integration/test_servers.py"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", tests, file],
        cwd=ROOT,
        env={
            **os.environ,
            "DOCKER_HOST": engine,
            "PASSERELLE_TEST_SERVERS_FROM": "containers",
            "PASSERELLE_REQUIRE_SERVERS": "1",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "9 passed" in result.stdout, result.stdout
