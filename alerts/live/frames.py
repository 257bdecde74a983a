"""From frames of the workers' streams to the values in them."""

from __future__ import annotations

import msgspec

from alerts.live.hearing import Hearing
from alerts.live.listener import Listener
from core.alert_metrics import EvaluatorMetrics
from core.logs import Outage, logger
from core.reading import Reading, readings_of
from core.stream import FrameError
from core.stream import decode as decode_frame
from storage.line_protocol import points_of

_FRAMES = 200


class Taken(msgspec.Struct):
    """What some frames hold.

    Attributes:
        readings: values.
        lines: the same, as lines.
        since_ns: when the oldest of them was committed, by its worker's clock; None: there is none.
    """

    readings: list[Reading] = []
    lines: list[bytes] = []
    since_ns: int | None = None


class Frames:
    """Takes what was heard.

    Args:
        listener: to the workers' streams.
        metrics: how much waits, and how many values came.
    """

    def __init__(self, *, listener: Listener, metrics: EvaluatorMetrics) -> None:
        self._listener = listener
        self._metrics = metrics
        self._bad = Outage(logger("alerts"), "live_frames")

    def take(self, hearing: Hearing, *, timeout_s: float, now_s: float) -> Taken:
        """Return what was heard, some frames at once.

        Args:
            hearing: notes them, and what is missing between them.
            timeout_s: how long to wait for the first one, seconds.
            now_s: a clock that never steps, seconds.
        """
        taken = Taken()
        frames = self._listener.take(timeout_s=timeout_s, most=_FRAMES)
        self._metrics.stream_waiting.set(self._listener.waiting_bytes)
        for worker, payload in frames:
            try:
                frame = decode_frame(payload)
                values = readings_of(points_of(frame.lines))
            except (FrameError, ValueError) as error:
                self._bad.down(str(error), worker=worker)
                continue
            self._bad.up()
            hearing.take(worker, frame, now_s=now_s)
            if values:
                taken.since_ns = frame.told_ns if taken.since_ns is None else taken.since_ns
                taken.readings += values
                taken.lines.append(frame.lines)
        if taken.readings:
            self._metrics.values.labels("stream").inc(len(taken.readings))
        return taken
