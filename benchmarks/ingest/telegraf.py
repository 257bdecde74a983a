"""Telegraf as a contender: mqtt_consumer, json_v2, outputs.influxdb_v2; the same points.

Its settings are, for each buffer, those that did best of six tried: size of a batch, messages in
flight (two batches), interval of the flush, and the cheaper of two ways to name the fields. Nothing
that it need not do is on. With its memory buffer it acknowledges what InfluxDB has confirmed; with
`disk_write_through` what is in its log on disk, as Passerelle does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from benchmarks.child import Child
from benchmarks.ingest.contender import Stage
from benchmarks.workload import CATEGORY, PASSERELLE_JSON
from tests.servers.availability import ServerUnavailableError, server_cache

VERSION = "1.37.2"
Buffer = Literal["memory", "disk_write_through"]

_CONFIGURATION = """\
[agent]
  omit_hostname = true
  metric_batch_size = {batch}
  metric_buffer_limit = 1000000
  flush_interval = "{flush}"
  quiet = true
  buffer_strategy = "{buffer}"
  buffer_directory = "{directory}"

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["{topic}"]
  qos = 1
  persistent_session = true
  client_id = "{client_id}"
  max_undelivered_messages = {undelivered}
  topic_tag = ""
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "{topic}"
    tags = "_/_/site/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "{measurement}"
    timestamp_path = "t"
    timestamp_format = "2006-01-02T15:04:05Z07:00"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "v"

[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""
_TUNING: Mapping[Buffer, Mapping[str, object]] = MappingProxyType(
    {
        "memory": {"batch": 5000, "undelivered": 10_000, "flush": "100ms"},
        "disk_write_through": {"batch": 10_000, "undelivered": 20_000, "flush": "1s"},
    }
)


class Telegraf:
    """One Telegraf.

    Args:
        buffer: its buffer strategy.
    """

    def __init__(self, *, buffer: Buffer) -> None:
        self.name = f"Telegraf, {'memory' if buffer == 'memory' else 'disk'} buffer"
        self._buffer = buffer

    def client_ids(self, stage: Stage) -> list[str]:
        """See `Contender.client_ids`."""
        return [f"telegraf-{stage.name}"]

    def children(self, stage: Stage) -> list[Child]:
        """See `Contender.children`.

        Raises:
            ServerUnavailableError: Telegraf was not built.
        """
        program = server_cache() / f"telegraf-{VERSION}" / "telegraf"
        if not os.access(program, os.X_OK):
            raise ServerUnavailableError(
                server="Telegraf",
                tried=f"there is no {program.name} {VERSION} in {program.parent}",
                remedy="make benchmark-servers",
            )
        configuration = stage.directory / "telegraf.conf"
        configuration.write_text(self.configuration(stage), encoding="utf-8")
        return [
            Child(
                name="telegraf",
                command=[str(program), "--config", str(configuration)],
                environment={},
                log=stage.directory / "telegraf.log",
            )
        ]

    def configuration(self, stage: Stage) -> str:
        """Return the configuration of a run."""
        access = stage.bucket.access
        return _CONFIGURATION.format(
            buffer=self._buffer,
            directory=stage.directory / "buffer",
            port=stage.broker_port,
            topic=PASSERELLE_JSON.topic.format(site="+", device="+"),
            client_id=self.client_ids(stage)[0],
            measurement=CATEGORY,
            **_TUNING[self._buffer],
            url=access.url,
            token=access.token,
            org=access.org,
            bucket=stage.bucket.name,
        )

    def stored(self, stage: Stage) -> int:
        """See `Contender.stored`."""
        return stage.bucket.points()

    def values(self, stage: Stage) -> dict[str, int]:
        """See `Contender.values`."""
        return stage.bucket.values()

    def account(self, _stage: Stage) -> dict[str, int]:
        """Telegraf keeps no account."""
        return {}
