"""One spool against itself: ledger, batches and dead letters of one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from devices.registry.records import DeadLetterState
from ingest.ledger import Account, Line
from ingest.verification.difference import Difference, Kind, Side, of_row
from ingest.verification.snapshot import Snapshot

_SHOWN = 20


def accounted(counts: Line) -> int:
    """Return what `received` of a row should be."""
    return counts.stored + counts.duplicate + counts.dead_lettered + counts.pending


def check_spool(snapshot: Snapshot) -> Iterator[Difference]:
    """Yield what does not agree within a spool.

    Every dead letter is kept, also when it was replayed or its payload was let go, so the letters
    of a row that are open or discarded are the messages that it counts as dead-lettered.
    """
    worker = snapshot.worker
    kept = Counter(
        letter.account
        for letter in snapshot.letters.values()
        if letter.counted and letter.state != DeadLetterState.REPLAYED.value
    )
    nothing = Line()
    for account in sorted({*snapshot.ledger, *snapshot.pending, *kept}):
        line = snapshot.ledger.get(account)
        counts = nothing if line is None else line.counts
        yield from check_equation(worker, account, counts, where="spool")
        if counts.pending != snapshot.pending[account]:
            yield of_row(
                Kind.PENDING,
                worker,
                account,
                Side("pending in the spool's ledger", counts.pending),
                Side("messages in the spool's batches", snapshot.pending[account]),
            )
        if counts.dead_lettered != kept[account]:
            yield of_row(
                Kind.DEAD_LETTERED,
                worker,
                account,
                Side("dead-lettered in the spool's ledger", counts.dead_lettered),
                Side("dead letters kept in the spool", kept[account]),
            )
    yield from _whole(snapshot)


def check_equation(
    worker: str, account: Account, counts: Line, *, where: str
) -> Iterator[Difference]:
    """Yield a row that does not add up."""
    if counts.received != accounted(counts):
        yield of_row(
            Kind.EQUATION,
            worker,
            account,
            Side(f"received in the {where}", counts.received),
            Side("stored + duplicate + dead-lettered + pending", accounted(counts)),
        )


def _whole(snapshot: Snapshot) -> Iterator[Difference]:
    if snapshot.gaps:
        shown = ", ".join(str(seq) for seq in snapshot.gaps[:_SHOWN])
        more = len(snapshot.gaps) - _SHOWN
        yield Difference(
            kind=Kind.BATCH_GONE,
            worker=snapshot.worker,
            what=f"batch {shown}" + (f" and {more} more" if more > 0 else ""),
            one=Side("batches that should wait for the store", len(snapshot.gaps)),
            other=Side("of them in the spool", 0),
        )
    there = sum(one.state == DeadLetterState.OPEN.value for one in snapshot.letters.values())
    if snapshot.letter_total != there:
        yield Difference(
            kind=Kind.LETTERS_OPEN,
            worker=snapshot.worker,
            what="open dead letters",
            one=Side("counted by the spool", snapshot.letter_total),
            other=Side("in the spool", there),
        )
