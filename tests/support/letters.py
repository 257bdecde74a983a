"""Dead letters put into a spool by hand."""

from __future__ import annotations

from typing import Any

from core.reasons import Reason, Scope
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import NewDeadLetter, Spool

HOUR = 1_790_000_000 // 3600 * 3600
ACCOUNT = Account("elgazala", "thermo-1", HOUR)


def new_letter(**more: Any) -> NewDeadLetter:
    """Return a dead letter of a message, with the given fields changed."""
    fields: dict[str, Any] = {
        "scope": Scope.MESSAGE,
        "reason": Reason.MALFORMED,
        "detail": "cut short",
        "account": ACCOUNT,
        "profile": "passerelle",
        "topic": b"passerelle/v1/elgazala/thermo-1/telemetry",
        "payload": b"0123456789",
        "properties": {},
        "received_ns": 7,
        "counted": True,
    }
    return NewDeadLetter(**(fields | more))


def set_aside(spool: Spool, *letters: NewDeadLetter) -> None:
    """Commit dead letters, and the account of their messages."""
    ledger = LedgerDelta()
    for letter in letters:
        if letter.counted:
            ledger.receive(letter.account, Fate.DEAD_LETTERED)
    spool.commit(ledger=ledger, dead_letters=letters)
