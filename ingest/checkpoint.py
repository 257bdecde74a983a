"""The points of a message's path between which a worker may die without losing it.

`ingest.accept` and `ingest.drain` pass them in this order. The product does nothing at them; the
fault suite (`docs/reliability.md`) ends the process there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Checkpoint(StrEnum):
    """Where a worker is with a batch."""

    RECEIVED = "received"
    """The messages are in memory only."""
    JUDGED = "judged"
    """What becomes of them is decided; the transaction has not begun."""
    ARCHIVED = "archived"
    """They are in the raw archive, when there is one; the transaction has not begun."""
    COMMITTED = "committed"
    """They are on disk; no PUBACK has been sent."""
    ACKNOWLEDGED = "acknowledged"
    """The PUBACKs were handed to the operating system."""
    WRITTEN = "written"
    """The store has them; the cursor has not moved."""
    CONFIRMED = "confirmed"
    """The cursor has moved, and what was done is deleted."""


Pass = Callable[[Checkpoint], None]
"""Called at each checkpoint."""


def pass_by(_checkpoint: Checkpoint) -> None:
    """Do nothing: what the product does at a checkpoint."""
