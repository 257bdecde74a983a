"""A `PointReader` that notes when the store goes away and when it is back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from core.errors import StoreUnavailableError
from core.logs import Outage
from core.reading import DeviceKey, Reading
from storage.columns import ColumnPage
from storage.ports import HourCount, Page, PointReader, Position, Selection, Windows, WindowValue
from storage.rollups import RollupReader, RollupStore
from storage.settled import SettledColumns

T = TypeVar("T")


class WatchedStore:
    """The given reader, with each outage logged once when it begins and once when it ends.

    It does not own the reader: `close` leaves it open, as whoever made it closes it.

    Args:
        reader: the store.
        outage: where an outage is noted.
        columns: the same store, in columns.
    """

    def __init__(self, reader: PointReader, *, outage: Outage, columns: SettledColumns) -> None:
        self._reader = reader
        self._columns = columns
        self._rollups = reader if isinstance(reader, RollupStore) else None
        self._outage = outage

    @property
    def rollups(self) -> RollupReader | None:
        """Where roll-ups are read, or None when the reader keeps none."""
        return None if self._rollups is None else self

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`."""
        return self._watch(lambda: self._reader.read(selection, limit=limit, after=after))

    def read_columns(
        self, selection: Selection, *, limit: int, after: Position | None = None
    ) -> ColumnPage:
        """See `SettledColumns.page`."""
        return self._watch(lambda: self._columns.page(selection, limit=limit, after=after))

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        return self._watch(lambda: self._reader.aggregate(selection, windows))

    def aggregate_rolled(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `RollupReader.aggregate_rolled`; only for a reader that keeps roll-ups."""
        rollups = self._rollups
        if rollups is None:
            raise TypeError("this store keeps no roll-ups")
        return self._watch(lambda: rollups.aggregate_rolled(selection, windows))

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`."""
        return self._watch(lambda: self._reader.latest(devices, quantities=quantities))

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        return self._watch(lambda: self._reader.count(selection))

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        return self._watch(lambda: self._reader.hourly(devices, start_ns=start_ns, end_ns=end_ns))

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`."""
        return self._watch(self._reader.keeps_s)

    def ping(self) -> None:
        """See `PointReader.ping`."""
        self._watch(self._reader.ping)

    def close(self) -> None:
        """Do nothing: the reader belongs to whoever made it."""

    def _watch(self, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except StoreUnavailableError as error:
            self._outage.down(error.detail)
            raise
        self._outage.up()
        return answer
