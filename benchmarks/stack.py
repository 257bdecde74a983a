"""The servers of a benchmark: one Mosquitto and one InfluxDB 2, with limits set on purpose."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.influx import Bucket
from benchmarks.machine import filesystem
from tests.servers.availability import ORIGIN_VARIABLE
from tests.servers.influxdb2 import InfluxDB2Server, new_influxdb2
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer, new_mosquitto

BROKER = MosquittoOptions(
    persistence=True,
    # As shipped in deploy/mosquitto, and no less than what each client bounds by itself.
    max_inflight_messages=20_000,
    # 0: no bound. A bound would drop what the publisher was told is safe.
    max_queued_messages=0,
    # autosave as shipped in deploy/mosquitto; subscriptions are logged to see that they were made
    lines=("max_queued_bytes 0", "autosave_interval 30", "log_type subscribe"),
)
"""Mosquitto's settings in every benchmark; `docs/performance.md` shows them."""


class NotOnDiskError(Exception):
    """The directory is in memory: an fsync there costs nothing, and a figure would be a lie."""


class Servers:
    """Both servers, running.

    Attributes:
        broker: Mosquitto.
        influxdb: InfluxDB 2.10.
        directory: where programs under measurement may write.
    """

    def __init__(
        self, *, broker: MosquittoServer, influxdb: InfluxDB2Server, directory: Path
    ) -> None:
        self.broker = broker
        self.influxdb = influxdb
        self.directory = directory

    def bucket(self) -> Bucket:
        """Create an empty bucket."""
        return Bucket(access=self.influxdb.access, name=self.influxdb.access.create_bucket())

    def connections(self, client_id: str) -> int:
        """Return how often a client has connected."""
        return len(re.findall(rf"New client connected from \S+ as {client_id} ", self.broker.log()))

    def subscribed(self, client_id: str) -> bool:
        """Say whether a client ever had a subscription granted."""
        return re.search(rf": {client_id} \d ", self.broker.log()) is not None


def only_local_programs() -> None:
    """Have the servers run as processes of this machine, whose CPU can be seen."""
    os.environ[ORIGIN_VARIABLE] = "binaries"


@contextmanager
def running_servers(directory: Path, *, in_memory: bool = False) -> Iterator[Servers]:
    """Run both servers in an empty directory.

    Args:
        directory: on a disk.
        in_memory: allow a directory that is in memory, for tests of the benchmark itself.

    Raises:
        NotOnDiskError: the directory is in memory.
        ServerUnavailableError: a server is not on this machine.
    """
    directory = directory.absolute()  # the servers work elsewhere
    directory.mkdir(parents=True, exist_ok=True)
    if not in_memory and filesystem(directory) in {"tmpfs", "ramfs"}:
        raise NotOnDiskError(f"{directory} is in memory; name a directory on a disk: --directory")
    places = {name: directory / name for name in ("mosquitto", "influxdb", "programs")}
    for place in places.values():
        place.mkdir()
    with (
        new_mosquitto(places["mosquitto"], BROKER) as broker,
        new_influxdb2(places["influxdb"]) as influxdb,
    ):
        yield Servers(broker=broker, influxdb=influxdb, directory=places["programs"])
