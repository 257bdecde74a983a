"""Pages of rows of which the caller may not see every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Position = TypeVar("Position")
_LEAST = 100
_ROUNDS = 50


def visible_page(
    read: Callable[[int, Position | None], Sequence[Row]],
    shows: Callable[[Row], bool],
    *,
    rows: int,
    after: Position | None,
    position: Callable[[Row], Position],
) -> tuple[list[Row], Position | None]:
    """Return rows that may be shown, and where the next page begins, or None on the last one.

    A page may be shorter than asked for and yet not the last one: what is looked through for it is
    bounded.

    Args:
        read: returns at most so many rows behind a position, in order.
        shows: tells whether the caller may see a row.
        rows: how many are asked for.
        after: where the page before ended.
        position: of a row.
    """
    most = max(rows + 1, _LEAST)
    found: list[Row] = []
    for _ in range(_ROUNDS):
        batch = read(most, after)
        found += filter(shows, batch)
        if len(found) > rows:
            return found[:rows], position(found[rows - 1])
        if len(batch) < most:
            return found, None
        after = position(batch[-1])
    return found, after
