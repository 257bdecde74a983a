"""Ordering exports, asking how far they are, taking their files. Used from many threads."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from api.exports.files import ExportFiles
from api.exports.formats import FormatName
from api.exports.query import ExportQuery
from api.exports.runner import Runner
from api.exports.work import Work
from core.clock import Clock
from core.errors import ConflictError, NotFoundError
from core.metrics import Metrics
from core.settings import Settings
from devices.registry import ExportKind, ExportRecord, ExportState, Registry
from storage.ports import PointReader

_ENDED = {ExportState.FAILED, ExportState.CANCELLED, ExportState.EXPIRED}


class Orders:
    """The orders of one API process.

    Args:
        settings: the section `exports`.
        registry: where orders are kept.
        store: from which rows are read.
        metrics: where exports are counted.
        clock: where now comes from.

    Attributes:
        runner: carries them out, once it is started.
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
        self._registry = registry
        self._clock = clock
        self._files = ExportFiles(settings.exports_path)
        self.runner = Runner(
            files=self._files,
            registry=registry,
            work=Work(
                settings=settings,
                registry=registry,
                store=store,
                files=self._files,
                metrics=metrics,
                clock=clock,
            ),
            clock=clock,
            threads=settings.exports.workers,
        )

    def order(
        self,
        kind: ExportKind,
        query: ExportQuery,
        *,
        form: FormatName,
        requested_by: str,
        title: str = "",
    ) -> ExportRecord:
        """Take an order; it is carried out in the background.

        Raises:
            ExportsUnavailableError: there is nowhere to keep the file.
        """
        record = self._registry.exports.add(
            ExportRecord(
                id=secrets.token_hex(8),
                kind=kind.value,
                state=ExportState.QUEUED.value,
                format=form.value,
                query=msgspec.json.encode(query).decode(),
                sites=",".join(query.sites),
                owner=self._files.owner(),
                requested_by=requested_by,
                created_ns=self._clock.now_ns(),
                title=title,
            )
        )
        self.runner.wake()
        return record

    def cancel(self, export: str) -> ExportRecord:
        """Cancel a job that is not done, or remove the file of one that is; return it.

        A job that ended already stays as it is.

        Raises:
            NotFoundError: there is no such job.
        """
        while True:
            record = self._registry.exports.get(export, kind=ExportKind.JOB)
            was = ExportState(record.state)
            if was in _ENDED:
                return record
            done = was is ExportState.DONE
            state = ExportState.EXPIRED if done else ExportState.CANCELLED
            changed = msgspec.structs.replace(
                record, state=state.value, finished_ns=record.finished_ns or self._clock.now_ns()
            )
            if self._registry.exports.change(changed, was=was):
                if done and record.owner == self._files.owner():
                    self._files.file(record.id, record.format).unlink(missing_ok=True)
                return changed

    def file(self, record: ExportRecord) -> Path:
        """Return where the file of an export is.

        Raises:
            ConflictError: it is not done, it failed, or another process keeps it.
            NotFoundError: the file has expired, or it is gone.
        """
        what = f"{record.kind} {record.id!r}"
        state = ExportState(record.state)
        if state is ExportState.EXPIRED:
            raise NotFoundError(f"the file of {what} has been removed; order it again")
        if state is not ExportState.DONE:
            why = f": {record.error}" if record.error else ""
            raise ConflictError(f"{what} has no file: it is {state.value}{why}")
        if record.owner != self._files.owner():
            raise ConflictError(
                f"the file of {what} is kept by another API process; ask the one that took it"
            )
        path = self._files.file(record.id, record.format)
        if not path.is_file():
            raise NotFoundError(f"the file of {what} is gone from the directory of exports")
        return path
