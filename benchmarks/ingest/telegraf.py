"""Telegraf as people use it for the same work: mqtt_consumer, json_v2, influxdb_v2.

Its settings are chosen in its favour: many messages undelivered, large batches, a session that
outlives the connection, QoS 1.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

VERSION = "1.37.2"
_CONFIGURATION = """
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
  omit_hostname = true
  quiet = true
{buffer}
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{mqtt}"]
  topics = ["passerelle/v1/+/+/telemetry"]
  qos = 1
  persistent_session = true
  client_id = "{name}"
  max_undelivered_messages = 20000
  data_format = "json_v2"
  topic_tag = ""
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "_/_/site/device/_"
    tags = "_/_/site/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "environment"
    timestamp_path = "t"
    timestamp_format = "rfc3339"
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "v"

[[outputs.influxdb_v2]]
  urls = ["{influxdb}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""
_DISK = '  buffer_strategy = "disk_write_through"\n  buffer_directory = "{directory}"\n'


def binary() -> Path | None:
    """Return the Telegraf that `make benchmark-servers` built, or one of the PATH."""
    home = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    cache = Path(os.environ.get("PASSERELLE_CACHE", f"{home}/passerelle"))
    built = cache / "servers" / f"telegraf-{VERSION}" / "telegraf"
    if built.exists():
        return built
    found = shutil.which("telegraf")
    return Path(found) if found else None


def configure(
    path: Path, *, name: str, mqtt: int, influxdb: str, token: str, org: str, bucket: str,
    disk: Path | None,
) -> None:  # fmt: skip
    """Write its configuration to `path`; with `disk`, its buffer is written through to there."""
    buffer = "" if disk is None else _DISK.format(directory=disk)
    text = _CONFIGURATION.format(
        buffer=buffer, name=name, mqtt=mqtt, influxdb=influxdb, token=token, org=org, bucket=bucket
    )
    path.write_text(text, encoding="utf-8")
