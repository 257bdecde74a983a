"""A spool against the registry's copy of it.

The worker tells the registry once a second, so while messages flow a row is compared only when the
spool said the same of it before and after the registry was read, and had told it by then. What
cannot be compared now is returned apart, to be tried again.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from devices.registry import LedgerRow
from devices.registry.text import account_name
from ingest.ledger import COLUMNS, Account, Line
from ingest.verification.difference import Difference, Kind, Side, of_row
from ingest.verification.snapshot import KeptLetter, Snapshot


class Compared(msgspec.Struct, frozen=True):
    """What came of comparing.

    Attributes:
        differences: what differs for certain.
        unsettled: rows of the ledger that changed meanwhile, or that the registry was not told.
        unsettled_letters: dead letters of which the same is true.
    """

    differences: list[Difference]
    unsettled: set[Account]
    unsettled_letters: set[int]


def as_told(account: Account) -> Account:
    """Return a row's name in the registry."""
    return Account(
        account_name(account.site), account_name(account.device), account.hour, account.boot
    )


def counts_of(row: LedgerRow) -> Line:
    """Return the counts of a row of the registry."""
    return Line(**{column: getattr(row, column) for column in COLUMNS})


def account_of(row: LedgerRow) -> Account:
    """Return which row of the ledger a row of the registry is."""
    return Account(row.site, row.device, row.hour, row.boot)


def compare(
    before: Snapshot,
    rows: Mapping[Account, Line],
    letters: Mapping[str, str],
    after: Snapshot,
) -> Compared:
    """Compare a spool with what the registry said in between.

    Args:
        before: the spool, before the registry was read.
        rows: the worker's rows in the registry.
        letters: the state of its dead letters there, by id.
        after: the spool, after the registry was read.
    """
    differences: list[Difference] = []
    unsettled: set[Account] = set()
    told: set[Account] = set()
    for account, line in after.ledger.items():
        name = as_told(account)
        told.add(name)
        earlier = before.ledger.get(account)
        if earlier is None or earlier != line or line.version > before.told_lines:
            unsettled.add(account)
        elif (copy := rows.get(name)) is None:
            received = Side("received in the spool", line.counts.received)
            absent = Side("in the registry", "no such row")
            differences.append(
                of_row(Kind.REGISTRY_LACKS_ROW, before.worker, account, received, absent)
            )
        elif copy != line.counts:
            differences.append(_row(before.worker, account, line.counts, copy))
    for name, copy in rows.items():
        if name not in told:
            received = Side("received in the registry", copy.received)
            absent = Side("in the spool", "no such row")
            differences.append(of_row(Kind.SPOOL_LACKS_ROW, before.worker, name, received, absent))
    unsettled_letters = _letters(before, letters, after, differences)
    return Compared(differences, unsettled, unsettled_letters)


def _row(worker: str, account: Account, kept: Line, copy: Line) -> Difference:
    changed = [column for column in COLUMNS if getattr(kept, column) != getattr(copy, column)]

    def said(line: Line) -> str:
        return ", ".join(f"{column} {getattr(line, column)}" for column in changed)

    spool, registry = Side("in the spool", said(kept)), Side("in the registry", said(copy))
    return of_row(Kind.REGISTRY_ROW, worker, account, spool, registry)


def _letters(
    before: Snapshot, states: Mapping[str, str], after: Snapshot, differences: list[Difference]
) -> set[int]:
    unsettled: set[int] = set()
    told: set[str] = set()
    for number, letter in after.letters.items():
        name = f"{before.worker}-{number}"
        told.add(name)
        if before.letters.get(number) != letter or letter.version > before.told_letters:
            unsettled.add(number)
            continue
        state = states.get(name)
        kind = Kind.REGISTRY_LACKS_LETTER if state is None else Kind.REGISTRY_LETTER
        if state != letter.state:
            there = Side("in the registry", state or "no such dead letter")
            differences.append(
                _of_letter(kind, name, letter, Side("in the spool", letter.state), there)
            )
    for name, state in states.items():
        if name not in told:
            differences.append(
                Difference(
                    kind=Kind.SPOOL_LACKS_LETTER,
                    worker=before.worker,
                    what=f"dead letter {name}",
                    one=Side("in the registry", state),
                    other=Side("in the spool", "no such dead letter"),
                )
            )
    return unsettled


def _of_letter(kind: Kind, name: str, letter: KeptLetter, one: Side, other: Side) -> Difference:
    account = letter.account
    return Difference(
        kind=kind,
        worker=name.rpartition("-")[0],
        site=account.site,
        device=account.device,
        hour=account.hour,
        boot=account.boot,
        what=f"dead letter {name}",
        one=one,
        other=other,
    )
