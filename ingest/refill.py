"""Filling what a sink was not given, from the store: by device, category and day, as it was noted.

A piece is forgotten only when the sink has its points, so a refill that is interrupted goes on
where it was; and writing points again changes nothing. It may run beside the worker: what the
worker passes over meanwhile is noted anew, and filled by the next refill. A piece that the store
itself has not confirmed yet is left for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

import msgspec

from core.clock import Clock
from core.errors import ConfigurationError
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Point, Reading
from ingest import missed
from ingest.circuit import Circuit
from ingest.missed import Gap, Piece
from ingest.spool import STORE_SINK
from ingest.spool_schema import open_spool
from storage.paging import every_reading
from storage.ports import PointReader, PointWriter, Rejected, Retry, Selection


class Refilled(msgspec.Struct, frozen=True):
    """What a refill did.

    Attributes:
        pieces: how many pieces were filled.
        points: points written.
        rejected: of those, how many the sink refused for good.
        reasons: why, each once.
        left: pieces that the store has not confirmed yet, or that were noted meanwhile.
    """

    pieces: int
    points: int
    rejected: int
    reasons: tuple[str, ...]
    left: int


class Refill:
    """What one spool says that a sink misses.

    Args:
        path: the spool's file.
        sink: name of the sink.

    Raises:
        ConfigurationError: there is no such file, or it is no spool.
    """

    def __init__(self, *, path: Path, sink: str) -> None:
        if not path.exists():
            raise ConfigurationError(
                f"there is no spool {path}; run this where the worker runs, with its settings"
            )
        self._db = open_spool(path)
        self._sink = sink

    def gaps(self) -> list[Gap]:
        """Return the ranges that the sink was not given."""
        return missed.gaps(self._db, self._sink)

    def waiting(self) -> tuple[int, int]:
        """Return how many pieces the sink misses, and how many points they are."""
        return missed.waiting(self._db, self._sink)

    def run(
        self,
        *,
        store: PointReader,
        writer: PointWriter,
        at_once: int,
        clock: Clock,
        pause: Callable[[float, str], None],
        progress: Callable[[int], None] = lambda _pieces: None,
    ) -> Refilled:
        """Write to the sink what it misses and the store has.

        Args:
            store: where points are read.
            writer: the sink.
            at_once: points in one write, at most.
            clock: the time.
            pause: waits so many seconds because of what the sink said; raises to give up.
            progress: called with the number of pieces that were just filled.

        Raises:
            StoreUnavailableError: the store does not answer; what was filled stays filled.
        """
        circuit = Circuit(clock=clock)
        pieces = points = 0
        rejected: list[Rejected] = []
        for part, done in _parts(store, self._pieces(), at_once):
            while part:
                circuit.trying()
                outcome = writer.write(part)
                if not isinstance(outcome, Retry):
                    circuit.worked()
                    rejected.extend(outcome.rejected)
                    break
                pause(circuit.failed(outcome.reason, outcome.after_s), outcome.reason)
            for piece in done:
                missed.filled(self._db, self._sink, piece)
            points += len(part)
            pieces += len(done)
            progress(len(done))
        return Refilled(
            pieces=pieces,
            points=points,
            rejected=len(rejected),
            reasons=tuple(dict.fromkeys(one.reason for one in rejected)),
            left=self.waiting()[0],
        )

    def close(self) -> None:
        """Close the spool's file."""
        self._db.close()

    def _pieces(self) -> Iterator[Piece]:
        with closing(
            self._db.execute("SELECT value FROM cursor WHERE name = ?", (STORE_SINK,))
        ) as rows:
            row = rows.fetchone()
        return missed.pieces(self._db, self._sink, stored_seq=int(row[0]) if row else 0)


def _parts(
    store: PointReader, pieces: Iterator[Piece], at_once: int
) -> Iterator[tuple[list[Point], list[Piece]]]:
    """Yield points to write, and the pieces that are whole once they are written."""
    part: list[Point] = []
    done: list[Piece] = []
    for piece in pieces:
        for point in _points(store, piece):
            part.append(point)
            if len(part) >= at_once:
                yield part, done
                part, done = [], []
        done.append(piece)
    if done:
        yield part, done


def _points(store: PointReader, piece: Piece) -> Iterator[Point]:
    """Yield what the store has of a piece."""
    for time_ns, group in groupby(_readings(store, piece), key=lambda one: one.time_ns):
        readings = list(group)
        yield Point(
            piece.site,
            piece.device,
            piece.category,
            time_ns,
            {one.quantity: one.value for one in readings},
            readings[0].quality,
        )


def _readings(store: PointReader, piece: Piece) -> Iterator[Reading]:
    selection = Selection(
        (DeviceKey(piece.site, piece.device),),
        _quantities(piece.category),
        piece.first_ns,
        piece.last_ns + 1,
    )
    return every_reading(store, selection)


def _quantities(category: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in CATALOGUE.values() if entry.category == category)
