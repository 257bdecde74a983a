"""Judging the past anew behind an engine that speaks already.

After a restart rules go on at once from what they had come to. To judge late values, though, a rule
needs all that was measured within its lateness; at a high rate that takes minutes to read and to
judge again. So a second engine is given it, from the oldest state that is kept on, and then all
that was heard since the restart, in the order in which it was heard; after that it is what one
would be that was never interrupted.

What is heard meanwhile is kept compressed, within a bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec
import zstandard

from alerts.evaluate.engine import Engine, HourCount, Outcome
from alerts.live.frames import readings_of
from alerts.live.history import Reader

MOST_BYTES = 256 * 1024 * 1024
"""How much of what is heard meanwhile is kept, compressed."""
AGAIN_S = 5.0
"""After so long it is tried again when the store did not answer, seconds."""
_AT_ONCE = 50
_LEVEL = 1


class _Values(msgspec.Struct, frozen=True):
    seen_ns: int
    lines: bytes


class _Hours(msgspec.Struct, frozen=True):
    seen_ns: int
    hours: tuple[HourCount, ...]


class _Listened(msgspec.Struct, frozen=True):
    since_ns: int


class LookingBack:
    """A second engine, until it is as far as the first.

    Args:
        reader: of stored values, for this alone.
        begin: returns an engine that took up what was remembered, and has the reader give it what
            is stored; given what is to be called when the store does not answer.
        hear: is given what came too late to be judged.
        lost: is called when more was heard meanwhile than can be kept: it was let go.
        most_bytes: how much can be kept.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        begin: Callable[[Callable[[], None]], Engine],
        hear: Callable[[Outcome], None],
        lost: Callable[[], None],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._reader = reader
        self._begin = begin
        self._hear = hear
        self._lost = lost
        self._most_bytes = most_bytes
        self._log: deque[_Values | _Hours | _Listened] = deque()
        self._bytes = 0
        self._engine: Engine | None = None
        self._not_before_s = 0.0
        self._failed = False

    @property
    def engine(self) -> Engine | None:
        """The engine, once it was begun."""
        return self._engine

    def note(self, lines: Iterable[bytes], *, seen_ns: int) -> None:
        """Keep values that were heard."""
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(b"\n".join(lines))
        self._log.append(_Values(seen_ns, packed))
        self._bytes += len(packed)
        if self._bytes > self._most_bytes:
            self._log = deque(one for one in self._log if not isinstance(one, _Values))
            self._bytes = 0
            self._lost()

    def note_hours(self, hours: Iterable[HourCount], *, seen_ns: int) -> None:
        """Keep what the ledger said."""
        self._log.append(_Hours(seen_ns, tuple(hours)))

    def note_listening(self, since_ns: int) -> None:
        """Keep that nothing could be heard until an instant."""
        self._log.append(_Listened(since_ns))

    def advance(self, *, now_s: float) -> bool:
        """Go on for a moment; return whether it is as far as the other engine.

        Args:
            now_s: a clock that never steps, seconds.
        """
        if self._engine is None or self._failed:
            if now_s < self._not_before_s:
                return False
            self._failed = False
            self._engine = self._begin(self._fail)
        given = self._reader.advance()
        if self._failed:
            self._not_before_s = now_s + AGAIN_S
        if given or not self._reader.idle:
            return False
        for _ in range(min(_AT_ONCE, len(self._log))):
            self._replay(self._engine, self._log.popleft())
        return not self._log

    def _replay(self, engine: Engine, one: _Values | _Hours | _Listened) -> None:
        if isinstance(one, _Listened):
            engine.listen(one.since_ns)
        elif isinstance(one, _Hours):
            self._hear(engine.take_hours(one.hours, seen_ns=one.seen_ns))
        else:
            self._bytes -= len(one.lines)
            readings = readings_of(zstandard.ZstdDecompressor().decompress(one.lines))
            self._hear(engine.take(readings, seen_ns=one.seen_ns, live=True))

    def _fail(self) -> None:
        self._reader.drop()
        self._failed = True
