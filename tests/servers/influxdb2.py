"""A real InfluxDB 2."""

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

IMAGE = "docker.io/library/influxdb:2"
VERSION = "2.10.0"
REMEDY = "make test-servers"
URL_VARIABLE = "PASSERELLE_TEST_INFLUXDB_URL"
TOKEN_VARIABLE = "PASSERELLE_TEST_INFLUXDB_TOKEN"
ORG_VARIABLE = "PASSERELLE_TEST_INFLUXDB_ORG"

_ORG = "passerelle"
_TOKEN = "test-token-of-a-throwaway-server"
_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class InfluxDB2:
    """How to reach an InfluxDB 2 as its administrator."""

    url: str
    token: str
    org: str

    def create_bucket(self, name: str | None = None) -> str:
        """Create an empty bucket that keeps its points for ever; return its name."""
        name = name or f"test-{uuid.uuid4().hex}"
        with self._client() as client:
            answer = client.get("/api/v2/orgs", params={"org": self.org}).raise_for_status()
            org_id = answer.json()["orgs"][0]["id"]
            body = {"orgID": org_id, "name": name, "retentionRules": []}
            client.post("/api/v2/buckets", json=body).raise_for_status()
        return name

    def settings(self, bucket: str) -> dict[str, str]:
        """Return the settings of a program that stores in a bucket, as environment variables."""
        return {
            "PASSERELLE_STORE__URL": f"influxdb+{self.url}",
            "PASSERELLE_STORE__TOKEN": self.token,
            "PASSERELLE_STORE__ORG": self.org,
            "PASSERELLE_STORE__BUCKET": bucket,
        }

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket; nothing when there is none of this name."""
        with self._client() as client:
            found = client.get("/api/v2/buckets", params={"org": self.org, "name": name})
            for bucket in found.json().get("buckets", []):
                client.delete(f"/api/v2/buckets/{bucket['id']}").raise_for_status()

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Token {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=_SECONDS)


class InfluxDB2Server(Server):
    """An InfluxDB 2 on a free port of 127.0.0.1, set up with one organisation and token."""

    name = "InfluxDB 2"

    def __init__(self, *, runner: Runner, port: int) -> None:
        super().__init__(runner=runner)
        self.port = port
        self.access = InfluxDB2(url=f"http://127.0.0.1:{port}", token=_TOKEN, org=_ORG)

    def start(self) -> None:
        """Start it; at the first start, set it up."""
        super().start()
        with httpx.Client(base_url=self.access.url, timeout=_SECONDS) as client:
            if client.get("/api/v2/setup").raise_for_status().json()["allowed"]:
                account = {"username": "admin", "password": "throwaway-password"}
                place = {"org": _ORG, "bucket": "first", "token": _TOKEN}
                client.post("/api/v2/setup", json=account | place).raise_for_status()

    def answers(self) -> bool:
        """Tell whether its API answers; `/health` says "pass" before it does."""
        try:
            return httpx.get(f"{self.access.url}/api/v2/setup", timeout=2).is_success
        except httpx.HTTPError:
            return False


def new_influxdb2(directory: Path) -> InfluxDB2Server:
    """Return a server that keeps its files in an empty directory; not started.

    Raises:
        ServerUnavailableError: there is no InfluxDB 2 on this machine.
    """
    origin = choose(
        server="InfluxDB 2",
        image=IMAGE,
        binary="influxd",
        remedy=REMEDY,
        built=server_cache() / f"influxdb-{VERSION}" / "influxd",
        accept=of_generation(2),
    )
    port = free_port()
    quiet = ["--reporting-disabled", "--log-level", "error"]
    runner: Runner
    if isinstance(origin, Image):
        runner = ServerContainer(
            engine=origin.engine,
            image=origin.name,
            command=["influxd", "run", "--http-bind-address", f":{port}", *quiet],
            ports={port: port},
        )
    else:
        files = {
            "--bolt-path": "influxd.bolt",
            "--engine-path": "engine",
            "--sqlite-path": "influxd.sqlite",
        }
        places = [part for flag, name in files.items() for part in (flag, str(directory / name))]
        address = ["--http-bind-address", f"127.0.0.1:{port}"]
        runner = ServerProcess(
            command=[str(origin), "run", *address, *places, *quiet],
            log_file=directory / "influxd.log",
        )
    return InfluxDB2Server(runner=runner, port=port)


def given_influxdb2() -> InfluxDB2 | None:
    """Return the server that the environment names, if it names one."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        return None
    return InfluxDB2(
        url=url.rstrip("/"),
        token=os.environ.get(TOKEN_VARIABLE, ""),
        org=os.environ.get(ORG_VARIABLE, _ORG),
    )
