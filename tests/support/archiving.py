"""An accept stage with a raw archive, in a directory, fed by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_HOUR, NS_PER_S, ManualClock, iso
from core.metrics import Metrics
from core.settings import ArchiveSettings, IngestSettings, SpoolSettings
from devices.registry.records import Device
from ingest.accept import Accept
from ingest.archive import Archive
from ingest.archive_blocks import Archived, Contents
from ingest.archive_segments import Damaged, Segment, read_archive, segments_of
from ingest.arrival import Arrival
from ingest.checkpoint import Checkpoint
from ingest.directory import Directory
from ingest.drain import Drain
from ingest.memory_source import MemorySource
from ingest.spool import Spool
from ingest.validate import ClockPolicy
from storage.ports import PointWriter
from tests.support.directory import directory_of

NOW = 1_790_000_000 * NS_PER_S // NS_PER_HOUR * NS_PER_HOUR
TOPIC = b"passerelle/v1/elgazala/thermo-1/telemetry"
POLICY = ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300)
DIRECTORY = directory_of(
    Device(id="thermo-1", site="elgazala", profile="passerelle", external_id="thermo-1")
)


class StageCrashError(Exception):
    """The stage ended here, as by a power cut."""


class ArchiveBench:
    """The stage, its spool and its archive; what a test looks at.

    Args:
        directory: where everything is.
        clock: the time.
        devices: whose messages are known.
        archive: settings of the archive.
    """

    def __init__(
        self,
        directory: Path,
        clock: ManualClock,
        *,
        devices: Directory = DIRECTORY,
        **archive: object,
    ) -> None:
        self.directory = directory
        self.archived = directory / "archive-worker-1"
        self.clock = clock
        self.devices = devices
        self.settings = ArchiveSettings.model_validate({"enabled": True, **archive})
        self.metrics = Metrics()
        self.crash_at: Checkpoint | None = None
        self.seq = 0
        self.open()

    def open(self) -> None:
        """Start the stage as it is on disk."""
        self.spool = Spool(path=self.directory / "spool.db")
        self.archive = Archive(
            settings=self.settings,
            directory=self.archived,
            spool=self.spool.identity,
            committed=self.spool.archived,
            clock=self.clock,
            metrics=self.metrics,
        )
        self.accept = Accept(
            source=MemorySource(clock=self.clock),
            spool=self.spool,
            directory=self.devices,
            policy=POLICY,
            clock=self.clock,
            metrics=self.metrics,
            ingest=IngestSettings.model_validate({}),
            limits=SpoolSettings.model_validate({}),
            on_commit=lambda: None,
            on_facts=lambda _facts: None,
            archive=self.archive,
            checkpoint=self._pass,
        )

    def _pass(self, checkpoint: Checkpoint) -> None:
        if checkpoint is self.crash_at:
            raise StageCrashError

    def message(self, *, values: object = None, **more: object) -> Arrival:
        """Return a message of the device."""
        self.seq += 1
        at = iso(self.clock.now_ns() - NS_PER_S + self.seq)
        body = {"seq": self.seq, "boot": 1, "t": at, "v": values or {"air_temperature": 21.5}}
        fields = {"topic": TOPIC, "payload": msgspec.json.encode(body), "mid": 0, "qos": 1, **more}
        return msgspec.convert({"received_ns": self.clock.now_ns(), **fields}, Arrival)

    def receive(self, *arrivals: Arrival) -> list[Arrival]:
        """Judge, keep, commit and acknowledge messages, or two new ones; return them."""
        given = list(arrivals) or [self.message(), self.message()]
        self.accept.process(given)
        return given

    def crash(self, *arrivals: Arrival, at: Checkpoint) -> None:
        """End as a power cut would; the file that was open is left as it is."""
        self.crash_at = at
        with pytest.raises(StageCrashError):
            self.receive(*arrivals)
        self.crash_at = None
        self.restart()

    def restart(self) -> None:
        """End well and start again."""
        self.close()
        self.open()

    def close(self) -> None:
        """Close the files."""
        self.archive.close()
        self.spool.close()

    def drain(self, store: PointWriter) -> None:
        """Give the store what waits for it."""
        drain = Drain(
            spool=self.spool, store=store, clock=self.clock, metrics=self.metrics, batch_points=500
        )
        while drain.drain_once():
            pass

    def kept(self) -> list[Archived]:
        """Return every message of the archive."""
        return [one for contents in self.contents() for one in contents.messages]

    def contents(self) -> list[Contents]:
        """Return what each block of the archive holds."""
        found = list(read_archive(self.archived, start_ns=0, end_ns=2**62))
        assert not any(isinstance(one, Damaged) for one in found)
        return [one[1] for one in found if not isinstance(one, Damaged)]

    def segments(self) -> list[Segment]:
        """Return the files of the archive."""
        return segments_of(self.archived)

    def count(self, name: str, **labels: str) -> float:
        """Return a metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
