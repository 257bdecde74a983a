"""One order, carried out: its file on disk, its outcome in the registry."""

from __future__ import annotations

import secrets
from threading import Event
from typing import IO

import msgspec

from api.exports.files import ExportFiles
from api.exports.formats import FORMATS, FormatName
from api.exports.metadata import file_metadata
from api.exports.query import ExportQuery
from api.exports.snapshots import devices_metadata, sites_metadata
from api.exports.stream import Export
from api.exports.streams import count
from core.clock import NS_PER_S, Clock
from core.errors import PasserelleError, StoreUnavailableError
from core.logs import logger
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import (
    ExportKind,
    ExportRecord,
    ExportState,
    Registry,
    RegistryUnavailableError,
)
from storage.ports import PointReader

MOST_ATTEMPTS = 5
"""How often an order is begun, at most, when the store or the process fails on the way."""
_NOTE_EVERY_S = 0.5
_WAIT_S = 1.0
_QUERY = msgspec.json.Decoder(ExportQuery)


class _RefusedError(PasserelleError):
    """The order cannot be carried out, ever."""


class Work:
    """Carries out orders, several at once.

    Args:
        settings: the section `exports` bounds sizes and ages.
        registry: where outcomes are noted.
        store: from which rows are read.
        files: where files are written.
        metrics: where exports are counted.
        clock: where now comes from.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        registry: Registry,
        store: PointReader,
        files: ExportFiles,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings.exports
        self._registry = registry
        self._store = store
        self._files = files
        self._metrics = metrics
        self._clock = clock
        self._log = logger("exports")

    def carry_out(self, record: ExportRecord, *, stop: Event) -> None:
        """Make the file of an order that was claimed; note what became of it.

        Args:
            record: in the state `running`.
            stop: when it is set, the order is left to be done again.

        Raises:
            RegistryUnavailableError: the outcome cannot be noted; there is no file, and the order
                stays `running` until `Runner` lets it be done again.
        """
        active = self._metrics.exports_active.labels(record.kind)
        with active.track_inprogress():
            try:
                self._made(record, stop)
            except StoreUnavailableError as error:
                self._again(record, error, stop)
            except RegistryUnavailableError:
                raise
            except PasserelleError as error:
                self._failed(record, error.detail)
            except OSError as error:
                where = self._files.path
                self._failed(record, f"the file cannot be written to {where}: {error.strerror}")
            except Exception:  # noqa: BLE001 - an order has an outcome, whatever failed
                reference = secrets.token_hex(6)
                self._log.exception("export_failed", export=record.id, reference=reference)
                self._failed(record, f"the program failed; its log says why, under {reference}")

    def _made(self, record: ExportRecord, stop: Event) -> None:
        if record.attempts > MOST_ATTEMPTS:
            raise _RefusedError(
                f"it was begun {MOST_ATTEMPTS} times and never ended: {record.error or 'killed'}"
            )
        query = _QUERY.decode(record.query)
        form = FORMATS[FormatName(record.format)]
        metadata = file_metadata(self._registry, query, now_ns=self._clock.now_ns())
        if record.kind == ExportKind.SNAPSHOT:
            metadata |= {
                "snapshot": {"id": record.id, "title": record.title},
                "sites": sites_metadata(self._registry, query),
                "devices": devices_metadata(self._registry, query),
            }
        export = Export(store=self._store, query=query, form=form, metadata=metadata)
        room = self._room(record)
        file = self._files.begin(record.id)
        outcome = "failed"
        try:
            if not self._written(record, export, file, room=room, stop=stop):
                outcome = "interrupted" if stop.is_set() else "cancelled"
                return
            self._files.complete(file, record.id, record.format)
            outcome = "complete" if self._done(record, export, metadata) else "cancelled"
        finally:
            if outcome != "complete":
                self._files.forget(file, record.id)
                self._files.file(record.id, record.format).unlink(missing_ok=True)
            if outcome != "interrupted":
                count(self._metrics, record.kind, export, outcome)

    def _written(
        self, record: ExportRecord, export: Export, file: IO[bytes], *, room: int, stop: Event
    ) -> bool:
        """Write the file; return False when it was stopped or cancelled on the way."""
        noted_s = self._clock.monotonic_s()
        for part in export:
            file.write(part)
            if export.size > room:
                raise _RefusedError(
                    f"the file has no room: {room} bytes are left of what the files of "
                    f"all {record.kind}s may have; ask for less, wait until files expire, or "
                    "raise the setting exports.max_bytes (snapshots: exports.snapshots_max_bytes)"
                )
            if stop.is_set():
                return False
            now_s = self._clock.monotonic_s()
            if now_s - noted_s >= _NOTE_EVERY_S:
                noted_s = now_s
                if not self._noted(record, export):
                    return False
        return True

    def _noted(self, record: ExportRecord, export: Export) -> bool:
        """Note progress; return whether the order still stands."""
        return self._registry.exports.change(
            msgspec.structs.replace(
                record,
                progress=min(1.0, export.progress.part),
                rows=export.rows,
                size=export.size,
            ),
            was=ExportState.RUNNING,
        )

    def _done(self, record: ExportRecord, export: Export, metadata: dict[str, object]) -> bool:
        now_ns = self._clock.now_ns()
        facts = export.facts()
        expires_ns = None
        if record.kind == ExportKind.JOB:
            expires_ns = now_ns + round(self._settings.max_age_h * 3600 * NS_PER_S)
        return self._registry.exports.change(
            msgspec.structs.replace(
                record,
                state=ExportState.DONE.value,
                finished_ns=now_ns,
                expires_ns=expires_ns,
                progress=1.0,
                rows=export.rows,
                size=export.size,
                sha256=export.sha256.hex(),
                content_sha256=facts["content_sha256"],
                details=msgspec.json.encode({"end": facts, "metadata": metadata}).decode(),
                error="",
            ),
            was=ExportState.RUNNING,
        )

    def _room(self, record: ExportRecord) -> int:
        most = self._settings.max_bytes
        if record.kind == ExportKind.SNAPSHOT:
            most = self._settings.snapshots_max_bytes
        return most - self._registry.exports.size(record.owner, ExportKind(record.kind))

    def _again(self, record: ExportRecord, error: StoreUnavailableError, stop: Event) -> None:
        """Let an order be done again when the store is back, after a while."""
        if record.attempts >= MOST_ATTEMPTS:
            self._failed(record, error.detail)
            return
        stop.wait(error.retry_after_s or _WAIT_S * 2**record.attempts)
        waiting = msgspec.structs.replace(
            record, state=ExportState.QUEUED.value, error=error.detail
        )
        self._registry.exports.change(waiting, was=ExportState.RUNNING)

    def _failed(self, record: ExportRecord, why: str) -> None:
        self._log.error("export_failed", export=record.id, why=why)
        failed = msgspec.structs.replace(
            record,
            state=ExportState.FAILED.value,
            finished_ns=self._clock.now_ns(),
            error=why,
        )
        self._registry.exports.change(failed, was=ExportState.RUNNING)
