"""The workers' dead letters, as they publish them, and the replays that people ask for."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, tuple_, update

from core.clock import Clock
from core.errors import ConflictError, NotFoundError
from devices.registry.database import Database
from devices.registry.records import DeadLetter, DeadLetterState, ReplayRequest
from devices.registry.rows import upsert
from devices.registry.tables import NAME, SLUG, dead_letters, replay_requests
from devices.registry.text import account_name, account_names, clipped, storable

_CHUNK = 400
_MOST_REQUESTS = 2**31


class DeadLetterRepository:
    """The dead letters of all workers."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

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
            raise NotFoundError(f"there is no dead letter {letter[:80]!r}; see /v1/dead-letters")
        return _letter(row)

    def exists(self, letter: str) -> bool:
        """Say whether there is a dead letter of that id, without reading its payload."""
        query = select(dead_letters.c.id).where(dead_letters.c.id == storable(letter))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

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
        """Return dead letters, the newest first, at most `limit`.

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
        columns = dead_letters.c
        order = (columns.received_ns, columns.id)
        query = select(dead_letters).order_by(*(column.desc() for column in order)).limit(limit)
        for name, wanted in (
            ("reason", reason),
            ("scope", scope),
            ("state", state),
            ("worker", worker),
        ):
            if wanted is not None:
                query = query.where(columns[name] == storable(wanted))
        for name, account in (("site", site), ("device", device)):
            if account is not None:
                query = query.where(columns[name].in_(account_names(account)))
        if since_ns is not None:
            query = query.where(columns.received_ns >= since_ns)
        if until_ns is not None:
            query = query.where(columns.received_ns < until_ns)
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

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many there are, by (reason, state)."""
        key = (dead_letters.c.reason, dead_letters.c.state)
        with self._database.read() as connection:
            rows = connection.execute(select(*key, func.count()).group_by(*key))
            return {(reason, state): count for reason, state, count in rows}

    def request_replay(
        self, letters: Sequence[str], requested_by: str
    ) -> builtins.list[ReplayRequest]:
        """Ask the workers to judge dead letters again; return one request for each worker.

        Raises:
            NotFoundError: one does not exist; nothing is asked.
            ConflictError: one is not open; nothing is asked.
        """
        now_ns = self._clock.now_ns()
        with self._database.write() as connection:
            by_worker = _open_letters(connection, list(dict.fromkeys(letters)))
            requests = []
            for worker, ids in by_worker.items():
                made = connection.execute(
                    insert(replay_requests).values(
                        worker=worker,
                        dead_letters=msgspec.json.encode(ids).decode(),
                        requested_by=clipped(requested_by, NAME),
                        created_ns=now_ns,
                        replayed=0,
                        failed=0,
                    )
                )
                key = made.inserted_primary_key
                assert key is not None  # noqa: S101 - both databases return it
                requests.append(
                    ReplayRequest(
                        id=int(key[0]),
                        dead_letters=tuple(ids),
                        worker=worker,
                        requested_by=clipped(requested_by, NAME),
                        created_ns=now_ns,
                    )
                )
        return requests

    def replay_requests(self, worker: str) -> builtins.list[ReplayRequest]:
        """Return what a worker has been asked and has not finished, oldest first."""
        columns = replay_requests.c
        query = (
            select(replay_requests)
            .where(columns.worker == storable(worker), columns.finished_ns.is_(None))
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            return [_request(row) for row in connection.execute(query).mappings()]

    def finish_replay(self, request: int, replayed: int, failed: int) -> None:
        """Note what came of a request; of a request that is finished already the first note stays.

        Raises:
            NotFoundError: there is none of that number.
        """
        self.get_request(request)
        with self._database.write() as connection:
            connection.execute(
                update(replay_requests)
                .where(replay_requests.c.id == request, replay_requests.c.finished_ns.is_(None))
                .values(finished_ns=self._clock.now_ns(), replayed=replayed, failed=failed)
            )

    def get_request(self, request: int) -> ReplayRequest:
        """Return one request.

        Raises:
            NotFoundError: there is none of that number.
        """
        row = None
        if 0 < request < _MOST_REQUESTS:
            query = select(replay_requests).where(replay_requests.c.id == request)
            with self._database.read() as connection:
                row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no replay {request}")
        return _request(row)


def _open_letters(connection: Connection, letters: Sequence[str]) -> dict[str, list[str]]:
    columns = dead_letters.c
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(letters), _CHUNK):
        rows = connection.execute(
            select(columns.id, columns.worker, columns.state).where(
                columns.id.in_([storable(one) for one in letters[start : start + _CHUNK]])
            )
        )
        found.update({key: (worker, state) for key, worker, state in rows})
    by_worker: dict[str, list[str]] = {}
    for letter in letters:
        if letter not in found:
            raise NotFoundError(f"there is no dead letter {letter[:80]!r}; see /v1/dead-letters")
        worker, state = found[letter]
        if state != DeadLetterState.OPEN:
            raise ConflictError(f"dead letter {letter!r} is {state}; only an open one is replayed")
        by_worker.setdefault(worker, []).append(letter)
    return by_worker


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
    }


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(
        **(dict(row) | {"properties": msgspec.json.decode(row["properties"], type=dict[str, str])})
    )


def _request(row: Any) -> ReplayRequest:
    ids = msgspec.json.decode(row["dead_letters"], type=tuple[str, ...])
    return ReplayRequest(**(dict(row) | {"dead_letters": ids}))
