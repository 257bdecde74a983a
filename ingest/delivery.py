"""How points reach one sink: as lines where it takes them, else as points, again until it answers.

`deliver` returns what the sink said of every message, or None when there is a reason to stop: the
worker ends, or the sink has fallen behind its bound. The circuit says when to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from core.logs import Outage
from core.metrics import Metrics
from core.reading import Point
from ingest.circuit import Circuit
from ingest.spooled import SpooledBatch, SpooledMessage
from storage.ports import LineWriter, PointWriter, Retry, Span, SpanWriter, Written

_T = TypeVar("_T")
_MOST_AT_ONCE = 2
"""How many times its size a write may exceed, for lines that are not taken apart."""


class Delivered(msgspec.Struct, frozen=True):
    """What a sink has.

    Attributes:
        points: how many points it took.
        messages: the messages written as points, or None when all went as lines and were taken.
        refused: reason by index among the points of `messages`.
    """

    points: int
    messages: list[SpooledMessage] | None = None
    refused: dict[int, str] = {}


class Delivery:
    """Writes batches to one sink.

    Args:
        name: name of the sink.
        writer: where the points go.
        stream: of the spans, for a writer of spans.
        batch_points: points in one write, at most.
        circuit: of the sink.
        outage: logs that it is away and back.
        metrics: `drain_*`.
        pause: waits so many seconds; False when there is a reason to stop.
    """

    def __init__(
        self,
        *,
        name: str,
        writer: PointWriter,
        stream: str,
        batch_points: int,
        circuit: Circuit,
        outage: Outage,
        metrics: Metrics,
        pause: Callable[[float], bool],
    ) -> None:
        self._writer = writer
        self._stream = stream
        self._batch_points = batch_points
        self._circuit = circuit
        self._outage = outage
        self._writes = metrics.writes.labels(sink=name)
        self._retries = metrics.retries.labels(sink=name)
        self._pause = pause
        self._reclaimed = not isinstance(writer, SpanWriter)

    @property
    def spans(self) -> SpanWriter | None:
        """The writer when it is one of spans, else None."""
        return self._writer if isinstance(self._writer, SpanWriter) else None

    def reclaim(self, *, after: int) -> bool:
        """Have a writer of spans forget what was not confirmed, once; False: a reason to stop.

        Args:
            after: the last position that was confirmed.
        """
        spans = self.spans
        if not self._reclaimed and spans is not None:
            if self._repeat(lambda: spans.reclaim(self._stream, after=after)) is None:
                return False
            self._reclaimed = True
        return True

    def deliver(self, batches: Sequence[SpooledBatch]) -> Delivered | None:
        """Write batches until the sink has said of every point whether it takes it."""
        return self._as_lines(batches) or self._as_points(batches)

    def _as_lines(self, batches: Sequence[SpooledBatch]) -> Delivered | None:
        """Write the lines as they are; None when the sink wants points, or refuses some."""
        writer = self._writer
        points = sum(batch.points for batch in batches)
        if not isinstance(writer, LineWriter) or points > _MOST_AT_ONCE * self._batch_points:
            return None
        lines = b"\n".join([batch.body for batch in batches])
        return Delivered(points) if self._repeat(lambda: writer.write_lines(lines)) else None

    def _as_points(self, batches: Sequence[SpooledBatch]) -> Delivered | None:
        try:
            messages = [message for batch in batches for message in batch.messages()]
        except ValueError as error:  # our own defect: it stays on disk, and is said, not forgotten
            reason = f"what waits in the spool cannot be read back: {error}; please report it"
            self._outage.down(reason)
            self._pause(self._circuit.failed(reason, None))
            return None
        points = [point for message in messages for point in message.points]
        refused: dict[int, str] = {}
        span = Span(self._stream, batches[0].seq, batches[-1].seq)
        step = self._batch_points if self.spans is None else max(1, len(points))
        for start in range(0, len(points), step):
            part = points[start : start + step]
            outcome = self._repeat(lambda part=part: self._write(part, span))  # type: ignore[misc]
            if outcome is None:
                return None
            refused.update({start + one.index: one.reason for one in outcome.rejected})
        return Delivered(len(points) - len(refused), messages, refused)

    def _write(self, points: Sequence[Point], span: Span) -> Written | Retry:
        if isinstance(self._writer, SpanWriter):
            return self._writer.write_span(points, span)
        return self._writer.write(points)

    def _repeat(self, write: Callable[[], _T | Retry]) -> _T | None:
        """Write until the sink does not ask to repeat it; None when there is a reason to stop."""
        while self._pause(0.0):
            self._circuit.trying()
            with self._writes.time():
                outcome = write()
            if not isinstance(outcome, Retry):
                self._circuit.worked()
                self._outage.up()
                return outcome
            self._retries.inc()
            self._outage.down(outcome.reason)
            if not self._pause(self._circuit.failed(outcome.reason, outcome.after_s)):
                return None
        return None
