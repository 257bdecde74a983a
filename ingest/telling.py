"""What a spool counts and holds, told to the registry.

That is ledger rows and dead letters that changed, newest values, and hours with new values.
How far it is told is kept in the spool, and moves when the registry has it: nothing is left out,
and what is told twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from devices.registry import Registry
from devices.registry.records import LedgerRow
from ingest import dead_letter
from ingest.kept_points import tell_points
from ingest.spool import LedgerLine, Spool
from storage.line_protocol import points_of

LEDGER_CURSOR = "report_ledger"
"""Cursor of the spool: the version up to which the registry was told the ledger."""
LETTERS_CURSOR = "report_dead_letters"
"""Cursor of the spool: the version up to which the registry was told the dead letters."""
_ROWS = 250
"""In a portion, as long as there is time to breathe after it."""
_MANY_ROWS = 5000
_BREATHS = 40
_LETTER_ROWS = 200
_CHUNK = 500


class Telling:
    """Tells the registry of one spool.

    Args:
        registry: who is told.
        spool: what is told.
        published: name under which it is told (`ingest.damaged.Published`).
        breathe: called after each portion: it waits a moment, so that the accept stage, which
            needs the interpreter and the spool as well, is not held up for all of them.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        spool: Spool,
        published: str,
        breathe: Callable[[], object] = lambda: None,
    ) -> None:
        self._registry = registry
        self._spool = spool
        self._published = published
        self._breathe = breathe
        self._breaths = 0

    def tell(self) -> None:
        """Tell what changed since the last time.

        Raises:
            RegistryUnavailableError: the registry does not answer; the rest is told later.
        """
        self._breaths = 0
        self._tell_ledger()
        self._tell_dead_letters()
        self._tell_kept()

    # Each tells portion by portion until one is not full: what changes meanwhile is told the next
    # time, or there would be no end to portions of a few rows, each with two transactions.

    def _tell_kept(self) -> None:
        while waiting := self._spool.kept(limit=self._rows()):
            tell_points(self._registry, points_of(b"\n".join(waiting.lines)), waiting.hours)
            self._spool.told_kept(waiting)
            self._pause()
            if not waiting.more:
                break

    def _tell_ledger(self) -> None:
        after = self._spool.cursor(LEDGER_CURSOR)
        while lines := self._spool.ledger_since(after, limit=(limit := self._rows())):
            self._registry.ledger.publish([self._row(line) for line in lines])
            after = lines[-1].version
            self._spool.move_cursor(LEDGER_CURSOR, after)
            self._pause()
            if len(lines) < limit:
                break

    def _tell_dead_letters(self) -> None:
        after = self._spool.cursor(LETTERS_CURSOR)
        while kept := self._spool.dead_letters_since(after, limit=_LETTER_ROWS):
            for start in range(0, len(kept), _CHUNK):
                some = kept[start : start + _CHUNK]
                ends = self._spool.letters.ends([one.id for one in some])
                self._registry.dead_letters.publish(
                    [
                        dead_letter.record(one, worker=self._published, end=ends.get(one.id))
                        for one in some
                    ]
                )
            after = kept[-1].version
            self._spool.move_cursor(LETTERS_CURSOR, after)
            if len(kept) < _LETTER_ROWS:
                break

    def _rows(self) -> int:
        return _ROWS if self._breaths < _BREATHS else _MANY_ROWS

    def _pause(self) -> None:
        if self._breaths < _BREATHS:
            self._breaths += 1
            self._breathe()

    def _row(self, line: LedgerLine) -> LedgerRow:
        return LedgerRow(
            worker=self._published,
            site=line.account.site,
            device=line.account.device,
            hour=line.account.hour,
            boot=line.account.boot,
            **msgspec.structs.asdict(line.counts),
        )
