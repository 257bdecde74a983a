"""What the store must hold and may hold, gathered from every worker's account."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import msgspec

from ingest.ledger import Account, Line
from ingest.verification.evidence import Evidence, Told
from ingest.verification.registry_check import account_of, counts_of
from ingest.verification.snapshot import Device, Snapshot
from ingest.verification.value_check import Committed


class Expected(msgspec.Struct, frozen=True):
    """What the ledgers say of the store.

    Attributes:
        least: what it must hold of a device, by each worker.
        most: what it may hold of a device, by hour of reception.
        silent: workers elsewhere with values that wait or were refused: how many is not known.
    """

    least: dict[Device, list[Committed]]
    most: dict[Device, Counter[int]]
    silent: set[str]


def expected(evidence: Evidence) -> Expected:
    """Return what the store must and may hold.

    What only the registry says, of a spool that is elsewhere or was set aside, counts as well.
    """
    least: dict[Device, list[Committed]] = defaultdict(list)
    most: dict[Device, Counter[int]] = defaultdict(Counter)
    for worker, snapshot in evidence.before.items():
        for device, new in _new(snapshot).items():
            absent = (
                snapshot.pending_values[device]
                + snapshot.refused_values[device]
                + snapshot.gone_values[device]
            )
            least[device].append(Committed(worker, new, absent))
    for snapshot in evidence.after.values():
        for account, line in snapshot.ledger.items():
            _add(most, account, line.counts)
    silent: set[str] = set()
    if evidence.told is not None:
        silent = _elsewhere(evidence.told, evidence.before, evidence.after, least, most)
    return Expected(least, most, silent)


def older_than(least: Mapping[Device, list[Committed]], hour: int) -> tuple[int, int]:
    """Return how many hours with values, and of how many devices, lie at an hour or before it."""
    old = {
        (device, at)
        for device, every in least.items()
        for one in every
        for at, values in one.new.items()
        if values and at <= hour
    }
    return len(old), len({device for device, _ in old})


def _elsewhere(
    told: Told,
    before: Mapping[str, Snapshot],
    after: Mapping[str, Snapshot],
    least: dict[Device, list[Committed]],
    most: dict[Device, Counter[int]],
) -> set[str]:
    """Add what no spool on this host says; return the workers of which too little is known."""
    silent: set[str] = set(told.refusing)
    found: dict[tuple[str, Device], Counter[int]] = defaultdict(Counter)
    for row in told.rows:
        account = account_of(row)
        kept = after.get(row.worker)
        if kept is not None and account in kept.ledger:
            continue
        _add(most, account, counts_of(row))
        if row.worker not in before:
            found[row.worker, (row.site, row.device)][row.hour] += row.values_new
            if row.pending:
                silent.add(row.worker)
    for (worker, device), new in found.items():
        if worker not in silent:
            least[device].append(Committed(worker, new))
    return silent


def _new(snapshot: Snapshot) -> dict[Device, Counter[int]]:
    found: dict[Device, Counter[int]] = defaultdict(Counter)
    for account, line in snapshot.ledger.items():
        found[account.site, account.device][account.hour] += line.counts.values_new
    return found


def _add(most: dict[Device, Counter[int]], account: Account, counts: Line) -> None:
    values = counts.values_new + counts.values_other
    if values:
        most[account.site, account.device][account.hour] += values
