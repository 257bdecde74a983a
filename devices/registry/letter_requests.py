"""What people ask the workers to do with dead letters, and how far it is.

A request is of one worker: it names its dead letters, or says which open ones are meant. A worker
carries it out bit by bit and notes its progress, in absolute values, so that noting it twice
changes nothing.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from core.clock import Clock
from core.errors import ConflictError, NotFoundError
from devices.registry.database import Database
from devices.registry.records import (
    DeadLetterState,
    LetterAction,
    LetterFilter,
    LetterOutcome,
    LetterRequest,
)
from devices.registry.tables import NAME, dead_letters, replay_requests
from devices.registry.text import account_names, clipped, storable

MOST_NAMED = 10_000
"""Dead letters that one request may name; more are chosen by a filter."""
_CHUNK = 400
_MOST_REQUESTS = 2**31
_OUTCOMES = msgspec.json.Decoder(tuple[LetterOutcome, ...])
_WANTED = msgspec.json.Decoder(LetterFilter)
_IDS = msgspec.json.Decoder(tuple[str, ...])


class LetterRequestRepository:
    """The requests about dead letters."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def request(
        self,
        action: LetterAction,
        *,
        requested_by: str,
        letters: Sequence[str] | None = None,
        wanted: LetterFilter | None = None,
        rate: float = 0.0,
        why: str = "",
    ) -> builtins.list[LetterRequest]:
        """Ask the workers to do something with dead letters; return one request for each worker.

        Args:
            action: what.
            requested_by: name of the API key or the operator.
            letters: identifiers, at most `MOST_NAMED`; or
            wanted: which open ones.
            rate: dead letters a second, at most; 0: as fast as it goes.
            why: why they are discarded.

        Raises:
            NotFoundError: a named one does not exist; nothing is asked.
            ConflictError: a named one is not open; nothing is asked.
        """
        requests = []
        with self._database.write() as connection:
            for worker, ids, matched in _by_worker(connection, letters, wanted):
                asked = LetterRequest(
                    id=0,
                    dead_letters=tuple(ids),
                    worker=worker,
                    requested_by=clipped(requested_by, NAME),
                    created_ns=self._clock.now_ns(),
                    action=action.value,
                    wanted=wanted,
                    rate=rate,
                    why=storable(why),
                    matched=matched,
                )
                values = _values(asked)
                del values["id"]
                made = connection.execute(insert(replay_requests).values(values))
                key = made.inserted_primary_key
                assert key is not None  # noqa: S101 - both databases return it
                requests.append(msgspec.structs.replace(asked, id=int(key[0])))
        return requests

    def request_replay(
        self, letters: Sequence[str], requested_by: str
    ) -> builtins.list[LetterRequest]:
        """Ask the workers to judge dead letters again: `request` with `LetterAction.REPLAY`."""
        return self.request(LetterAction.REPLAY, letters=letters, requested_by=requested_by)

    def replay_requests(self, worker: str) -> builtins.list[LetterRequest]:
        """Return what a worker has been asked and has not finished, oldest first.

        Requests that are paused are left out.
        """
        columns = replay_requests.c
        query = (
            select(replay_requests)
            .where(
                columns.worker == storable(worker),
                columns.finished_ns.is_(None),
                columns.paused.is_(False),
            )
            .order_by(columns.id)
        )
        with self._database.read() as connection:
            return [_request(row) for row in connection.execute(query).mappings()]

    def requests(self, *, limit: int = 100) -> builtins.list[LetterRequest]:
        """Return what was asked lately, the newest first; without the identifiers named."""
        columns = [one for one in replay_requests.c if one.name != "dead_letters"]
        query = select(*columns).order_by(replay_requests.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings()
            return [_request(dict(row) | {"dead_letters": "[]"}) for row in rows]

    def note_progress(self, request: LetterRequest) -> None:
        """Note how far a worker is with a request, and whether it is done (`finished_ns`).

        Of a request that is finished already the first note stays.
        """
        with self._database.write() as connection:
            connection.execute(
                update(replay_requests)
                .where(replay_requests.c.id == request.id, replay_requests.c.finished_ns.is_(None))
                .values(
                    finished_ns=request.finished_ns,
                    replayed=request.replayed,
                    failed=request.failed,
                    done=request.done,
                    position=request.position,
                    upto=request.upto,
                    waiting=storable(request.waiting),
                    outcomes=_outcomes(request),
                )
            )

    def finish_replay(self, request: int, replayed: int, failed: int) -> None:
        """Note what came of a request; of a request that is finished already the first note stays.

        Raises:
            NotFoundError: there is none of that number.
        """
        found = self.get_request(request)
        self.note_progress(
            msgspec.structs.replace(
                found,
                finished_ns=self._clock.now_ns(),
                replayed=replayed,
                failed=failed,
                done=replayed + failed,
            )
        )

    def pause(self, request: int, *, paused: bool) -> LetterRequest:
        """Stop a request where it is, or let it go on; return it.

        Raises:
            NotFoundError: there is none of that number.
            ConflictError: it is finished.
        """
        found = self.get_request(request)
        if found.finished_ns is not None:
            raise ConflictError(
                f"request {request} is finished; there is nothing to stop or resume"
            )
        with self._database.write() as connection:
            connection.execute(
                update(replay_requests).where(replay_requests.c.id == request).values(paused=paused)
            )
        return msgspec.structs.replace(found, paused=paused)

    def get_request(self, request: int) -> LetterRequest:
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


def conditions(wanted: LetterFilter) -> builtins.list[ColumnElement[bool]]:
    """Return what a row of `dead_letters` must be like to match `wanted`."""
    columns = dead_letters.c
    found: list[ColumnElement[bool]] = []
    for name in ("reason", "scope", "profile", "worker"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(columns[name] == storable(value))
    for name in ("site", "device"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(columns[name].in_(account_names(value)))
    if wanted.since_ns is not None:
        found.append(columns.received_ns >= wanted.since_ns)
    if wanted.until_ns is not None:
        found.append(columns.received_ns < wanted.until_ns)
    return found


def _by_worker(
    connection: Connection, letters: Sequence[str] | None, wanted: LetterFilter | None
) -> builtins.list[tuple[str, builtins.list[str], int]]:
    """Return (worker, identifiers, how many) of the open dead letters that are meant."""
    if letters is not None:
        named = _open_letters(connection, list(dict.fromkeys(letters)))
        return [(worker, ids, len(ids)) for worker, ids in named.items()]
    worker = dead_letters.c.worker
    rows = connection.execute(
        select(worker, func.count())
        .where(
            dead_letters.c.state == DeadLetterState.OPEN.value,
            *conditions(wanted or LetterFilter()),
        )
        .group_by(worker)
        .order_by(worker)
    )
    return [(name, [], count) for name, count in rows]


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
            raise unknown_letter(letter)
        worker, state = found[letter]
        if state != DeadLetterState.OPEN:
            raise ConflictError(
                f"dead letter {letter!r} is {state}; only an open one is replayed or discarded"
            )
        by_worker.setdefault(worker, []).append(letter)
    return by_worker


def unknown_letter(letter: str) -> NotFoundError:
    """Return what is said of a dead letter that does not exist."""
    return NotFoundError(f"there is no dead letter {letter[:80]!r}; see /v1/dead-letters")


def _outcomes(request: LetterRequest) -> str:
    shown = [msgspec.structs.replace(one, detail=storable(one.detail)) for one in request.outcomes]
    return msgspec.json.encode(shown).decode()


def _values(request: LetterRequest) -> dict[str, Any]:
    wanted = request.wanted
    return msgspec.structs.asdict(request) | {
        "dead_letters": msgspec.json.encode(request.dead_letters).decode(),
        "wanted": "" if wanted is None else msgspec.json.encode(wanted).decode(),
        "outcomes": _outcomes(request),
    }


def _request(row: Mapping[Any, Any]) -> LetterRequest:
    values = dict(row)
    wanted = values.pop("wanted")
    return LetterRequest(
        **(
            values
            | {
                "dead_letters": _IDS.decode(values["dead_letters"]),
                "wanted": _WANTED.decode(wanted) if wanted else None,
                "outcomes": _OUTCOMES.decode(values["outcomes"]),
            }
        )
    )
