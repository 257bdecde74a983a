"""A line of a file that cannot be used, and why."""

from __future__ import annotations

import msgspec


class BadRow(msgspec.Struct, frozen=True):
    """One line that was left out.

    Attributes:
        line: its number, from 1.
        why: one sentence for a person.
    """

    line: int
    why: str
