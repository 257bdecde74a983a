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

import zstandard

from alerts.evaluate.engine import Engine, Outcome
from alerts.live.history import Reader
from core.reading import readings_of
from storage.line_protocol import points_of

MOST_BYTES = 256 * 1024 * 1024
"""How much of what is heard meanwhile is kept, compressed."""
AGAIN_S = 5.0
"""After so long it is tried again when the store did not answer, seconds."""
_AT_ONCE = 50
_LEVEL = 1


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
        self._log: deque[tuple[int, Callable[[Engine], Outcome]]] = deque()
        self._bytes = 0
        self._engine: Engine | None = None
        self._not_before_s = 0.0
        self._failed = False

    @property
    def engine(self) -> Engine | None:
        """The engine, once it was begun."""
        return self._engine

    def note(self, do: Callable[[Engine], Outcome], *, size: int = 0) -> None:
        """Keep what the other engine was told, to be told to this one.

        Args:
            do: tells it to an engine.
            size: of what it holds, bytes; what has a size is let go when there is too much.
        """
        self._log.append((size, do))
        self._bytes += size
        if self._bytes > self._most_bytes:
            self._log = deque(one for one in self._log if not one[0])
            self._bytes = 0
            self._lost()

    def note_values(self, lines: Iterable[bytes], *, seen_ns: int) -> None:
        """Keep values that were heard."""
        packed = zstandard.ZstdCompressor(level=_LEVEL).compress(b"\n".join(lines))

        def take(engine: Engine) -> Outcome:
            points = points_of(zstandard.ZstdDecompressor().decompress(packed))
            return engine.take(readings_of(points), seen_ns=seen_ns, live=True)

        self.note(take, size=len(packed))

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
            size, do = self._log.popleft()
            self._bytes -= size
            self._hear(do(self._engine))
        return not self._log

    def _fail(self) -> None:
        self._reader.drop()
        self._failed = True
