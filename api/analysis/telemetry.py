"""What one query reads from: the store, and its roll-ups where those are as true and quicker."""

from __future__ import annotations

from api.reading_query import ReadingQuery, read_windows
from storage.ports import PointReader, Windows, WindowValue
from storage.rolled_reader import RolledReader


class Telemetry:
    """Made for one query, in one thread: it notes which part came from roll-ups.

    Attributes:
        store: for the values themselves.
        rolled_ns: from when until when roll-ups were used so far, or None.
    """

    def __init__(self, *, store: PointReader, rolled: RolledReader) -> None:
        self.store = store
        self.rolled_ns: tuple[int, int] | None = None
        self._rolled = rolled

    def windows(self, query: ReadingQuery, windows: Windows) -> list[WindowValue]:
        """Return every window of every series; see `api.reading_query.read_windows`."""
        read = read_windows(self.store, self._rolled, query, windows)
        if read.rolled_ns is not None:
            start_ns, end_ns = self.rolled_ns or read.rolled_ns
            self.rolled_ns = min(start_ns, read.rolled_ns[0]), max(end_ns, read.rolled_ns[1])
        return read.values
