"""A further sink of Parquet files in a directory: `parquet:///path/of/directory`."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigurationError
from core.settings import SinkSettings
from storage.plugin import SinkPlugin
from storage.ports import PointWriter


def directory_of(url: str) -> Path:
    """Return the directory that a sink's address names.

    Raises:
        ConfigurationError: it names none.
    """
    name = url.removeprefix("parquet:///")
    if name in {url, ""}:
        raise ConfigurationError(
            f"url {url!r} names no directory; write parquet:///relative/path or "
            "parquet:////absolute/path"
        )
    return Path(name)


def _open(sink: SinkSettings) -> PointWriter:
    # Loading Arrow takes a while: only those who use it wait for it.
    from core.clock import SystemClock  # noqa: PLC0415
    from storage.backends.parquet.sink import ParquetSink  # noqa: PLC0415

    return ParquetSink(
        directory=directory_of(sink.url),
        span_points=sink.file_points,
        span_age_s=sink.file_age_s,
        clock=SystemClock(),
    )


PLUGIN = SinkPlugin(schemes=("parquet",), open=_open)
