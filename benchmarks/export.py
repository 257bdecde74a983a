"""Does an export take more memory when it is larger? One, five and fifty million values.

`python benchmarks/export.py` fills DuckDB and InfluxDB 2, exports in a process of its own for each
size, and prints rows a second, CPU seconds, the peak of resident memory, and the ratio of
the peaks of the largest and the smallest export. `--huge` adds fifty million, `--store` and
`--format` choose. The file goes to the null device: what is measured is reading and writing, not
the disk.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from api.exports.formats import FORMATS, FormatName
from api.exports.query import ExportQuery
from api.exports.stream import Export
from benchmarks.child import peak_rss_mib
from core.clock import NS_PER_S
from core.reading import DeviceKey, Point
from core.settings import load_settings
from storage.backends.duckdb.store import DuckDBStore
from storage.factory import open_store
from storage.ports import Store, Written
from tests.servers.availability import ServerUnavailableError
from tests.servers.influxdb2 import new_influxdb2

T0 = 1_790_000_000 * NS_PER_S
DEVICES = 20
QUANTITIES = (
    "air_temperature",
    "barometric_pressure",
    "dew_point",
    "illuminance",
    "relative_humidity",
)
VALUES_AN_INSTANT = DEVICES * len(QUANTITIES)
SIZES = (1_000_000, 5_000_000)
HUGE = 50_000_000
_BATCH_INSTANTS = 500
_KEYS = tuple(DeviceKey("elgazala", f"thermo-{index:02d}") for index in range(DEVICES))


class Measured(msgspec.Struct, frozen=True):
    """One export in a process of its own.

    Attributes:
        rows: in the file.
        size: bytes of the file.
        seconds: from its first to its last byte.
        cpu_s: CPU of the whole process.
        peak_mib: peak of its resident memory.
        before_mib: the same before the export began: Python, libraries, the open store.
        cache_mib: of the peak, what DuckDB keeps of its file for any reader, up to its own limit; 0
            for a store that is a server.
    """

    rows: int
    size: int
    seconds: float
    cpu_s: float
    peak_mib: float
    before_mib: float
    cache_mib: float


def query_of(values: int) -> ExportQuery:
    """Return the query that selects the first `values` values."""
    return ExportQuery(
        devices=_KEYS,
        quantities=QUANTITIES,
        start_ns=T0,
        end_ns=T0 + values // VALUES_AN_INSTANT * NS_PER_S,
        zone="Africa/Tunis",
    )


def fill(store: Store, values: int) -> None:
    """Write so many values: each second one of every quantity of every device."""
    instants = values // VALUES_AN_INSTANT
    for first in range(0, instants, _BATCH_INSTANTS):
        batch = [
            Point(
                key.site,
                key.device,
                "environment",
                T0 + second * NS_PER_S,
                {name: 20 + second % 997 / 10 + place for place, name in enumerate(QUANTITIES)},
            )
            for second in range(first, min(first + _BATCH_INSTANTS, instants))
            for key in _KEYS
        ]
        if store.write(batch) != Written():
            raise RuntimeError("the store did not take the batch")


def measure(values: int, form: FormatName) -> Measured:
    """Export from the store of the settings, in this process."""
    store = open_store(load_settings())
    store.ping()
    before = peak_rss_mib(os.getpid())
    export = Export(
        store=store,
        query=query_of(values),
        form=FORMATS[form],
        metadata={"zone": "Africa/Tunis"},
    )
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as file:
        file.writelines(export)
    seconds = time.perf_counter() - began
    cache_mib = duckdb_cache_mib(store)
    store.close()
    used = os.times()
    return Measured(
        rows=export.rows,
        size=export.size,
        seconds=seconds,
        cpu_s=used.user + used.system,
        peak_mib=peak_rss_mib(os.getpid()),
        before_mib=before,
        cache_mib=cache_mib,
    )


def duckdb_cache_mib(store: Store) -> float:
    """Return how much of its file DuckDB keeps in memory, MiB."""
    if not isinstance(store, DuckDBStore):
        return 0.0
    with store._file.cursor() as cursor:  # noqa: SLF001 - nothing but a benchmark asks
        [(size,)] = cursor.execute(
            "SELECT coalesce(sum(memory_usage_bytes), 0) FROM duckdb_memory()"
        ).fetchall()
    return float(size) / 2**20


def in_a_process(environment: dict[str, str], values: int, form: FormatName) -> Measured:
    """Export in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(values), "--format", form.value],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Measured)


@contextmanager
def stores(which: Sequence[str]) -> Iterator[dict[str, dict[str, str]]]:
    """Start what can be started; yield the settings of each store as variables."""
    with tempfile.TemporaryDirectory() as directory:
        found = {}
        if "duckdb" in which:
            found["duckdb"] = {"PASSERELLE_STORE__URL": f"duckdb:///{directory}/store.duckdb"}
        if "influxdb" not in which:
            yield found
            return
        try:
            server = new_influxdb2(Path(directory))
        except ServerUnavailableError as error:
            print(f"influxdb NOT MEASURED: {error}")
            yield found
            return
        with server:
            found["influxdb"] = {
                "PASSERELLE_STORE__URL": f"influxdb+{server.access.url}",
                "PASSERELLE_STORE__TOKEN": server.access.token,
                "PASSERELLE_STORE__ORG": server.access.org,
                "PASSERELLE_STORE__BUCKET": server.access.create_bucket(),
            }
            yield found


def compared(name: str, environment: dict[str, str], sizes: list[int], form: FormatName) -> None:
    """Fill one store, export each size, print the figures and the ratio."""
    os.environ.update(environment)
    store = open_store(load_settings())
    fill(store, max(sizes))
    store.close()
    peaks = []
    for values in sizes:
        one = in_a_process(environment, values, form)
        if one.rows != values:
            raise RuntimeError(f"{one.rows} rows came of {values}")
        peaks.append(one.peak_mib - one.cache_mib)
        print(
            f"{name:9} {form.value:8} {values:>11,} values  {values / one.seconds:>9,.0f}/s  "
            f"{one.cpu_s:7.1f} CPU s  {one.size / values:5.1f} B/value  "
            f"peak {one.peak_mib:4.0f} MiB (before: {one.before_mib:.0f}; "
            f"DuckDB's cache: {one.cache_mib:.0f})",
            flush=True,
        )
    print(
        f"{name:9} ratio of peak memory less cache, {sizes[-1]:,} / {sizes[0]:,} values: "
        f"{peaks[-1] / peaks[0]:.2f}",
        flush=True,
    )


def main() -> None:
    """Measure what the options say."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--store", choices=["duckdb", "influxdb"], action="append")
    options.add_argument("--format", type=FormatName, default=FormatName.PARQUET)
    options.add_argument("--huge", action="store_true", help="fifty million values too")
    options.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one is not None:
        sys.stdout.buffer.write(msgspec.json.encode(measure(chosen.one, chosen.format)))
        return
    sizes = [*SIZES, HUGE] if chosen.huge else list(SIZES)
    with stores(chosen.store or ["duckdb", "influxdb"]) as found:
        for name, environment in found.items():
            compared(name, environment, sizes, chosen.format)


if __name__ == "__main__":
    main()
