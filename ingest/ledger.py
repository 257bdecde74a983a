"""The account: what became of every message, per device, boot and hour of reception.

A `LedgerDelta` is a set of changes to the account, made in memory while a batch is judged and
applied in the transaction that spools the batch, so that account and messages cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

NO_BOOT = -1
"""Boot of the messages that tell none."""


class Account(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Which line of the ledger: site, device, UTC hour (seconds since the epoch), boot counter."""

    site: str
    device: str
    hour: int
    boot: int = NO_BOOT


class Fate(StrEnum):
    """What becomes of a message. `received` is the sum of the next four."""

    RECEIVED = "received"
    STORED = "stored"
    DUPLICATE = "duplicate"
    DEAD_LETTERED = "dead_lettered"
    PENDING = "pending"
    REDELIVERED = "redelivered"


class Line(msgspec.Struct):
    """Counts of one line of the ledger, or changes to them.

    Attributes:
        received: messages received.
        stored: messages that the store has, or that had nothing to store.
        duplicate: messages that the device published twice.
        dead_lettered: messages set aside.
        pending: messages on disk that the store has not confirmed.
        redelivered: messages that the broker sent again; not part of `received`.
        missing: sequence numbers never received; not part of `received`.
        values_new: values committed at an instant later than any before it of the same device and
            category: each is a value of its own in the store.
        values_other: values committed at other instants: each may have replaced one.
    """

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    pending: int = 0
    redelivered: int = 0
    missing: int = 0
    values_new: int = 0
    values_other: int = 0

    def add(self, fate: Fate, count: int) -> None:
        """Change one column."""
        setattr(self, fate.value, getattr(self, fate.value) + count)


COLUMNS: tuple[str, ...] = Line.__struct_fields__


class LedgerDelta:
    """Changes to the ledger that keep `received = stored + duplicate + dead_lettered + pending`."""

    def __init__(self) -> None:
        self._lines: dict[Account, Line] = {}

    def line(self, account: Account) -> Line:
        """Return the changes to one line, to be added to."""
        found = self._lines.get(account)
        if found is None:
            found = self._lines[account] = Line()
        return found

    def receive(self, account: Account, fate: Fate) -> None:
        """Count a message received, and what it became."""
        line = self.line(account)
        line.received += 1
        line.add(fate, 1)

    def redeliver(self, account: Account) -> None:
        """Count a message that the broker sent again; it is not received a second time."""
        self.line(account).redelivered += 1

    def move(self, account: Account, before: Fate, after: Fate, count: int = 1) -> None:
        """Count that messages of `account` changed from one fate to another."""
        line = self.line(account)
        line.add(before, -count)
        line.add(after, count)

    def reassign(self, old: Account, new: Account, before: Fate, after: Fate) -> None:
        """Count that a message turned out to belong to another account, with another fate."""
        line = self.line(old)
        line.received -= 1
        line.add(before, -1)
        self.receive(new, after)

    def __iter__(self) -> Iterator[tuple[Account, Line]]:
        return iter(self._lines.items())

    def __len__(self) -> int:
        return len(self._lines)
