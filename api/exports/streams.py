"""Exports that are streamed while they are read: so many at once, and no more."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import msgspec

from api.exports.formats import Format
from api.exports.metadata import file_metadata
from api.exports.query import ExportQuery
from api.exports.stream import Export
from core.clock import Clock
from core.errors import ExportsBusyError
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import Registry
from storage.ports import PointReader

KIND = "stream"


class OpenStream(msgspec.Struct, frozen=True):
    """An export that has its place.

    Attributes:
        export: not yet begun.
        done: to be called when it ends, however it ends; a second call does nothing.
    """

    export: Export
    done: Callable[[], None]


class Streams:
    """Gives out the places. Used from many threads.

    Args:
        settings: the section `exports` says how many there are.
        registry: for metadata.
        store: from which rows are read.
        metrics: where exports are counted.
        clock: where now comes from.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        store: PointReader,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._most = settings.exports.streams
        self._registry = registry
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._lock = Lock()
        self._active = 0

    def open(self, query: ExportQuery, form: Format) -> OpenStream:
        """Return a stream.

        Raises:
            ExportsBusyError: every place is taken.
            RegistryUnavailableError: the metadata cannot be read.
        """
        release = self.place()
        try:
            metadata = file_metadata(self._registry, query, now_ns=self._clock.now_ns())
            export = Export(store=self._store, query=query, form=form, metadata=metadata)
        except BaseException:
            release()
            raise
        return OpenStream(export, lambda: self._ended(export, release))

    def place(self) -> Callable[[], bool]:
        """Take a place; return what gives it back (True the first time).

        Raises:
            ExportsBusyError: every place is taken.
        """
        with self._lock:
            if self._active >= self._most:
                raise ExportsBusyError(
                    f"{self._active} exports are under way, as many as there may be "
                    "(setting exports.streams); wait, or order a job: POST /v1/exports/jobs"
                )
            self._active += 1
            self._metrics.exports_active.labels(KIND).set(self._active)
        taken = True

        def release() -> bool:
            nonlocal taken
            with self._lock:
                if not taken:
                    return False
                taken = False
                self._active -= 1
                self._metrics.exports_active.labels(KIND).set(self._active)
                return True

        return release

    def _ended(self, export: Export, release: Callable[[], bool]) -> None:
        if release():
            count(self._metrics, KIND, export, "complete" if export.complete else "failed")


def count(metrics: Metrics, kind: str, export: Export, outcome: str) -> None:
    """Count an export that ended."""
    metrics.exports.labels(kind, outcome).inc()
    metrics.export_rows.labels(kind).inc(export.rows)
    metrics.export_bytes.labels(kind).inc(export.size)
