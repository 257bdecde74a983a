"""Decoding a raw archive again with a corrected profile, and writing what differs to the store.

It reads what was received, decodes it with the profile as it is in the registry now, and compares
with what is stored. Points are upserts, and only what differs is written: interrupted anywhere, it
is run again and writes what is left. The ledger counts messages, whose fate stays what it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from core.clock import Clock
from core.reading import Point
from ingest.archive_blocks import Archived, ArchiveGap
from ingest.archive_segments import Damaged, read_archive
from ingest.circuit import Circuit
from ingest.ledger import Fate
from ingest.redecode_compare import Change, ChangeKind, Portion
from ingest.redecode_scope import Scoped, counted_once
from ingest.redecode_versions import ProfileJudges
from storage.ports import PointReader, PointWriter, Position, Retry, ValueRemover

_T = TypeVar("_T")
PORTION = 10_000
"""Messages compared at once."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be decoded again.

    Attributes:
        start_ns: first instant of reception, inclusive, nanoseconds since the epoch.
        end_ns: last instant, exclusive.
        site: only this one, or "".
        device: only this one, or "".
    """

    start_ns: int
    end_ns: int
    site: str = ""
    device: str = ""


class Tally(msgspec.Struct):
    """What became of the values of one quantity of one device."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0


class Redecoded(msgspec.Struct):
    """What decoding again did, or would do.

    Attributes:
        messages: decoded again.
        waiting: left out: they still wait for the store.
        set_aside: left out: they are dead letters that were not replayed.
        unusable: messages of which the profile makes nothing now, by reason.
        values: by (site, device, quantity).
        examples: some of the changes of each kind.
        points: written.
        deleted: values that the profile gives no more, and that were deleted.
        rejected: of those, how many the store refused for good.
        reasons: why, each once.
        damaged: parts of the archive that could not be read.
        gaps: what was never in the archive.
    """

    messages: int = 0
    waiting: int = 0
    set_aside: int = 0
    unusable: Counter[str] = msgspec.field(default_factory=Counter)
    values: dict[tuple[str, str, str], Tally] = msgspec.field(default_factory=dict)
    examples: dict[ChangeKind, list[Change]] = msgspec.field(default_factory=dict)
    points: int = 0
    deleted: int = 0
    rejected: int = 0
    reasons: list[str] = msgspec.field(default_factory=list)
    damaged: list[Damaged] = msgspec.field(default_factory=list)
    gaps: list[ArchiveGap] = msgspec.field(default_factory=list)

    def count(self, kind: ChangeKind) -> int:
        """Return how many values differ so."""
        return sum(getattr(tally, kind.value) for tally in self.values.values())


