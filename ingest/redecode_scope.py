"""What of an archive may be decoded again now: what was committed, and what the store has.

A message that still waits for the store would be written later as it was decoded first, over the
corrected values: it is left for a later run. One that was set aside is brought back by a replay of
its dead letter, which also corrects the ledger: it is decoded again only once it was replayed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from core.errors import ConfigurationError
from core.reasons import Scope
from devices.registry.records import DeadLetterState
from ingest.archive_blocks import Archived, BlockHeader
from ingest.ledger import Fate
from ingest.spool import STORE_SINK


class Scoped:
    """What one worker's spool says of the blocks of its archive.

    Args:
        path: the spool's file.
        start_ns: first instant of reception that is asked for, nanoseconds since the epoch.
        end_ns: last instant, exclusive.

    Raises:
        ConfigurationError: there is no such file, or it is no spool.
    """

    def __init__(self, *, path: Path, start_ns: int, end_ns: int) -> None:
        if not path.exists():
            raise ConfigurationError(
                f"there is no spool {path}; run this where the worker runs, with its settings"
            )
        uri = f"{path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=30.0)) as db:
                # One transaction: a batch is either pending or not, for every question.
                db.execute("BEGIN")
                cursors = dict(db.execute("SELECT name, value FROM cursor").fetchall())
                self._waiting = {
                    int(row[0])
                    for row in db.execute(
                        "SELECT committed_ns FROM batch WHERE seq > ?",
                        (cursors.get(STORE_SINK, 0),),
                    )
                }
                self._replayed = {
                    (int(received_ns), bytes(topic))
                    for received_ns, topic, updated_ns in db.execute(
                        "SELECT received_ns, topic, updated_ns FROM dead_letter "
                        "WHERE state = ? AND scope = ? AND received_ns >= ? AND received_ns < ?",
                        (DeadLetterState.REPLAYED, Scope.MESSAGE, start_ns, end_ns),
                    )
                    if updated_ns not in self._waiting  # replayed by a batch that still waits
                }
        except sqlite3.Error as error:
            raise ConfigurationError(f"the spool {path} cannot be read: {error}") from None
        self._spool = cursors.get("identity", 0)
        self._committed = cursors.get("archive", 0)

    def settled(self, header: BlockHeader) -> bool:
        """Say whether the store has what a block's messages gave."""
        if header.spool != self._spool:
            return True
        return header.number <= self._committed and header.written_ns not in self._waiting

    def stored(self, one: Archived) -> bool:
        """Say whether a message was given to the store, or would be, decoded well."""
        if one.fate is Fate.DEAD_LETTERED:
            return (one.arrival.received_ns, one.arrival.topic) in self._replayed
        return True


def counted_once(messages: tuple[Archived, ...]) -> Iterator[Archived]:
    """Yield the messages that are no copies: neither sent nor published again."""
    for one in messages:
        if one.fate in (Fate.DUPLICATE, Fate.REDELIVERED) or one.arrival.facts_only:
            continue
        yield one
