"""From evidence to one row: what was sent, where each message is, and what does not add up."""

from __future__ import annotations

from collections import Counter

from tests.reliability import evidence
from tests.reliability.messages import Message, name_of
from tests.reliability.outcome import Outcome
from tests.reliability.rig import Rig

_SHOWN = 5


def judge(rig: Rig) -> Outcome:
    """Return what became of everything; the workers have stopped."""
    fault = rig.fault
    sent = {message.key: message for message in rig.acknowledged}
    published = {message.key: message for message in (*rig.messages, *rig.acknowledged)}
    instants = evidence.by_instant((m.device, m.seq, m.time_ns) for m in published.values())
    rows = evidence.rows_in(rig.store, rig.bucket)
    stored, problems = _stored(rows, instants, published)
    letters = evidence.letters_in(rig.registry)
    lettered = evidence.keys_of(letters, instants)
    aside = _aside(rig, instants) - stored - lettered
    delivered = _delivered(rig)
    found = stored | lettered | aside
    owed = set(sent) | delivered
    lost = owed - found
    by_broker = lost - delivered if fault.broker_may_lose else set()
    lost -= by_broker
    account = rig.account()
    problems += _ledger(rig, account, stored=len(rows), missing=len(by_broker))
    return Outcome(
        fault=fault.name,
        title=fault.title,
        sent=len(rig.acknowledged),
        stored=len(stored),
        duplicate=account.duplicate,
        dead_lettered=len(lettered),
        set_aside=len(aside),
        redelivered=account.redelivered,
        lost_by_broker=len(by_broker),
        missing=account.missing,
        lost=len(lost),
        recovered_s=rig.recovered_s,
        peak_mib=rig.peak_mib,
        problems=(*rig.problems, *_named("lost", lost), *problems),
    )


def _aside(rig: Rig, instants: dict[tuple[str, int], evidence.Key]) -> set[evidence.Key]:
    if not rig.set_aside():
        return set()
    spool = rig.set_aside_spool()
    return evidence.keys_in_spool(spool, head=rig.overwritten, by_instant=instants)


def _delivered(rig: Rig) -> set[evidence.Key]:
    """Return what a worker answers for, whatever the broker does."""
    if rig.fault.worker_away:
        return evidence.acknowledged_in(rig.link.heard(), rig.link.said())
    return evidence.delivered_in(rig.link.heard())


def _stored(
    rows: list[evidence.Row],
    instants: dict[tuple[str, int], evidence.Key],
    published: dict[evidence.Key, Message],
) -> tuple[set[evidence.Key], list[str]]:
    found: set[evidence.Key] = set()
    problems = []
    for device, time_ns, value in rows:
        key = instants.get((name_of(device), time_ns))
        if key is None:
            problems.append(f"the store has a row that nobody sent: {name_of(device)} at {time_ns}")
        elif value != published[key].value:
            problems.append(f"{key} is stored as {value}, sent was {published[key].value}")
        else:
            found.add(key)
    return found, problems[:_SHOWN]


def _ledger(rig: Rig, account: evidence.Account, *, stored: int, missing: int) -> list[str]:
    """Hold the ledger against what was found."""
    problems = []
    told = evidence.account_told(rig.registry)
    if not account.balanced:
        problems.append(f"the ledger does not add up: {account}")
    if account.pending:
        problems.append(f"{account.pending} messages are still pending")
    if told.received < len(rig.acknowledged) - missing:
        problems.append(f"the ledger says received {told.received}, sent {len(rig.acknowledged)}")
    if told.stored != stored:
        problems.append(f"the ledger says stored {told.stored}, the store has {stored}")
    if account.missing != missing:
        problems.append(f"the ledger says missing {account.missing}, never delivered {missing}")
    if not rig.set_aside() and told != account:
        problems.append(f"the registry tells {told}, the worker's disk {account}")
    return problems


def _named(what: str, keys: set[evidence.Key]) -> list[str]:
    if not keys:
        return []
    shown = ", ".join(f"{name_of(device)} {seq}" for device, seq in sorted(keys)[:_SHOWN])
    devices = Counter(device for device, _ in keys)
    return [f"{what}: {len(keys)} messages of {len(devices)} devices, among them {shown}"]