class Redecode:
    """One run over one worker's archive.

    Args:
        archive: its directory.
        spool: the worker's spool.
        judges: the versions of the profile.
        store: where values are read.
        writer: where they are written; None: a dry run.
        remover: deletes the values that the profile gives no more; None: they stay.
        wanted: which messages.
        clock: the time.
        at_once: points in one write, at most.
        examples: how many changes of each kind are kept to be shown.
        pause: waits so many seconds because of what the store said; raises to give up.
        pace: called before so many messages are compared and written.
        progress: called with the number of messages done and the instant of reception reached.

    Raises:
        ConfigurationError: there is no spool.
    """

    def __init__(
        self,
        *,
        archive: Path,
        spool: Path,
        judges: ProfileJudges,
        store: PointReader,
        writer: PointWriter | None,
        remover: ValueRemover | None,
        wanted: Wanted,
        clock: Clock,
        at_once: int,
        examples: int,
        pause: Callable[[float, str], None],
        pace: Callable[[int], None] = lambda _messages: None,
        progress: Callable[[int, int], None] = lambda _messages, _at_ns: None,
        portion: int = PORTION,
    ) -> None:
        self._archive = archive
        self._judges = judges
        self._store = store
        self._writer = writer
        self._remover = remover
        self._wanted = wanted
        self._at_once = at_once
        self._examples = examples
        self._pause = pause
        self._pace = pace
        self._progress = progress
        self._portion_size = portion
        self._circuit = Circuit(clock=clock)
        self._scope = Scoped(path=spool, start_ns=wanted.start_ns, end_ns=wanted.end_ns)
        self._portion = Portion()
        self._done = Redecoded()

    def run(self) -> Redecoded:
        """Decode, compare and, unless it is a dry run, write.

        Raises:
            StoreUnavailableError: the store does not answer; what was written stays written.
            OSError: the archive cannot be read.
        """
        wanted, at_ns = self._wanted, self._wanted.start_ns
        for one in read_archive(self._archive, start_ns=wanted.start_ns, end_ns=wanted.end_ns):
            if isinstance(one, Damaged):
                self._done.damaged.append(one)
                continue
            header, contents = one
            self._done.gaps.extend(contents.gaps)
            settled = self._scope.settled(header)
            for message in counted_once(contents.messages):
                if self._asked_for(message):
                    self._take(message, settled=settled)
                if self._portion.messages >= self._portion_size:
                    self._finish(at_ns)
            at_ns = max(at_ns, header.last_ns)
        self._finish(wanted.end_ns)
        return self._done

    def _asked_for(self, one: Archived) -> bool:
        wanted, arrival = self._wanted, one.arrival
        return wanted.start_ns <= arrival.received_ns < wanted.end_ns and self._judges.concerns(
            arrival.topic
        )

    def _take(self, one: Archived, *, settled: bool) -> None:
        new = self._judges.new(one.arrival)
        owners = {(one.site, one.device), (new.account.site, new.account.device)}
        if not any(self._owner_wanted(*owner) for owner in owners):
            return
        if not settled:
            self._done.waiting += 1
        elif not self._scope.stored(one):
            self._done.set_aside += 1
        else:
            if new.fate is Fate.DEAD_LETTERED:
                self._done.unusable[new.letters[0].reason] += 1
            self._done.messages += 1
            self._portion.add(new, self._judges.earlier(one.arrival))

    def _owner_wanted(self, site: str, device: str) -> bool:
        wanted = self._wanted
        return wanted.site in ("", site) and wanted.device in ("", device)

    def _finish(self, at_ns: int) -> None:
        """Compare and write what was decoded."""
        portion, self._portion = self._portion, Portion()
        if portion.messages:
            self._pace(portion.messages)
            compared = portion.compare(self._store)
            for change in compared.changes:
                self._count(change)
            for owner, count in compared.same.items():
                self._tally(owner).same += count
            if self._writer is not None:
                self._write(self._writer, compared.points)
            if self._remover is not None:
                self._remove(self._remover, compared.changes)
        self._progress(portion.messages, at_ns)

    def _count(self, change: Change) -> None:
        tally = self._tally((change.site, change.device, change.quantity))
        setattr(tally, change.kind.value, getattr(tally, change.kind.value) + 1)
        shown = self._done.examples.setdefault(change.kind, [])
        if len(shown) < self._examples:
            shown.append(change)

    def _tally(self, owner: tuple[str, str, str]) -> Tally:
        return self._done.values.setdefault(owner, Tally())

    def _write(self, writer: PointWriter, points: Sequence[Point]) -> None:
        for start in range(0, len(points), self._at_once):
            part = points[start : start + self._at_once]
            outcome = self._until_answered(partial(writer.write, part))
            self._done.points += len(part)
            self._done.rejected += len(outcome.rejected)
            for one in outcome.rejected:
                if one.reason not in self._done.reasons:
                    self._done.reasons.append(one.reason)

    def _remove(self, remover: ValueRemover, changes: Sequence[Change]) -> None:
        gone = [
            Position(one.time_ns, one.site, one.device, one.quantity)
            for one in changes
            if one.kind is ChangeKind.REMOVED
        ]
        for start in range(0, len(gone), self._at_once):
            part = gone[start : start + self._at_once]
            self._done.deleted += self._until_answered(partial(remover.remove, part))

    def _until_answered(self, ask: Callable[[], _T | Retry]) -> _T:
        """Ask the store again and again, until it has answered."""
        while True:
            self._circuit.trying()
            outcome = ask()
            if not isinstance(outcome, Retry):
                self._circuit.worked()
                return outcome
            self._pause(self._circuit.failed(outcome.reason, outcome.after_s), outcome.reason)
