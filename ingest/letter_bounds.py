"""How much the dead letters may hold, and what happens when they are full (decision 0062).

The accept stage asks `room` before each batch; the reporter's thread calls `tend`, which warns long
before the bound and lets go of what is older than the bound by age. A transaction lets go of a few
hundred at most, so that nothing waits long for it. What the store refuses of messages that were
accepted before is kept in any case: the bound may be passed by that, and by one batch.
"""

from __future__ import annotations

import sqlite3

from core.clock import NS_PER_S, Clock
from core.logs import logger
from core.metrics import Metrics
from core.settings import DeadLetterSettings
from ingest.letter_store import LetterStore, LetterTotals

_log = logger("ingest.letter_bounds")
_LEVELS = (0.8, 0.95)
_SLACK = 0.02
_AT_ONCE = 500
_PASSES = 4
_LOW_WATER = 0.98
_NS_PER_DAY = 24 * 3600 * NS_PER_S
BY_SIZE = "dead_letters.max_bytes"
BY_AGE = "dead_letters.max_age_days"


class LetterBounds:
    """The bounds of one worker's dead letters.

    Args:
        letters: the dead letters.
        settings: the bounds.
        clock: the time.
        metrics: `dead_letters_*`.
    """

    def __init__(
        self, *, letters: LetterStore, settings: DeadLetterSettings, clock: Clock, metrics: Metrics
    ) -> None:
        self._letters = letters
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._levels = sorted({settings.warn_at, *_LEVELS})
        self._warned = 0
        self.totals = letters.totals()
        """What the open ones held when it was last looked."""
        metrics.dead_letters_limit_bytes.set(settings.max_bytes)
        self._show(self.totals)

    @property
    def note(self) -> str:
        """What an operator should know of the room left, or "" while there is plenty."""
        share = self.totals.bytes / self._settings.max_bytes
        if not self._warned and share < self._levels[0]:
            return ""
        return (
            f"its dead letters hold {self.totals.bytes:,} bytes, {share:.0%} of "
            f"dead_letters.max_bytes; {self._then()}"
        )

    def room(self) -> str | None:
        """Say why there is no room for further dead letters, or None.

        With `discard_oldest` it makes room: it lets go of the payloads of the oldest open ones.
        """
        try:
            totals = self._letters.totals()
            if totals.bytes < self._settings.max_bytes:
                return None
            if self._settings.when_full == "discard_oldest":
                self._make_room(totals)
                return None
        except sqlite3.Error as error:
            return f"the dead letters cannot be looked at: {error}; nothing is acknowledged"
        return (
            f"the dead letters hold {totals.bytes:,} bytes, dead_letters.max_bytes is "
            f"{self._settings.max_bytes:,}; the broker keeps what comes until some are replayed or "
            "discarded (passerelle dead-letters), or the setting is raised"
        )

    def tend(self) -> None:
        """Warn where there is reason to, and let go of what is too old.

        Raises:
            sqlite3.Error: the spool cannot be written; what was done is kept.
        """
        if self._settings.max_age_days:
            self._expire(self._clock.now_ns() - round(self._settings.max_age_days * _NS_PER_DAY))
        self.totals = self._letters.totals()
        self._show(self.totals)
        self._warn(self.totals)

    def _expire(self, before_ns: int) -> None:
        for _ in range(_PASSES):
            ids = self._letters.received_before(before_ns, limit=_AT_ONCE)
            if not ids:
                return
            self._discard(ids, by=BY_AGE, why=f"older than {self._settings.max_age_days:g} days")

    def _make_room(self, totals: LetterTotals) -> None:
        excess = totals.bytes - round(_LOW_WATER * self._settings.max_bytes)
        while excess > 0 and (ids := self._letters.oldest(limit=_AT_ONCE)):
            chosen = 0
            for size in self._letters.sizes(ids):
                chosen += 1
                excess -= size
                if excess <= 0:
                    break
            self._discard(
                ids[:chosen], by=BY_SIZE, why="the oldest, when the dead letters were full"
            )

    def _discard(self, ids: list[int], *, by: str, why: str) -> None:
        count = self._letters.discard(ids, by=by, why=why, now_ns=self._clock.now_ns())
        self._metrics.dead_letters_discarded.labels(by=by).inc(count)
        _log.warning("dead_letters_discarded", letters=count, by=by, why=why)

    def _show(self, totals: LetterTotals) -> None:
        self._metrics.dead_letters_open.set(totals.letters)
        self._metrics.dead_letters_bytes.set(totals.bytes)

    def _warn(self, totals: LetterTotals) -> None:
        """Log once for each level passed, and once when it is below the first one again."""
        share = totals.bytes / self._settings.max_bytes
        passed = sum(share >= level for level in self._levels)
        if passed > self._warned:
            self._warned = passed
            _log.warning(
                "dead_letters_filling",
                share=round(share, 3),
                level=self._levels[passed - 1],
                bytes=totals.bytes,
                limit_bytes=self._settings.max_bytes,
                letters=totals.letters,
                then=self._then(),
            )
        elif self._warned and share < self._levels[0] - _SLACK:
            self._warned = 0
            _log.info(
                "dead_letters_below", bytes=totals.bytes, limit_bytes=self._settings.max_bytes
            )

    def _then(self) -> str:
        if self._settings.when_full == "hold":
            return "when they are full it stops acknowledging"
        return "when they are full the oldest are discarded"
