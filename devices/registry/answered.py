"""Writes that were answered under an idempotency key, so that asking again changes nothing.

A key is claimed before the write is done, and holds the answer afterwards. One that is claimed and
never answered, because its process died, is given up after `GIVEN_UP_NS`: the write may have been
done or not, and asking again does it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from sqlalchemy import and_, delete, or_, select, update

from core.clock import NS_PER_HOUR, NS_PER_S, Clock
from devices.registry.database import Database
from devices.registry.rows import insertion
from devices.registry.tables import answered_writes

KEPT_NS = 24 * NS_PER_HOUR
"""How long an answer is kept."""
GIVEN_UP_NS = 60 * NS_PER_S
"""How long a claim stands without an answer."""


class Answered(msgspec.Struct, frozen=True):
    """The answer to a write.

    Attributes:
        status: of HTTP.
        headers: those that belong to the answer itself.
        body: its bytes.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Claimed(StrEnum):
    """What became of an attempt to claim a key without an answer to repeat."""

    NOW = "now"
    """It is ours: do the write, then `answer` or `give_up`."""
    UNDER_WAY = "under_way"
    """Somebody is doing the same write."""
    ANOTHER = "another"
    """It stands for another write."""


class AnsweredWriteRepository:
    """The answers of the last day, by idempotency key."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, key: str, fingerprint: str) -> Claimed | Answered:
        """Claim a key for a write, or return the answer that the same write was given.

        Args:
            key: of whom, which path, and what the caller said: a digest, 64 characters.
            fingerprint: digest of the write's content, 64 characters.

        Raises:
            RegistryUnavailableError: the database does not answer.
        """
        table, now_ns = answered_writes, self._clock.now_ns()
        columns = table.c
        with self._database.write() as connection:
            connection.execute(
                delete(table).where(
                    or_(
                        columns.created_ns < now_ns - KEPT_NS,
                        and_(columns.status == 0, columns.created_ns < now_ns - GIVEN_UP_NS),
                    )
                )
            )
            wanted = insertion(connection.dialect, table).values(
                key=key, fingerprint=fingerprint, created_ns=now_ns, status=0, headers="{}",
                body=b"",
            )  # fmt: skip
            made = connection.execute(wanted.on_conflict_do_nothing().returning(columns.key))
            if made.first() is not None:
                return Claimed.NOW
            row = connection.execute(select(table).where(columns.key == key)).mappings().one()
        if row["fingerprint"] != fingerprint:
            return Claimed.ANOTHER
        if not row["status"]:
            return Claimed.UNDER_WAY
        headers = msgspec.json.decode(row["headers"], type=dict[str, str])
        return Answered(row["status"], headers, bytes(row["body"]))

    def answer(self, key: str, answered: Answered) -> None:
        """Keep the answer to a write whose key was claimed."""
        with self._database.write() as connection:
            connection.execute(
                update(answered_writes)
                .where(answered_writes.c.key == key)
                .values(
                    status=answered.status,
                    headers=msgspec.json.encode(answered.headers).decode(),
                    body=answered.body,
                )
            )

    def give_up(self, key: str) -> None:
        """Let a claim go: the write failed, and may be asked for again."""
        with self._database.write() as connection:
            connection.execute(
                delete(answered_writes).where(
                    answered_writes.c.key == key, answered_writes.c.status == 0
                )
            )
