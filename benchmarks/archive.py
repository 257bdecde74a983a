"""What the raw archive costs: bytes on disk and CPU a message, by size of batch and level of zstd.

`python benchmarks/archive.py [MESSAGES]` keeps the same messages of 200 devices (Passerelle's JSON,
three quantities with noise) through the accept stage, and prints, for each size of batch, the bytes
that a message takes in the archive and the CPU of `Archive.keep` alone, the least of three runs.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from core.clock import NS_PER_S, SystemClock, iso
from core.metrics import Metrics
from core.settings import ArchiveSettings
from devices.registry.records import Device
from ingest.archive import Archive
from ingest.arrival import Arrival
from ingest.batch import Batch
from ingest.batch_judge import BatchJudge
from ingest.duplicates import DuplicateWindow
from ingest.judge import Judge
from ingest.progress import ProgressTable
from ingest.validate import ClockPolicy
from tests.support.directory import directory_of

DEVICES, RUNS = 200, 3
BATCHES = (5000, 500, 50, 5, 1)
LEVELS = (1, 3, 9)


def messages(count: int) -> list[Arrival]:
    """Return messages as they come from a broker, 20 ms apart."""
    source, now_ns = random.Random(1), SystemClock().now_ns()  # noqa: S311 - no secret
    made = []
    for number in range(count):
        seq, device = divmod(number, DEVICES)
        values = {
            "air_temperature": round(source.gauss(20, 2), 2),
            "relative_humidity": round(source.gauss(50, 5), 1),
            "battery_level": round(source.uniform(20, 100), 1),
        }
        body = {"seq": seq, "boot": 1, "t": iso(now_ns - NS_PER_S + number * 20_000), "v": values}
        topic = f"passerelle/v1/elgazala/thermo-{device}/telemetry".encode()
        received_ns = now_ns + number * 20_000_000
        made.append(Arrival(topic, msgspec.json.encode(body), received_ns, qos=1))
    return made


def judged(arrivals: Sequence[Arrival], size: int) -> list[tuple[Sequence[Arrival], Batch]]:
    """Return the messages in judged batches."""
    directory = directory_of(
        *(
            Device(
                id=f"thermo-{n}", site="elgazala", profile="passerelle", external_id=f"thermo-{n}"
            )
            for n in range(DEVICES)
        )
    )
    window = DuplicateWindow(max_messages=500_000, max_age_s=3600.0)
    progress = ProgressTable(load=lambda _site, _device: None)
    clock = ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300)
    judge = Judge(directory=directory, window=window, progress=progress, clock=clock, enrol=False)
    batches = BatchJudge(
        judge=judge, directory=directory, window=window, progress=progress, clock=clock
    )
    parts = [arrivals[start : start + size] for start in range(0, len(arrivals), size)]
    return [(part, batches.judge(part)) for part in parts]


def measured(given: list[tuple[Sequence[Arrival], Batch]], level: int) -> tuple[float, float]:
    """Return (bytes, CPU microseconds) a message."""
    count = sum(len(part) for part, _ in given)
    clock, stopping = SystemClock(), threading.Event()
    with tempfile.TemporaryDirectory() as directory:
        archive = Archive(
            settings=ArchiveSettings.model_validate({"enabled": True, "compression_level": level}),
            directory=Path(directory) / "archive",
            spool=1,
            committed=0,
            clock=clock,
            metrics=Metrics(),
        )
        began = time.process_time()
        for part, batch in given:
            archive.keep(part, batch, now_ns=clock.now_ns(), stopping=stopping)
        took_s = time.process_time() - began
        archive.close()
        size = sum(file.stat().st_size for file in Path(directory).rglob("*.arc"))
    return size / count, took_s / count * 1e6


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    arrivals = messages(count)
    raw = sum(len(one.topic) + len(one.payload) for one in arrivals) / count
    print(f"{count} messages, {raw:.0f} bytes of topic and payload each")
    for size in BATCHES:
        given = judged(arrivals[: min(count, size * 2000)], size)
        for level in LEVELS:
            runs = [measured(given, level) for _ in range(RUNS)]
            cpu = min(cpu for _, cpu in runs)
            print(f"batches of {size}, level {level}: {runs[0][0]:.1f} bytes, {cpu:.2f} us CPU")


if __name__ == "__main__":
    main()
