"""The workers' dead letters, as they publish them; what people ask is in `letter_requests`."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import LargeBinary, Select, func, literal, select, tuple_

from devices.registry.letter_requests import (
    LetterRequestRepository,
    conditions,
    unknown_letter,
)
from devices.registry.records import DeadLetter, LetterFilter
from devices.registry.rows import upsert
from devices.registry.tables import NAME, SLUG, dead_letters
from devices.registry.text import account_name, clipped, storable

_CHUNK = 400
_LONGEST_WHY = 1000
_NO_PAYLOAD = literal(b"", LargeBinary).label("payload")


class DeadLetterRepository(LetterRequestRepository):
    """The dead letters of all workers, and what people ask about them."""

    def publish(self, letters: Sequence[DeadLetter]) -> None:
        """Take a worker's dead letters; one of the same id is replaced."""
        with self._database.write() as connection:
            upsert(connection, dead_letters, [_values(letter) for letter in letters])

    def get(self, letter: str) -> DeadLetter:
        """Return one dead letter.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._database.read() as connection:
            query = select(dead_letters).where(dead_letters.c.id == storable(letter))
            row = connection.execute(query).mappings().first()
        if row is None:
            raise unknown_letter(letter)
        return _letter(row)

    def exists(self, letter: str) -> bool:
        """Say whether there is a dead letter of that id, without reading its payload."""
        query = select(dead_letters.c.id).where(dead_letters.c.id == storable(letter))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def sites_of(self, letters: Sequence[str]) -> dict[str, str]:
        """Return the site of each of the dead letters that exist, by id."""
        columns = dead_letters.c
        found: dict[str, str] = {}
        with self._database.read() as connection:
            for start in range(0, len(letters), _CHUNK):
                named = {storable(one): one for one in letters[start : start + _CHUNK]}
                rows = connection.execute(
                    select(columns.id, columns.site).where(columns.id.in_(list(named)))
                )
                found.update({named[key]: site for key, site in rows})
        return found

    def list(
        self,
        *,
        site: str | None = None,
        device: str | None = None,
        reason: str | None = None,
        scope: str | None = None,
        state: str | None = None,
        worker: str | None = None,
        since_ns: int | None = None,
        until_ns: int | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> builtins.list[DeadLetter]:
        """Return dead letters with their payloads, the newest first, at most `limit`.

        Args:
            site: only this site.
            device: only this device.
            reason: only this reason.
            scope: only this scope.
            state: only this state.
            worker: only this worker.
            since_ns: received then or later, nanoseconds since the epoch.
            until_ns: received before then.
            after: id at which the page before ended; nothing is older than an unknown one.
            limit: most letters to return.
        """
        wanted = LetterFilter(
            site=site,
            device=device,
            reason=reason,
            scope=scope,
            worker=worker,
            since_ns=since_ns,
            until_ns=until_ns,
        )
        return self.find(wanted, state=state, after=after, limit=limit, payloads=True)

    def find(
        self,
        wanted: LetterFilter,
        *,
        sites: Collection[str] | None = None,
        state: str | None = None,
        after: str | None = None,
        limit: int = 1000,
        payloads: bool = False,
    ) -> builtins.list[DeadLetter]:
        """Return dead letters, the newest first, at most `limit`.

        Args:
            wanted: which.
            sites: only of these sites; None: of all.
            state: only this state.
            after: id at which the page before ended; nothing is older than an unknown one.
            limit: most letters to return.
            payloads: False leaves the payloads in the database; `size` says how large they were.
        """
        columns = dead_letters.c
        order = (columns.received_ns, columns.id)
        shown = [one for one in columns if payloads or one.name != "payload"]
        query = (
            select(*shown, *(() if payloads else (_NO_PAYLOAD,)))
            .where(*conditions(wanted))
            .order_by(*(column.desc() for column in order))
            .limit(limit)
        )
        if sites is not None:
            query = query.where(columns.site.in_(sorted(sites)))
        if state is not None:
            query = query.where(columns.state == storable(state))
        with self._database.read() as connection:
            if after is not None:
                last = storable(after)
                at = connection.execute(
                    select(columns.received_ns).where(columns.id == last)
                ).scalar()
                if at is None:
                    return []
                query = query.where(tuple_(*order) < (at, last))
            return [_letter(row) for row in connection.execute(query).mappings()]

    def states(self, worker: str) -> dict[str, str]:
        """Return the state of every dead letter of a worker, by id."""
        query = select(dead_letters.c.id, dead_letters.c.state)
        with self._database.read() as connection:
            rows = connection.execute(query.where(dead_letters.c.worker == worker))
            return {row.id: row.state for row in rows}

    def counts(
        self,
        wanted: LetterFilter | None = None,
        *,
        sites: Collection[str] | None = None,
        state: str | None = None,
    ) -> dict[tuple[str, str], int]:
        """Return how many there are, by (reason, state); arguments as of `find`."""
        key = (dead_letters.c.reason, dead_letters.c.state)
        query: Select[Any] = select(*key, func.count()).group_by(*key)
        if wanted is not None:
            query = query.where(*conditions(wanted))
        if sites is not None:
            query = query.where(dead_letters.c.site.in_(sorted(sites)))
        if state is not None:
            query = query.where(dead_letters.c.state == storable(state))
        with self._database.read() as connection:
            return {(reason, at): count for reason, at, count in connection.execute(query)}


def _values(letter: DeadLetter) -> dict[str, Any]:
    return msgspec.structs.asdict(letter) | {
        "properties": msgspec.json.encode(
            {storable(name): storable(value) for name, value in letter.properties.items()}
        ).decode(),
        "topic": storable(letter.topic),
        "detail": storable(letter.detail),
        "site": account_name(letter.site),
        "device": account_name(letter.device),
        "profile": clipped(letter.profile, SLUG),
        "settled_by": clipped(letter.settled_by, NAME),
        "settled_why": clipped(letter.settled_why, _LONGEST_WHY),
    }


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        **(dict(row) | {"properties": msgspec.json.decode(row["properties"], type=dict[str, str])})
    )
