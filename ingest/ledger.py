"""The account: what became of every message, per device and hour of reception.

A `LedgerDelta` is a set of changes to the account, made in memory while a batch is judged and
applied in the transaction that spools the batch, so that account and messages cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class Account(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Which line of the ledger: site, device and UTC hour (seconds since the epoch)."""

    site: str
    device: str
    hour: int


class Fate(StrEnum):
    """The columns of the ledger. `received` is the sum of the next four."""

    RECEIVED = "received"
    STORED = "stored"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    PENDING = "pending"
    REDELIVERED = "redelivered"


COLUMNS: tuple[str, ...] = tuple(fate.value for fate in Fate)


class LedgerDelta:
    """Changes to the ledger that keep `received = stored + duplicate + dead_lettered + pending`."""

    def __init__(self) -> None:
        self._changes: dict[Account, dict[Fate, int]] = {}

    def receive(self, account: Account, fate: Fate) -> None:
        """Count a message received, and what it became."""
        self._add(account, Fate.RECEIVED, 1)
        self._add(account, fate, 1)

    def redeliver(self, account: Account) -> None:
        """Count a message that the broker sent again; it is not received a second time."""
        self._add(account, Fate.REDELIVERED, 1)

    def move(self, account: Account, before: Fate, after: Fate, count: int = 1) -> None:
        """Count that messages of `account` changed from one fate to another."""
        self._add(account, before, -count)
        self._add(account, after, count)

    def reassign(self, old: Account, new: Account, before: Fate, after: Fate) -> None:
        """Count that a message turned out to belong to another account, with another fate."""
        self._add(old, Fate.RECEIVED, -1)
        self._add(old, before, -1)
        self._add(new, Fate.RECEIVED, 1)
        self._add(new, after, 1)

    def __iter__(self) -> Iterator[tuple[Account, dict[Fate, int]]]:
        return iter(self._changes.items())

    def __len__(self) -> int:
        return len(self._changes)

    def _add(self, account: Account, fate: Fate, count: int) -> None:
        line = self._changes.setdefault(account, {})
        line[fate] = line.get(fate, 0) + count
