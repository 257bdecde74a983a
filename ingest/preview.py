"""How the replay of a dead letter would end: judged with everything as it is, changing nothing.

A preview has its own copy of whatever judging changes (devices that enrol themselves, progress of
devices, what was committed lately), so that a dry run leaves no trace and counts two equal
messages as a replay would: the second one is a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from core.reading import Point
from core.reasons import Reason, Scope
from core.settings import IngestSettings
from devices.registry.records import LetterFate
from ingest import dead_letter
from ingest.directory import Directory, Snapshot
from ingest.duplicates import DuplicateWindow, Remembered
from ingest.judge import Judge
from ingest.ledger import Fate
from ingest.progress import ProgressTable
from ingest.spool import NewDeadLetter
from ingest.validate import ClockPolicy

_REMEMBERED = 100_000
_FATES = {
    Fate.PENDING: LetterFate.STORED,
    Fate.STORED: LetterFate.NOTHING,
    Fate.DUPLICATE: LetterFate.DUPLICATE,
}


class Foreseen(msgspec.Struct, frozen=True):
    """How the replay of one dead letter would end.

    Attributes:
        fate: stored, nothing (to store), duplicate, or open: it would stay.
        reason: its reason from then on, when it would stay.
        detail: what would be said of it, when it would stay.
        points: what would be stored.
        left_out: (reason, detail) of the fields that would still be left out.
    """

    fate: LetterFate
    reason: str = ""
    detail: str = ""
    points: tuple[Point, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


class Preview:
    """Tells how replays would end.

    Args:
        snapshot: the devices and profiles that count.
        window: what the worker committed lately; only read.
        load_progress: returns what is kept of a device's progress, or None.
        clock: which device times are trusted.
        ingest: how long a message is remembered, and whether unknown devices are registered.
    """

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        window: DuplicateWindow,
        load_progress: Callable[[str, str], bytes | None],
        clock: ClockPolicy,
        ingest: IngestSettings,
    ) -> None:
        self._window = _OwnWindow(
            window,
            max_messages=min(ingest.dedupe_messages, _REMEMBERED),
            max_age_s=ingest.dedupe_s,
        )
        self._judge = Judge(
            directory=Directory(snapshot),
            window=self._window,
            progress=ProgressTable(load=load_progress),
            clock=clock,
            enrol=ingest.unknown_device == "enrol",
        )

    def of(self, letter: NewDeadLetter) -> Foreseen:
        """Return how the replay of an open dead letter would end; whatever it is, never raises."""
        try:
            return self._of(letter)
        except Exception as error:  # noqa: BLE001 - one dead letter must not stop the others
            return Foreseen(LetterFate.OPEN, Reason.INTERNAL_ERROR.value, failure(error))

    def _of(self, letter: NewDeadLetter) -> Foreseen:
        if letter.scope == Scope.POINTS:
            return Foreseen(LetterFate.STORED, points=dead_letter.points_of(letter))
        field = letter.scope == Scope.FIELD
        arrival = dead_letter.arrival_of(letter)
        verdict = self._judge.judge(arrival, replayed=True, rewritten=field)
        left_out = tuple((one.reason, one.detail) for one in verdict.letters)
        if field:
            left = next((one for one in verdict.letters if one.reason == letter.reason), None)
            if left is not None or not verdict.points:
                detail = left.detail if left is not None else letter.detail
                return Foreseen(LetterFate.OPEN, letter.reason, detail, left_out=left_out)
            return Foreseen(LetterFate.STORED, points=verdict.points, left_out=left_out)
        if verdict.fate is Fate.DEAD_LETTERED:
            again = verdict.letters[0]
            return Foreseen(LetterFate.OPEN, again.reason, again.detail)
        accepted = verdict.fate in (Fate.PENDING, Fate.STORED)
        self._window.remember([Remembered(0, verdict.digest, accepted, arrival.received_ns)])
        return Foreseen(_FATES[verdict.fate], points=verdict.points, left_out=left_out)


def failure(error: BaseException) -> str:
    """Return what is said of a dead letter on which our own code failed."""
    return (
        f"Passerelle itself failed on it ({type(error).__name__}: {str(error)[:200]}); "
        "please report it, then replay"
    )


class _OwnWindow(DuplicateWindow):
    """What a worker committed lately, and what this preview has seen beside it."""

    def __init__(self, real: DuplicateWindow, *, max_messages: int, max_age_s: float) -> None:
        super().__init__(max_messages=max_messages, max_age_s=max_age_s)
        self._real = real

    def seen_within(self, digest: bytes, *, now_ns: int, window_s: float | None) -> bool:
        """Say whether the same bytes became points, or would have become so."""
        return self._real.seen_within(
            digest, now_ns=now_ns, window_s=window_s
        ) or super().seen_within(digest, now_ns=now_ns, window_s=window_s)
