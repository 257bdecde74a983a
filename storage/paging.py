"""Reading everything of a selection, a page at a time: memory does not grow with the range."""

from __future__ import annotations

from collections.abc import Iterator

from core.reading import Reading
from storage.ports import PointReader, Position, Selection

PAGE = 5000
"""Readings in a page."""


def every_reading(
    store: PointReader, selection: Selection, *, page: int = PAGE
) -> Iterator[Reading]:
    """Yield all readings in the order of `PointReader.read`.

    Args:
        store: where they are.
        selection: which.
        page: readings asked for at once.

    Raises:
        StoreUnavailableError: the store does not answer; what came before was yielded.
    """
    after: Position | None = None
    while True:
        found = store.read(selection, limit=page, after=after)
        yield from found.readings
        if found.after is None:
            return
        after = found.after
