"""What one transaction will hold: made while messages are judged, then committed at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from ingest.duplicates import Remembered
from ingest.identities import Identities
from ingest.judge import Facts, Verdict
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import NewDeadLetter
from ingest.spooled import Layout, Owner, Packed


class Other(msgspec.Struct, frozen=True):
    """What became of a message that was not usual.

    Attributes:
        before: how many messages of the batch waited for the store when it was judged.
        fate: what became of it.
        account: whose it is.
        stored: whether it waits for the store itself.
    """

    before: int
    fate: Fate
    account: Account
    stored: bool


class Batch:
    """Messages judged together.

    `ingest.batch_judge` appends to the lists of the usual messages itself.

    Attributes:
        lines: line protocol of each message.
        owners: whose it is: a place in the batch's owners.
        sizes: how many lines each has.
        ledger: changes to the account.
        identities: what tells the messages again.
        letters: what is set aside.
        progress: (site, device, packed progress) of the devices that it moves on.
        facts: what bridges tell of their devices.
        profiles: how many messages each profile decoded.
        fates: how many messages that were not usual became what.
        others: each message that was not usual, in order.
    """

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.owners: list[int] = []
        self.sizes: list[int] = []
        self.ledger = LedgerDelta()
        self.identities = Identities()
        self.letters: list[NewDeadLetter] = []
        self.progress: list[tuple[str, str, bytes]] = []
        self.facts: list[Facts] = []
        self.profiles: Counter[str] = Counter()
        self.fates: Counter[Fate] = Counter()
        self.others: list[Other] = []
        self._places: dict[tuple[Account, bool], int] = {}
        self._usual: dict[int, tuple[Account, str]] = {}
        self._unusual: Counter[int] = Counter()

    def usual(self, account: Account, profile: str) -> int:
        """Return the place of the owner of usual messages: `count_usual` counts them.

        Args:
            account: whose they are.
            profile: what decodes them.
        """
        place = self.owner(account)
        self._usual[place] = account, profile
        return place

    def count_usual(self) -> None:
        """Count the usual messages that were appended: received, pending, decoded."""
        counts = Counter(self.owners)
        counts.subtract(self._unusual)
        for place, (account, profile) in self._usual.items():
            line = self.ledger.line(account)
            line.received += counts[place]
            line.pending += counts[place]
            self.profiles[profile] += counts[place]

    def owner(self, account: Account, *, counted: bool = True) -> int:
        """Return the place of an account among the owners of messages."""
        return self._places.setdefault((account, counted), len(self._places))

    def accounts(self) -> list[Account]:
        """Return the accounts by their place among the owners."""
        return [account for account, _ in self._places]

    def store(self, lines: Sequence[str], account: Account, *, counted: bool = True) -> None:
        """Add lines that wait for the store as one message of `account`."""
        self.lines.append("\n".join(lines).encode())
        place = self.owner(account, counted=counted)
        self.owners.append(place)
        self._unusual[place] += 1
        self.sizes.append(len(lines))

    def keep(self, verdict: Verdict, *, mid: int, received_ns: int) -> Remembered:
        """Add what is to be stored, set aside and remembered of a message; return the last."""
        if verdict.fate is Fate.PENDING:
            self.store(verdict.lines, verdict.account)
        self.letters.extend(verdict.letters)
        accepted = verdict.fate in (Fate.PENDING, Fate.STORED)
        entry = Remembered(mid, verdict.digest, accepted, received_ns)
        self.identities.add(entry)
        return entry

    def packed(self) -> Packed:
        """Return what waits for the store."""
        counts = Counter(self.owners)
        owners = tuple(
            Owner(account, counted, counts[place])
            for (account, counted), place in self._places.items()
        )
        return Packed(
            body=b"\n".join(self.lines),
            messages=len(self.owners),
            points=sum(self.sizes),
            owners=owners,
            layout=Layout(self.owners, self.sizes),
        )
