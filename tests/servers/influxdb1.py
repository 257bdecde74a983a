"""A real InfluxDB 1."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers.availability import server_cache
from tests.servers.choice import Image, choose
from tests.servers.containers import ServerContainer
from tests.servers.influxd import of_generation
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.runner import Runner
from tests.servers.server import Server

IMAGE = "docker.io/library/influxdb:1.13"
VERSION = "1.13.2"
REMEDY = "make test-servers"
URL_VARIABLE = "PASSERELLE_TEST_INFLUXDB1_URL"

_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class InfluxDB1:
    """How to reach an InfluxDB 1 that asks for no password."""

    url: str

    def create_database(self, name: str | None = None) -> str:
        """Create an empty database; return its name."""
        name = name or f"test-{uuid.uuid4().hex}"
        self._run(f'CREATE DATABASE "{name}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database; nothing when there is none of this name."""
        self._run(f'DROP DATABASE "{name}"')

    def _run(self, statement: str) -> None:
        answer = httpx.post(f"{self.url}/query", params={"q": statement}, timeout=_SECONDS)
        answer.raise_for_status()
        for result in answer.json()["results"]:
            if "error" in result:
                raise RuntimeError(f"{statement}: {result['error']}")


class InfluxDB1Server(Server):
    """An InfluxDB 1 on a free port of 127.0.0.1."""

    name = "InfluxDB 1"

    def __init__(self, *, runner: Runner, port: int) -> None:
        super().__init__(runner=runner)
        self.port = port
        self.access = InfluxDB1(url=f"http://127.0.0.1:{port}")

    def answers(self) -> bool:
        """Tell whether it answers a ping."""
        try:
            return httpx.get(f"{self.access.url}/ping", timeout=2).is_success
        except httpx.HTTPError:
            return False


def new_influxdb1(directory: Path) -> InfluxDB1Server:
    """Return a server that keeps its files in an empty directory; not started.

    Raises:
        ServerUnavailableError: there is no InfluxDB 1 on this machine.
    """
    origin = choose(
        server="InfluxDB 1",
        image=IMAGE,
        binary="influxd",
        remedy=REMEDY,
        built=server_cache() / f"influxdb-{VERSION}" / "influxd",
        accept=of_generation(1),
    )
    port = free_port()
    quiet = {"INFLUXDB_REPORTING_DISABLED": "true", "INFLUXDB_HTTP_LOG_ENABLED": "false"}
    runner: Runner
    if isinstance(origin, Image):
        runner = ServerContainer(
            engine=origin.engine,
            image=origin.name,
            command=["influxd"],
            environment=quiet | {"INFLUXDB_HTTP_BIND_ADDRESS": f":{port}"},
            ports={port: port},
        )
    else:
        places = {
            "INFLUXDB_META_DIR": str(directory / "meta"),
            "INFLUXDB_DATA_DIR": str(directory / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(directory / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
        }
        runner = ServerProcess(
            command=[str(origin), "run", "-config", os.devnull],
            environment=quiet | places,
            log_file=directory / "influxd.log",
        )
    return InfluxDB1Server(runner=runner, port=port)


def given_influxdb1() -> InfluxDB1 | None:
    """Return the server that the environment names, if it names one."""
    url = os.environ.get(URL_VARIABLE)
    return InfluxDB1(url=url.rstrip("/")) if url else None
