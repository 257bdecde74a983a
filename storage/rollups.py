"""Roll-ups: what is kept of each hour, so that a long range is answered without every value of it.

A store that keeps them is a `RollupStore`. Which hours can be believed is not the store's to know:
`storage.rolled_reader` asks for it, and takes raw values for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from core.reading import DeviceKey
from storage.ports import Aggregate, Retry, Selection, Windows, WindowValue

ROLLED_AGGREGATES = frozenset(
    {
        Aggregate.MEAN,
        Aggregate.MIN,
        Aggregate.MAX,
        Aggregate.SUM,
        Aggregate.COUNT,
        Aggregate.FIRST,
        Aggregate.LAST,
    }
)
"""Aggregates that follow from those of the hours; the others need every value."""


class RollupReader(Protocol):
    """Where windows are computed from hourly roll-ups."""

    def aggregate_rolled(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """Return what `PointReader.aggregate` does, from the roll-ups.

        A mean is the sum of the hours' sums by the sum of their counts: it may differ from that of
        the values in the last digits.

        Args:
            selection: a whole number of UTC's hours.
            windows: of whole hours, that begin on the hour; one of `ROLLED_AGGREGATES`.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        ...


@runtime_checkable
class RollupStore(RollupReader, Protocol):
    """A store that keeps hourly roll-ups of what it holds."""

    def roll_up(
        self, devices: Sequence[DeviceKey], category: str, *, start_ns: int, end_ns: int
    ) -> bool | Retry:
        """Make the roll-ups of some hours anew, from the values that are stored.

        Args:
            devices: of which devices.
            category: of which quantities.
            start_ns: start of the first hour of UTC, nanoseconds since the epoch.
            end_ns: end of the last one.

        Returns:
            True when they are on the store's disk; False when they cannot be kept, because a sum
            is beyond float64; `Retry` as in `PointWriter.write`.

        Raises:
            StoreUnavailableError: the store does not answer.
            ValueError: it is no whole number of hours.
        """
        ...
